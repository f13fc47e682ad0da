"""OpenCV, which only the line app needs."""

from importlib import import_module
from typing import Any

from tenfold.errors import Unsupported


def opencv() -> Any:
    """The module `cv2`.

    Raises:
        Unsupported: it is not installed.
    """
    try:
        return import_module("cv2")
    except ImportError as error:
        raise Unsupported(
            "aligning parts needs OpenCV, which is not installed.",
            hint="pip install 'tenfold[line]'",
        ) from error
