"""Which package answers a request: pure, so that a replay of the log decides the same."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from tenfold.catalog.deployments import Deployment, HeadRef
from tenfold.errors import Conflict, IntegrityError, NotFound

Role = Literal["live", "canary", "shadow", "pinned"]
FEWEST_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Routes:
    """What is deployed at one generation; a request sees one of these from its start to its end."""

    generation: int = 0
    deployments: Mapping[str, Deployment] = field(default_factory=lambda: MappingProxyType({}))
    heads: Mapping[str, HeadRef] = field(default_factory=lambda: MappingProxyType({}))
    """By model."""

    def updated(self, changed: Iterable[Deployment], heads: Iterable[HeadRef]) -> "Routes":
        """With what changed since; retired ones go."""
        deployments = dict(self.deployments)
        generation = self.generation
        for one in changed:
            generation = max(generation, one.generation)
            deployments.pop(one.name, None)
            if one.state == "live":
                deployments[one.name] = one
        known = {**self.heads, **{head.model: head for head in heads}}
        used = {model for one in deployments.values() for model in one.models}
        known = {model: head for model, head in known.items() if model in used}
        return Routes(generation, MappingProxyType(deployments), MappingProxyType(known))

    def deployment(self, name: str) -> Deployment:
        """What is deployed as `name`.

        Raises:
            NotFound: nothing is.
        """
        found = self.deployments.get(name)
        if found is None:
            raise NotFound(
                f"nothing is deployed as {name!r}.",
                hint="POST /v2/repository/index lists what is.",
            )
        return found

    def head(self, model: str) -> HeadRef:
        """Where a model's head lies.

        Raises:
            IntegrityError: the catalog names it and does not have it.
        """
        found = self.heads.get(model)
        if found is None:
            raise IntegrityError(
                f"model {model[:12]} is deployed and not in the catalog.",
                hint="Deploy another one in its place.",
            )
        return found


@dataclass(frozen=True, slots=True)
class Chosen:
    role: Role
    head: HeadRef


def answering(routes: Routes, deployment: Deployment, route_key: str, version: str = "") -> Chosen:
    """The head that answers; one route key always meets the same one.

    A version is a model's id or the beginning of it, and pins a package of the deployment.

    Raises:
        NotFound: the deployment has no such version.
        Conflict: several begin so.
    """
    if version:
        return Chosen("pinned", routes.head(_pinned(deployment, version)))
    if deployment.canary and position(deployment.salt, route_key) < deployment.canary_share:
        return Chosen("canary", routes.head(deployment.canary))
    return Chosen("live", routes.head(deployment.live))


def shadow_of(routes: Routes, deployment: Deployment) -> Chosen | None:
    """The head that is asked too, and whose answer nobody gets."""
    return Chosen("shadow", routes.head(deployment.shadow)) if deployment.shadow else None


def position(salt: str, route_key: str) -> float:
    """Where a key falls in [0, 1), evenly over keys, anew for every salt."""
    digest = hashlib.sha256(f"{salt}\0{route_key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _pinned(deployment: Deployment, version: str) -> str:
    begun = [model for model in deployment.models if model.startswith(version)]
    if not begun or len(version) < FEWEST_DIGITS:
        raise NotFound(
            f"{deployment.name!r} has no version {version!r}.",
            hint=f"There are {', '.join(model[:12] for model in deployment.models)}.",
        )
    if len(set(begun)) > 1:
        raise Conflict(f"several versions begin with {version!r}.", hint="Give more digits.")
    return begun[0]
