"""Where work is done: processes of this machine, or a Ray cluster; one call for both."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, TypeVar

from tenfold.errors import TenfoldError, Unsupported

ENGINES = {
    "local": "tenfold.engine.local:LocalEngine",
    "ray": "tenfold.engine.ray_cluster:RayEngine",
}
"""Name → class; imported on use. Each is made with `(start, address=…)`, see `opened`."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Resources:
    """What one item needs while it is worked on."""

    cores: int = 1
    memory_mb: int = 0
    """0: not counted."""


ONE_CORE = Resources()


@dataclass(frozen=True, slots=True)
class Failed:
    """What became of an item whose function raised, or whose worker was lost each time."""

    item: str
    error: TenfoldError


class Engine(Protocol):
    """Runs a function over items on several workers."""

    @property
    def workers(self) -> int:
        """Items of one core that run at once."""
        ...

    def map(
        self,
        fn: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        resources: Resources = ONE_CORE,
    ) -> Generator[Result | Failed]:
        """Results in the order of `items`, as they come; a failure takes the place of its result.

        `fn` is a top-level function and each item a frozen value that names itself by `str()`.
        `items` is read only a few ahead of what is worked on. A lost worker costs only its item,
        which is tried once more. Closing the generator stops what is under way.
        """
        ...

    def close(self) -> None: ...


def opened(name: str, **options: Any) -> Engine:
    """The engine of that name.

    Raises:
        Unsupported: there is none, or its extra is not installed.
    """
    if name not in ENGINES:
        raise Unsupported(
            f"no engine is called {name!r}.", hint=f"There are: {', '.join(sorted(ENGINES))}."
        )
    module, _, attribute = ENGINES[name].partition(":")
    return getattr(import_module(module), attribute)(**options)
