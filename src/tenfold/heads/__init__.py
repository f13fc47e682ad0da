"""Heads: the small fitted parts. One file per method; this table says which exist."""

import sys
from importlib import import_module
from typing import Any

from tenfold.errors import SpecError, Unsupported

HEADS = {
    "anomaly_blend": "tenfold.heads.anomaly_blend:Blend",
    "anomaly_gaussian": "tenfold.heads.anomaly_gaussian:PositionGaussian",
    "anomaly_memory": "tenfold.heads.anomaly_memory:NearestMemory",
    "anomaly_subspace": "tenfold.heads.anomaly_subspace:NormalSubspace",
    "classify_fourier": "tenfold.heads.classify_fourier:FourierMachine",
    "classify_linear": "tenfold.heads.classify_linear:LinearProbe",
}


def recipe(name: str, **parameters: Any) -> Any:
    """The recipe called `name` with `parameters`; its `fit` makes the head.

    Raises:
        Unsupported: no head goes by that name.
        SpecError: the recipe has no such parameter, or the value is out of range.
    """
    kind = recipe_class(name)
    try:
        return kind(**parameters)
    except TypeError as error:
        known = ", ".join(kind.__dataclass_fields__)
        raise SpecError(str(error), where=name, hint=f"Known parameters: {known}.") from error


def recipe_class(name: str) -> Any:
    """The class behind `name`, imported now."""
    if name not in HEADS:
        raise Unsupported(
            f"no head is called {name!r}.", hint=f"Known heads: {', '.join(sorted(HEADS))}."
        )
    module, _, attribute = HEADS[name].partition(":")
    return getattr(import_module(module), attribute)


def fitted(name: str, arrays: dict[str, Any]) -> Any:
    """The fitted head that `arrays` hold, of the class that the recipe's `fit` returns, with what
    misses taught it."""
    kind = recipe_class(name)
    made = kind.fit.__annotations__["return"]
    scorer = getattr(sys.modules[kind.__module__], made) if isinstance(made, str) else made
    if "taught.layout" not in arrays:
        return scorer.from_arrays(arrays)
    taught = import_module("tenfold.heads.taught")
    own = {key: array for key, array in arrays.items() if not key.startswith(taught.PREFIX)}
    return taught.TaughtScorer(scorer.from_arrays(own), taught.Lessons.from_arrays(arrays))
