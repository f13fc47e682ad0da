"""Put packages to work under a name, and take them back; every change has a who, when and why."""

from tenfold import packages
from tenfold.catalog import deployments, models
from tenfold.catalog.deployments import Change, Deployment
from tenfold.catalog.models import Model, Search
from tenfold.errors import NotFound, SpecError, Unsupported
from tenfold.workspace import Workspace


def deploy(
    workspace: Workspace, name: str, model: str, *, why: str = "", unproven: bool = False
) -> Deployment:
    """Make a model (by task name or id) live under `name`.

    Raises:
        NotFound: there is no such model.
        Unsupported: the model is not accepted, and `unproven` does not say that this is known.
        SpecError: the name is none.
    """
    found = _fit_for_work(workspace, model, unproven=unproven)
    return _changed(workspace, Change(name, "deploy", found.id, why))


def shadow(
    workspace: Workspace, name: str, model: str, *, why: str = "", unproven: bool = False
) -> Deployment:
    """Ask a model too whatever is asked of `name`; its answers are recorded and nobody gets them.

    Raises:
        NotFound, Unsupported: as `deploy`; or nothing is deployed under that name.
    """
    found = _fit_for_trial(workspace, name, model, unproven=unproven)
    return _changed(workspace, Change(name, "shadow", found.id, why))


def canary(
    workspace: Workspace,
    name: str,
    model: str,
    *,
    share: float,
    why: str = "",
    unproven: bool = False,
) -> Deployment:
    """Let a model answer for a share of the route keys.

    Raises:
        NotFound, Unsupported: as `shadow`.
        SpecError: the share is not between 0 and 1.
    """
    found = _fit_for_trial(workspace, name, model, unproven=unproven)
    return _changed(workspace, Change(name, "canary", found.id, why, share))


def keep_pictures(workspace: Workspace, name: str, *, days: int, why: str = "") -> Deployment:
    """Keep pictures that are asked about for so many days; 0: not at all.

    Raises:
        NotFound: nothing is deployed under that name.
        SpecError: the days are fewer than none.
    """
    if days < 0:
        raise SpecError(f"expected 0 or more days, got {days}.")
    return _changed(workspace, Change(name, "keep", why=why, keep_days=days))


def deploy_fleet(
    workspace: Workspace, fleet: str, *, prefix: str = "", why: str = "", unproven: bool = False
) -> int:
    """Make every accepted model of a fleet live, named by its task behind `prefix`, at one moment.

    With `unproven` the others too. Returns how many are deployed.

    Raises:
        NotFound: the fleet has no such model.
    """
    found = models.search(workspace.scope, Search(fleet=fleet, limit=0))
    chosen = [m for m in found if unproven or m.status == "accepted"]
    if not chosen:
        raise NotFound(
            f"fleet {fleet!r} has no {'' if unproven else 'accepted '}model.",
            hint="`tenfold ls --fleet NAME` lists what it made.",
        )
    changes = [Change(prefix + model.task, "deploy", model.id, why) for model in chosen]
    deployments.change(workspace.scope, changes)
    return len(chosen)


def promote(workspace: Workspace, name: str, *, why: str = "") -> Deployment:
    """Make the canary, else the shadow, live; what was live can be rolled back to.

    Raises:
        NotFound: nothing is deployed under that name.
        Conflict: it has neither.
    """
    return _changed(workspace, Change(name, "promote", why=why))


def rollback(workspace: Workspace, name: str, *, why: str = "") -> Deployment:
    """End a trial; without one, what was live before is live again.

    Raises:
        NotFound: nothing is deployed under that name.
        Conflict: there is nothing to go back to.
    """
    return _changed(workspace, Change(name, "rollback", why=why))


def retire(workspace: Workspace, name: str, *, why: str = "") -> Deployment:
    """Take a deployment out of service; its history stays.

    Raises:
        NotFound: nothing is deployed under that name.
    """
    return _changed(workspace, Change(name, "retire", why=why))


def _changed(workspace: Workspace, change: Change) -> Deployment:
    deployments.change(workspace.scope, [change])
    return deployments.get(workspace.scope, change.name)


def _fit_for_trial(workspace: Workspace, name: str, model: str, *, unproven: bool) -> Model:
    """A model that answers as the live one does: of its kind, with its classes.

    Raises:
        Unsupported: it does not.
    """
    found = _fit_for_work(workspace, model, unproven=unproven)
    now = deployments.get(workspace.scope, name)
    theirs = packages.of_model(workspace.blobs, found).manifest
    ours = packages.of_model(workspace.blobs, models.get(workspace.scope, now.live)).manifest
    for what in ("kind", "classes", "multi_label"):
        if getattr(theirs, what) != getattr(ours, what):
            raise Unsupported(
                f"{model!r} has {what} {getattr(theirs, what)}, what is live has "
                f"{getattr(ours, what)}.",
                where=name,
                hint="Deploy it under a name of its own.",
            )
    return found


def _fit_for_work(workspace: Workspace, name: str, *, unproven: bool) -> Model:
    model = models.get(workspace.scope, name)
    if model.status != "accepted" and not unproven:
        raise Unsupported(
            f"model {model.id[:12]} of task {model.task!r} is {model.status}, not accepted.",
            hint="Make it until it is accepted; or deploy it knowingly with --unproven.",
        )
    return model
