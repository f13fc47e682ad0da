"""How datasets lie on disk: one file per format, `read` and `write` side by side."""

from importlib import import_module
from typing import cast

from tenfold.errors import NotFound
from tenfold.formats.row import Format

FORMATS = {
    "csv": "tenfold.formats.csv_table",
    "elpv": "tenfold.formats.elpv",
    "image_folder": "tenfold.formats.image_folder",
    "mvtec": "tenfold.formats.mvtec",
}


def named(name: str) -> Format:
    """The format of that name.

    Raises:
        NotFound: there is none.
    """
    if name not in FORMATS:
        raise NotFound(f"no format {name!r}.", hint=f"There are: {', '.join(sorted(FORMATS))}.")
    return cast(Format, import_module(FORMATS[name]))
