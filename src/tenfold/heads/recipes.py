"""A recipe as an array, so that a fitted head is arrays and nothing else."""

import json
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np
from jaxtyping import UInt8

from tenfold.errors import IntegrityError

Recipe = TypeVar("Recipe")


def recipe_array(recipe: Any) -> UInt8[np.ndarray, " bytes"]:
    """The recipe's fields as JSON bytes."""
    return np.frombuffer(json.dumps(asdict(recipe)).encode(), np.uint8).copy()


def recipe_from(kind: type[Recipe], array: np.ndarray) -> Recipe:
    """The recipe that `recipe_array` wrote.

    Raises:
        IntegrityError: the bytes are no such recipe.
    """
    try:
        fields = json.loads(np.asarray(array, np.uint8).tobytes())
        return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})
    except (ValueError, TypeError, AttributeError) as error:
        raise IntegrityError(f"expected a {kind.__name__} recipe ({error}).") from error
