"""What a person means who gives a folder and nothing else."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tenfold import formats
from tenfold.errors import DataError, NotFound, Unsupported
from tenfold.formats import csv_table, elpv, image_folder, mvtec
from tenfold.formats.files import folders_in
from tenfold.formats.pixels import is_picture
from tenfold.formats.row import Row, is_good
from tenfold.values import Kind

FEW_DEFECTS = 20
"""Below so many defective pictures, good ones are learned and defects only serve as proof."""
NAMED = 6
"""Classes that the explanation lists one by one."""


@dataclass(frozen=True, slots=True)
class Guess:
    format: str
    kind: Kind
    good: str | None
    """The label of the good ones; None where no class is good or bad."""
    counts: dict[str, int]
    """Pictures by label, the good one first, then the most frequent."""
    explanation: str
    """What was understood, in plain words."""


def guess(source: Path, *, format_name: str | None = None) -> Guess:
    """The format and the question that a source looks like; `format_name` says it instead.

    Only names are read, no picture.

    Raises:
        NotFound: there is nothing.
        DataError: nothing to learn from; says what would be.
    """
    name = format_name or _format(source)
    entries = list(formats.named(name).read(source))
    rows = [entry for entry in entries if isinstance(entry, Row)]
    if not rows:
        raise _no_pictures(source, len(entries))
    labels = Counter(label for row in rows for label in row.labels)
    if not labels and name == "csv" and any(row.attributes for row in rows):
        said = f"{len(rows):,} pictures (csv), no column `label`. {_choice(rows)}"
        return Guess(name, "classify", None, {}, said)
    if not labels:
        raise DataError(
            f"{len(rows):,} pictures, but none has a label.",
            where=str(source),
            hint=_without_labels(name),
        )
    goods = sorted(label for label in labels if is_good(label))
    good = goods[0] if len(goods) == 1 else None
    counts = dict(sorted(labels.items(), key=lambda item: (item[0] != good, -item[1], item[0])))
    if len(counts) == 1 and good is None:
        raise _one_class(source, *counts.popitem())
    kind = _kind(rows, good)
    return Guess(name, kind, good, counts, _explanation((name, kind), good, counts, rows))


def _format(source: Path) -> str:
    if source == Path(elpv.NAME) and not source.exists():
        return "elpv"
    if not source.exists():
        raise NotFound(f"{source} does not exist.", hint="Check the path.")
    if source.is_file():
        return _format_of_file(source)
    if mvtec.looks_like(source):
        return "mvtec"
    below = [f for f in folders_in(source) if mvtec.looks_like(source / f)]
    if below:
        raise DataError(
            f"holds {len(below)} MVTec trees: {', '.join(below[:NAMED])}.",
            where=str(source),
            hint=f"Give one of them, such as {source / below[0]}.",
        )
    return "csv" if csv_table.looks_like(source) else "image_folder"


def _format_of_file(source: Path) -> str:
    suffix = source.suffix.lower()
    if suffix in (".csv", ".tsv", ".txt"):
        return "csv"
    if suffix in (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"):
        raise Unsupported("an archive is not read.", where=str(source), hint="Unpack it first.")
    raise DataError(
        "expected a folder or a CSV table, got a file.",
        where=str(source),
        hint=f"Give its folder: {source.parent}" if is_picture(source.name) else "Check the path.",
    )


def _kind(rows: list[Row], good: str | None) -> Kind:
    """Anomaly where only good pictures are there to learn from, or too few others."""
    if good is None:
        return "classify"
    bad = [row for row in rows if row.labels and good not in row.labels]
    to_learn = [row for row in bad if row.split in (None, "train")]
    return "classify" if len(to_learn) >= FEW_DEFECTS else "anomaly"


def _explanation(
    said: tuple[str, Kind], good: str | None, counts: dict[str, int], rows: list[Row]
) -> str:
    name, kind = said
    named = [f"{label} {n:,}" for label, n in list(counts.items())[:NAMED]]
    more = f" and {len(counts) - NAMED} more" if len(counts) > NAMED else ""
    words = [f"{len(rows):,} pictures ({name}): {', '.join(named)}{more}."]
    others = sum(n for label, n in counts.items() if label != good)
    if kind == "anomaly" and not others:
        words.append(
            f"Only {good!r}: learns what is normal; how many defects escape stays unproven."
        )
    elif kind == "anomaly":
        words.append(
            f"Learns what is normal from {good!r}; the {others:,} others serve to prove it."
        )
    elif good is not None:
        words.append(f"Tells {good!r} from {', '.join(c for c in counts if c != good)}.")
    elif any(len(row.labels) > 1 for row in rows):
        words.append(f"Says which of {len(counts)} labels a picture has; it may have several.")
    else:
        words.append(f"Tells {len(counts)} classes apart; none is called good.")
    words += _remarks(rows)
    return " ".join(words)


def _remarks(rows: list[Row]) -> list[str]:
    splits = Counter(row.split for row in rows if row.split)
    groups = {row.group for row in rows if row.group}
    unlabelled = sum(not row.labels for row in rows)
    words: list[str] = []
    if splits:
        words.append(f"Comes split: {', '.join(f'{s} {n:,}' for s, n in sorted(splits.items()))}.")
    if groups:
        words.append(f"{len(groups):,} groups stay together.")
    if unlabelled and max(len(row.labels) for row in rows) == 1:
        words.append(f"{unlabelled:,} pictures without a label are not used.")
    return words


def _no_pictures(source: Path, others: int) -> DataError:
    found = f"{others:,} other files" if others else "nothing"
    return DataError(
        f"expected pictures, found {found}.",
        where=str(source),
        hint="Pictures are PNG, JPEG, BMP, TIFF or WebP; one folder for each class.",
    )


def _without_labels(name: str) -> str:
    if name != "csv":
        return "Put the pictures into one folder for each class."
    return "Name the column that holds the answer `label`."


def _choice(rows: list[Row]) -> str:
    columns = sorted({column for row in rows for column in row.attributes})
    return f"A task names the column that answers as `question.label`: {', '.join(columns)}."


def _one_class(source: Path, label: str, count: int) -> DataError:
    return DataError(
        f"all {count:,} pictures are {label!r}: one class leaves nothing to tell apart.",
        where=str(source),
        hint=f"If they are all good, name it {image_folder.GOOD!r}; else add the other class.",
    )
