"""Remove a dataset or model with what hangs on it; first say what that is."""

from dataclasses import dataclass

from tenfold.catalog import datasets, deployments, models
from tenfold.errors import Conflict, NotFound
from tenfold.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Hanging:
    """What goes when `name` goes."""

    name: str
    dataset: bool
    samples: int
    models: tuple[str, ...]
    tasks: tuple[str, ...]

    def in_words(self) -> str:
        made = f"{len(self.models)} model(s)" + (
            f" of {', '.join(self.tasks)}" if self.tasks else ""
        )
        if not self.dataset:
            return f"Model {self.name!r}: {made}, with evidence and report entry."
        return (
            f"Dataset {self.name!r}: {self.samples:,} samples with their pictures and features, "
            f"and {made}. Pictures that other datasets use stay."
        )


def what_hangs_on(workspace: Workspace, name: str) -> Hanging:
    """A dataset of that name, else a model.

    Raises:
        NotFound: neither is there.
    """
    scope = workspace.scope
    known = {d.name: d for d in datasets.everything(scope)}
    if name in known:
        made = models.everything(scope, dataset=name)
        samples = known[name].size
    else:
        try:
            made = [models.get(scope, name)]
        except NotFound as error:
            raise NotFound(
                f"no dataset or model {name!r}.", hint="`tenfold ls` lists what is there."
            ) from error
        samples = 0
    return Hanging(
        name=name,
        dataset=name in known,
        samples=samples,
        models=tuple(model.id for model in made),
        tasks=tuple(sorted({model.task for model in made})),
    )


def forget(workspace: Workspace, hanging: Hanging) -> None:
    """Remove it. Rows go first, then bytes: a crash between leaves nothing that can be seen.

    Raises:
        Conflict: one of its models is at work, or could be rolled back to.
    """
    scope = workspace.scope
    used = deployments.using(scope, hanging.models)
    if used:
        raise Conflict(
            f"{', '.join(used[:3])}{' and others' if used[3:] else ''} would lose its model.",
            where=hanging.name,
            hint="`tenfold retire NAME` first, or deploy another model there twice.",
        )
    for digest in models.drop(scope, hanging.models):
        workspace.blobs.delete(digest)
    if hanging.dataset:
        gone = datasets.drop(scope, hanging.name)
        for digest in gone:
            workspace.blobs.delete(digest)
        workspace.features.drop(gone)
