"""What SIFT found in reference pictures, kept beside the parts: finding it anew takes most of the
time of a changeover."""

import logging
from hashlib import sha256
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as save_arrays

from tenfold.apps.line.part import Alignment
from tenfold.apps.line.reference import FEATURES, Features, Reference
from tenfold.apps.line.values import Pixels
from tenfold.atomic import write_bytes
from tenfold.errors import TenfoldError
from tenfold.values import fingerprint

log = logging.getLogger(__name__)


def reference_of(pixels: Pixels, alignment: Alignment, kept: Path) -> Reference:
    """The reference, with the features of the file `kept` where they are those of this picture
    and alignment; else they are found and kept there.

    Raises:
        DataError: the picture shows too little to be found again.
        Unsupported: OpenCV is not installed.
    """
    seen = sha256(pixels.tobytes()).hexdigest()
    key = fingerprint([seen, pixels.shape, alignment.model_dump(mode="json"), FEATURES])
    features = _features(kept, key)
    made = Reference.of(pixels, alignment, features=features)
    if features is None:
        arrays = {"points": made.features.points, "descriptors": made.features.descriptors}
        try:
            write_bytes(kept, save_arrays(arrays, {"of": key}))
        except TenfoldError as error:  # it is found anew the next time
            log.warning("features of a reference picture are not kept: %s", error)
    return made


def _features(path: Path, key: str) -> Features | None:
    try:
        with safe_open(path, framework="numpy") as file:
            if (file.metadata() or {}).get("of") != key:
                return None
            points, descriptors = file.get_tensor("points"), file.get_tensor("descriptors")
            return Features(np.asarray(points), np.asarray(descriptors))
    except (OSError, SafetensorError):
        return None
