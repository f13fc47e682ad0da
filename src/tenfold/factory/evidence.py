"""What a verdict rests on, for anyone to recompute: the rows as CSV, the arithmetic as text."""

import csv
import inspect
import io
import shlex
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from tenfold import packages
from tenfold.blobs import Blobs
from tenfold.catalog.models import Model
from tenfold.errors import DataError
from tenfold.factory import recompute
from tenfold.factory import roster as rosters
from tenfold.factory.judge import Bound, Verdict
from tenfold.factory.roster import rows_of
from tenfold.factory.snapshot import items_in
from tenfold.factory.splits import ROLES, Codes
from tenfold.runtime import UNFIT, hits, in_words

COMPRESSION = 1
COLUMNS = ("sample", "path", "split", "group", "label", "decision")


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One sample: what it is, what was said of it and with which scores."""

    sample: str
    path: str
    split: str
    group: str
    """What it stays together with; one sample of a group counts in each bound."""
    label: str
    """Classes that are true, joined by `;`."""
    decision: str
    scores: tuple[float, ...]


def write(rows: Iterable[EvidenceRow], *, score_names: Sequence[str]) -> str:
    """The rows as CSV; scores are written so that they read back bit for bit."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*COLUMNS, *(f"score {name}" for name in score_names)])
    for row in rows:
        plain = [getattr(row, name) for name in COLUMNS]
        table.writerow([*plain, *(repr(float(score)) for score in row.scores)])
    return text.getvalue()


def pack(
    roles: Codes,
    scores: Float32[np.ndarray, "rows scores"],
    unfit: Bool[np.ndarray, " rows"],
) -> bytes:
    """Evidence as it is kept: who it is about stands in the roster, what is decided in the package.

    Rows are those of calibrate, then those of judge.
    """
    arrays = {"roles": roles, "scores": np.ascontiguousarray(scores), "unfit": unfit}
    return zlib.compress(save_arrays(arrays), COMPRESSION)


def of_model(blobs: Blobs, model: Model) -> str:
    """The evidence of a registered model, as CSV.

    Raises:
        NotFound: a blob is gone.
        IntegrityError: its bytes are no longer what was written.
    """
    manifest = packages.of_model(blobs, model).manifest
    roster = rosters.load(blobs.get(model.roster), lambda digest: items_in(blobs.get(digest)))
    arrays = arrays_of(blobs, model)
    rows = rows_of(arrays["roles"], "calibrate", "judge")
    said = hits(manifest, arrays["scores"])
    table = [
        EvidenceRow(
            sample=roster.samples[row],
            path=roster.paths[row],
            split=str(ROLES[arrays["roles"][row]]),
            group=roster.groups[row],
            label=roster.truth[row],
            decision=UNFIT if is_unfit else in_words(manifest, hit),
            scores=tuple(float(score) for score in scores),
        )
        for row, scores, hit, is_unfit in zip(
            rows, arrays["scores"], said, arrays["unfit"], strict=True
        )
    ]
    names = ["anomaly"] if manifest.kind == "anomaly" else roster.classes
    return write(table, score_names=names)


def arrays_of(blobs: Blobs, model: Model) -> dict[str, np.ndarray]:
    """`roles`, `scores` and `unfit`: what `pack` was given."""
    return load_arrays(zlib.decompress(packages.read_stretch(blobs, model.pack, model.evidence)))


def read(text: str) -> list[EvidenceRow]:
    """The rows of a CSV that `write` made.

    Raises:
        DataError: it is none.
    """
    table = csv.DictReader(io.StringIO(text))
    missing = set(COLUMNS) - set(table.fieldnames or ())
    if missing:
        raise DataError(f"evidence has no column {min(missing)!r}.")
    names = [name for name in table.fieldnames or () if name.startswith("score ")]
    try:
        return [
            EvidenceRow(
                *(row[name] for name in COLUMNS), scores=tuple(float(row[name]) for name in names)
            )
            for row in table
        ]
    except (TypeError, ValueError) as error:
        raise DataError(f"evidence line {table.line_num}: {error}.") from error


def arithmetic(verdict: Verdict, *, good: str | None) -> str:
    """How the verdict follows from `evidence.csv`, step by step, with the program that checks it.

    `good` is the class that `escape` and `overkill` are about; None for several classes.
    """
    asked = [bound for bound in verdict.bounds if bound.limit is not None]
    total = f"{1 - verdict.confidence:.6g}"
    return "\n".join(
        [
            f"Verdict: {verdict.status}. {' '.join(verdict.sentences)}",
            "",
            "1. What this look may spend",
            f"   alpha = 1 - confidence = 1 - {verdict.confidence:g} = {total}",
            f"   look number k = {verdict.look}",
            "   alpha_k = alpha * 6 / (pi^2 k^2)",
            f"           = {total} * 6 / (pi^2 * {verdict.look}^2) = {verdict.alpha!r}",
            "",
            "2. What happened on judge (rows of evidence.csv with split = judge)",
            "   Of each group the picture with the smallest sample digest counts.",
            *(f"   {_counted(bound)}" for bound in verdict.bounds),
            "",
            "3. Exact one-sided upper bounds (Clopper and Pearson 1934)",
            "   U is the rate p at which P(Binomial(n, p) <= errors) = alpha_k.",
            *(line for bound in asked for line in _bound_lines(bound, verdict)),
            "",
            "4. The verdict",
            "   refused:   an observed rate is over its limit",
            "   accepted:  every U is at most its limit",
            "   taught:    too few judged samples to get there even without an error",
            "   undecided: anything else",
            f"   Here: {verdict.status}.",
            "",
            "5. Check it without Tenfold",
            "   Save what follows the line of dashes as recompute.py and run",
            f"   {_command(verdict, asked, good)}",
            "",
            "-" * 72,
            inspect.getsource(recompute),
        ]
    )


def _counted(bound: Bound) -> str:
    of = f" samples of {bound.of!r}" if bound.of else " samples"
    pictures = "" if not bound.pictures else " (all pictures: {} of {})".format(*bound.pictures)
    asked = "" if bound.limit is not None else "; not in the bar"
    return f"{bound.name}: {bound.errors} errors among {bound.n}{of}{pictures}{asked}"


def _bound_lines(bound: Bound, verdict: Verdict) -> list[str]:
    sign = "<=" if bound.upper <= (bound.limit or 0) else ">"
    scipy = f"scipy.stats.beta.isf({verdict.alpha!r}, {bound.errors} + 1, {bound.n - bound.errors})"
    how = scipy if bound.errors < bound.n else "1, because nothing went right"
    return [
        f"   {bound.name}: U = {how}",
        f"   {' ' * len(bound.name)}    = {bound.upper!r} {sign} {bound.limit!r}",
    ]


def _command(verdict: Verdict, asked: Sequence[Bound], good: str | None) -> str:
    limits = [f"{bound.name}={bound.limit!r}" for bound in asked]
    words = ["python", "recompute.py", "evidence.csv", "--alpha", repr(verdict.alpha)]
    words += [] if good is None else ["--good", good]
    return shlex.join([*words, "--limit", *limits])
