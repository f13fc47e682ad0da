"""Part, serial and lot from a code in the picture, by zxing-cpp."""

import re
from typing import Any

import numpy as np
from jaxtyping import UInt8

from tenfold.apps.line.station import Identity
from tenfold.errors import Unsupported

try:
    import zxingcpp
except ImportError as error:
    raise Unsupported(
        "reading codes needs the extra `line`.", hint="pip install 'tenfold[line]'"
    ) from error


def read_codes(
    pixels: UInt8[np.ndarray, "height width 3"], formats: tuple[str, ...]
) -> tuple[str, ...]:
    """Texts of the codes of these formats, as they are found."""
    kinds: Any = [getattr(zxingcpp.BarcodeFormat, name) for name in formats]
    pixels = np.ascontiguousarray(pixels)
    return tuple(one.text for one in zxingcpp.read_barcodes(pixels, formats=kinds) if one.valid)


def identify(
    pixels: UInt8[np.ndarray, "height width 3"], identity: Identity
) -> dict[str, str] | None:
    """`part`, `serial` and `lot`, as far as the code names them.

    None: no code fits, or several that differ; who the part is then is unknown.
    """
    found = [re.fullmatch(identity.pattern, text) for text in read_codes(pixels, identity.formats)]
    told = [{k: v for k, v in hit.groupdict().items() if v is not None} for hit in found if hit]
    return told[0] if told and all(one == told[0] for one in told) else None
