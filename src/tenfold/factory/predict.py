"""Ask a registered model, or a `.tenfold` file, about picture files."""

import csv
import glob
import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tenfold import packages
from tenfold.atomic import write_bytes
from tenfold.catalog import models
from tenfold.errors import DataError, NotFound
from tenfold.factory.reporting import overlay_of
from tenfold.factory.stock import runtime_of
from tenfold.formats.files import pictures_below
from tenfold.formats.pixels import decode
from tenfold.packages import Package
from tenfold.runtime import UNFIT, Answer, LoadedHead, Runtime
from tenfold.values import Progress
from tenfold.workspace import Workspace

ERROR = "error"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the answer, in the order the files were given."""

    path: str
    answer: str
    """The decision, `unfit`, or `error`."""
    score: float | None
    """Good or bad: how bad; otherwise how sure. None for an error."""
    scores: dict[str, float]
    note: str
    """Why a picture is unfit or a file could not be read."""
    overlay: str = ""


def predict_paths(
    workspace: Workspace,
    model: str,
    paths: Sequence[str],
    *,
    overlays: Path | None = None,
    progress: Progress | None = None,
) -> Iterator[Row]:
    """Answers in the order of `paths`; folders and globs are taken apart in name order.

    Raises:
        NotFound: the model, its trunk, or every path is missing.
    """
    package = package_of(workspace, model)
    loaded = LoadedHead.of(package)
    runtime = runtime_of(workspace)
    files = list(expand(paths))
    if not any(not reason for _, reason in files):
        raise NotFound(f"nothing to look at: {'; '.join(f'{p}: {why}' for p, why in files[:3])}")
    for done, (path, reason) in enumerate(files):
        if progress:
            progress("predict", done, len(files))
        if reason:
            yield Row(path, ERROR, None, {}, reason)
        else:
            yield _row(workspace, runtime, loaded, path, overlays)
    if progress:
        progress("predict", len(files), len(files))


def package_of(workspace: Workspace, model: str) -> Package:
    """The package of a model by name, id or `.tenfold` file."""
    if model.endswith(".tenfold"):
        return packages.read_file(Path(model).expanduser())[0]
    found = models.get(workspace.scope, model)
    return packages.of_model(workspace.blobs, found)


def expand(paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Every file that `paths` mean, and why it is none that can be read; empty if it may be."""
    for path in (os.path.expanduser(p) for p in paths):
        if os.path.isdir(path):
            for found in pictures_below(Path(path)):
                inside, reason = (
                    (found, "") if isinstance(found, str) else (found.path, found.detail)
                )
                yield os.path.join(path, inside), reason
        elif os.path.isfile(path):
            yield path, ""
        elif os.path.lexists(path):
            yield path, "neither a file nor a folder, or a link that leads nowhere."
        elif matches := sorted(glob.glob(path, recursive=True)):
            yield from expand(matches)
        else:
            yield path, "nothing is there."


def as_csv(rows: Sequence[Row]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row.scores))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "answer", "score", *names, "note"])
    for row in rows:
        numbers = [row.scores.get(name, "") for name in names]
        score = "" if row.score is None else row.score
        writer.writerow([row.path, row.answer, score, *numbers, row.note])
    return text.getvalue()


def _row(
    workspace: Workspace, runtime: Runtime, loaded: LoadedHead, path: str, overlays: Path | None
) -> Row:
    try:
        data = Path(path).read_bytes()
        limit = int(workspace.settings.max_megapixels * 1e6)
        pixels = decode(data, where=path, max_pixels=limit)
    except OSError as error:
        return Row(path, ERROR, None, {}, f"the file cannot be read ({error.strerror}).")
    except DataError as error:
        return Row(path, ERROR, None, {}, str(error.args[0]))
    answer = runtime.answer(loaded, pixels)
    written = ""
    if overlays is not None and answer.score_map is not None:
        picture = overlay_of(runtime, loaded, pixels)
        short = hashlib.sha256(path.encode()).hexdigest()[:8]  # two folders may hold one name
        written = str(overlays / f"{Path(path).stem[:80]}-{short}.png")
        write_bytes(Path(written), picture)
    return _answered(path, loaded, answer, written)


def _answered(path: str, loaded: LoadedHead, answer: Answer, written: str) -> Row:
    names = ("anomaly",) if len(answer.scores) == 1 else loaded.manifest.classes
    scores = dict(zip(names, answer.scores, strict=True))
    note = f"unfit to judge: {answer.unfit}" if answer.decision == UNFIT else ""
    return Row(path, answer.decision or "none", answer.score, scores, note, written)
