"""Real questions about real pictures, and fleet files that ask them by the thousand.

    python benchmarks/fleet_tasks.py --models 1000     # what such a fleet would be; nothing is made

A question is a side of pictures against another: one class against the rest, one class against
another, two against the rest; on all pictures of a set or only where an attribute has a value. What
comes to the same two sides of the same pictures is asked once, however it is spelt. An anomaly
question takes one class as good; other classes are what must be noticed. The rest of a fleet are
variants of its questions: how many pictures fit, and the seed. No picture and no label is made up;
where a set keeps names and groups of its classes in a second table, the two are joined.
"""

import argparse
import csv
import hashlib
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice, product, zip_longest
from pathlib import Path
from typing import Any

import tenfold
from common import DATA, publish, watch
from tenfold.catalog import datasets
from tenfold.catalog.datasets import Item
from tenfold.factory.fleet import survey
from tenfold.workspace import Workspace

ANOMALY_SHARE = 0.05
FEWEST_GROUPS = 10
"""Near-duplicates count once; a side with fewer is not asked about."""
FEWEST_OF_A_SIDE = 3
"""Pictures of the rarer side in the smallest fit."""
MOST_JUDGED = 400
"""Of an anomaly question: each is scored patch by patch."""
FIT, JUDGE, JUDGE_BAD = 0.5, 0.3, 0.6
"""Shares of the split; bad pictures of an anomaly task never fit."""
SIZES = {"classify": (20, 30, 40, 60, 100, 150, 200, 250, 300), "anomaly": (20, 30, 40, 60)}
USUAL = 60
"""Smaller fits of a classify head are asked for only where a set has no more."""
MOST_SIZES = 5
LEAST_VARIANTS = {"classify": 3, "anomaly": 1}
RUNG = {"classify": "linear", "anomaly": "subspace"}
BAR = {"escape": 0.2, "overkill": 0.2}

SETS = {
    "steel": "A-neu-det-steel",
    "tiles": "A-magnetic-tile",
    "screws": "B-screws-presence",
    "parking": "D-parking-spots",
    "eyes": "E-mrl-eyes",
    "signs": "F-gtsrb-signs",
    "groceries": "H-grocery-81",
}
WITH_MAPS = ("elpv", "steel", "tiles", "screws", "parking", "eyes")
"""Sets that anomaly questions are asked about."""

# The categories of signs are those of Stallkamp et al. 2012, figure 2.
SIGN_CATEGORIES = {
    "speed-limit": (0, 1, 2, 3, 4, 5, 7, 8),
    "prohibition": (9, 10, 15, 16),
    "end-of": (6, 32, 41, 42),
    "mandatory": (33, 34, 35, 36, 37, 38, 39, 40),
    "danger": (11, *range(18, 32)),
    "other": (12, 13, 14, 17),
}
AISLES = {"fruit": range(19), "packages": range(19, 28), "vegetables": range(28, 43)}
"""Coarse classes of each: the three folders of the set as its authors publish it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A pattern of questions about one set."""

    dataset: str
    ways: tuple[str, ...] = ("each",)
    """`each` class against the rest, `twos` of them against the rest, `pairs` of classes, and
    `backs`: pairs with good and bad exchanged."""
    label: str | None = None
    within: tuple[tuple[str, ...], ...] = ((),)
    """Only where these attributes have one value each; every combination of values is asked."""


EYES = ("gender_female", "glasses", "reflections", "good_light", "sensor")
PLACES = ("top_left", "top_right", "bottom_left", "bottom_right")

CLASSIFY = (
    Asked("steel", ("each", "pairs", "twos")),
    Asked("tiles", ("each", "pairs", "twos")),
    Asked("signs", within=((), ("category",))),
    Asked("signs", ("pairs",), within=(("category",),)),
    Asked("signs", ("each", "pairs"), label="category"),
    Asked("groceries", within=((), ("aisle",), ("coarse",))),
    Asked("groceries", label="coarse", within=((), ("aisle",))),
    Asked("groceries", ("each", "pairs"), label="aisle"),
    Asked("eyes", label="state", within=((), ("subject",), *combinations(EYES, 1))),
    Asked("eyes", label="state", within=tuple(combinations(EYES, 2))),
    *(Asked("eyes", label=name, within=((), ("state",))) for name in EYES),
    *(Asked("screws", label=one, within=((), *((p,) for p in PLACES))) for one in PLACES),
    Asked("screws", label="missing"),
    Asked("parking"),
    Asked("elpv", within=((), ("cell",))),
    Asked("elpv", ("each", "pairs"), label="probability", within=((), ("cell",))),
    Asked("elpv", label="cell", within=((), ("probability",))),
)
ANOMALY = (
    Asked("steel", ("pairs", "backs")),
    Asked("tiles", ("each", "pairs", "backs")),
    Asked("parking"),
    Asked("eyes", label="state", within=((), *combinations(EYES, 1), *combinations(EYES, 2))),
    Asked("screws", label="missing"),
    *(Asked("screws", label=one) for one in PLACES),
    Asked("elpv", within=((), ("cell",))),
    Asked("elpv", ("pairs",), label="probability", within=((), ("cell",))),
)


@dataclass(frozen=True, slots=True)
class Question:
    kind: str
    dataset: str
    asked: dict[str, Any]
    """As a task file writes it."""
    fitting: int
    """Pictures that may fit."""
    rarest: int
    """Pictures of the rarer side."""
    sides: tuple[frozenset[str], frozenset[str]] = field(repr=False)
    """Good and bad pictures."""

    @property
    def slug(self) -> str:
        where = [f"{name}={value}" for name, value in self.asked.get("where", {}).items()]
        ends = ("positive", "negative") if self.kind == "classify" else ("negative", "positive")
        names = ["+".join(self.asked[end]) for end in ends if end in self.asked]
        words = [self.asked.get("label", ""), "-vs-".join(names), *where]
        return re.sub(r"[^A-Za-z0-9]+", "-", " ".join(words)).strip("-")[:60].strip("-").lower()

    @property
    def sizes(self) -> list[int | None]:
        """How many may fit, so that no two sizes come to the same; None: all that are there."""
        total = sum(map(len, self.sides))
        least = 0.0
        if self.kind == "classify":
            least = FEWEST_OF_A_SIDE * total / self.rarest
        fits = [size for size in SIZES[self.kind] if least <= size <= 0.8 * self.fitting]
        usual = [size for size in fits if size >= USUAL] if self.kind == "classify" else fits
        chosen: list[int | None] = [*(usual or fits)[:MOST_SIZES]]
        return chosen + ([None] if not chosen or self.fitting < USUAL else [])

    def variants(self) -> Iterator[dict[str, Any]]:
        """What differs between tasks of this question: all sizes of one seed, then the next's."""
        for seed in range(10_000):
            for size in self.sizes:
                split = {} if size is None else {"split": {"most_fit": size}}
                yield {"name": f"n{size or self.fitting}-s{seed}", "seed": seed, **split}


def ingest_sets(workspace: Workspace, folder: Path) -> None:
    """Every set in the catalog; tables that have to be joined first are written to `folder`."""
    tenfold.ingest(workspace, "elpv", name="elpv", format="elpv")
    for name, source in SETS.items():
        table = _table(name, DATA / source, folder)
        tenfold.ingest(workspace, table, name=name, format="csv", progress=watch(name))


def embed_sets(workspace: Workspace) -> int:
    """Every picture past the trunk, for the first rungs; returns how many there are."""
    images = 0
    for name in ("elpv", *SETS):
        kinds = ["classify", "anomaly"] if name in WITH_MAPS else ["classify"]
        tenfold.embed(workspace, name, kinds=kinds, progress=watch(name))
        images += len(datasets.items_of(workspace.scope, name))
    return images


def questions(workspace: Workspace, kind: str) -> list[Question]:
    """Every question that the sets can answer, in an order that never changes: any stretch of it
    holds the same mix of sets and of how many pictures are asked about."""
    found: dict[Any, Question] = {}
    held: dict[str, list[Item]] = {}
    for asked in CLASSIFY if kind == "classify" else ANOMALY:
        if asked.dataset not in held:
            held[asked.dataset] = datasets.items_of(workspace.scope, asked.dataset)
        for one in _of(kind, asked, held[asked.dataset]):
            key = frozenset(one.sides) if kind == "classify" else one.sides
            found.setdefault(key, one)
    return _spread(found.values())


def tasks(asked: Sequence[Question], count: int) -> list[dict[str, Any]]:
    """`count` tasks: question after question, all variants of one together."""
    if not count:
        return []
    each = max(LEAST_VARIANTS[asked[0].kind], -(-count // len(asked)))
    drawn = ((n, q, v) for n, q in enumerate(asked) for v in islice(q.variants(), each))
    return [_task(n, question, variant) for n, question, variant in islice(drawn, count)]


def mixed(linear: Sequence[dict[str, Any]], anomaly: Sequence[dict[str, Any]]) -> list[Any]:
    """Both kinds in one list, the rarer spread evenly."""
    step = max(1, len(linear) // max(1, len(anomaly)))
    packs = [linear[start : start + step] for start in range(0, len(linear), step)]
    together: list[Any] = []
    for pack, one in zip_longest(packs, anomaly):
        together += [*(pack or ()), *([one] if one else [])]
    return together


def write_fleet(path: Path, name: str, listed: Iterable[dict[str, Any]]) -> Path:
    """A fleet file with one line for each task; what repeats is written once, as an anchor."""
    known: dict[str, str] = {}
    with path.open("w", encoding="utf-8") as file:
        file.write(f"fleet: {name}\ntasks:\n")
        for task in listed:
            cells = [f"{key}: {_cell(key, value, known)}" for key, value in task.items()]
            file.write(f"- {{{', '.join(cells)}}}\n")
    return path


def shares(models: int) -> tuple[int, int]:
    """Linear and anomaly models of a fleet of so many."""
    anomaly = round(models * ANOMALY_SHARE)
    return models - anomaly, anomaly


def write_fleets(workspace: Workspace, folder: Path, models: int) -> dict[str, Path]:
    """`linear.yaml` and `anomaly.yaml`, of `models` tasks together."""
    written: dict[str, Path] = {}
    for name, kind, count in zip(
        ("linear", "anomaly"), ("classify", "anomaly"), shares(models), strict=True
    ):
        listed = tasks(questions(workspace, kind), count)
        written[name] = write_fleet(folder / f"{name}.yaml", f"bench-{name}", listed)
    return written


def _cell(key: str, value: Any, known: dict[str, str]) -> str:
    text = json.dumps(value)
    if key not in ("question", "bar"):
        return text
    if text in known:
        return f"*{known[text]}"
    known[text] = f"{key[0]}{len(known)}"
    return f"&{known[text]} {text}"


def _task(number: int, question: Question, variant: dict[str, Any]) -> dict[str, Any]:
    name = f"{question.dataset}-{question.kind[0]}{number:03d}-{question.slug}-{variant['name']}"
    rest = {key: value for key, value in variant.items() if key != "name"}
    kind = {"kind": "anomaly"} if question.kind == "anomaly" else {}
    return {
        "task": name,
        **kind,
        "dataset": question.dataset,
        "question": question.asked,
        "bar": BAR,
        "rung": RUNG[question.kind],
        **rest,
    }


def _spread(found: Iterable[Question]) -> list[Question]:
    strata: dict[tuple[str, int], list[Question]] = {}
    for question in sorted(found, key=lambda one: _draw(one.dataset, one.asked)):
        size = sum(map(len, question.sides)).bit_length()
        strata.setdefault((question.dataset, size), []).append(question)
    placed = [
        ((rank + _draw(*stratum)) / len(members), question.slug, question)
        for stratum, members in strata.items()
        for rank, question in enumerate(members)
    ]
    return [question for _, _, question in sorted(placed, key=lambda one: one[:2])]


def _draw(*what: Any) -> float:
    """A number from 0 to 1 that looks random and is always the same."""
    return int(hashlib.sha256(json.dumps(what).encode()).hexdigest()[:12], 16) / 16**12


def _of(kind: str, asked: Asked, items: Sequence[Item]) -> Iterator[Question]:
    for names in asked.within:
        if asked.label in names:
            continue
        values = [sorted({i.attributes[n] for i in items if n in i.attributes}) for n in names]
        for chosen in product(*values):
            where = dict(zip(names, chosen, strict=True))
            some = [i for i in items if where.items() <= i.attributes.items()]
            by_label = _by_label(asked.label, some)
            base = {"label": asked.label} if asked.label else {}
            for good, bad in _sides(kind, asked.ways, sorted(by_label)):
                one = _question(kind, asked.dataset, by_label, (good, bad))
                if one:
                    spelt = one.asked | base | ({"where": where} if where else {})
                    yield Question(kind, one.dataset, spelt, one.fitting, one.rarest, one.sides)


def _sides(
    kind: str, ways: Sequence[str], names: Sequence[str]
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Good and bad labels; an empty side is the rest."""
    for way in ways:
        if way in ("pairs", "backs"):
            turned = names if way == "pairs" else names[::-1]
            yield from (((a,), (b,)) for a, b in combinations(turned, 2))
        else:
            some = [(n,) for n in names] if way == "each" else combinations(names, 2)
            yield from ((one, ()) if kind == "anomaly" else ((), one) for one in some)


def _question(
    kind: str,
    dataset: str,
    by_label: dict[str, list[Item]],
    named: tuple[tuple[str, ...], tuple[str, ...]],
) -> Question | None:
    """The question if both sides are there in numbers that can be split, fitted and judged."""
    good, bad = named
    rest = [name for name in by_label if name not in good + bad]
    sides = [[item for name in side or rest for item in by_label[name]] for side in (good, bad)]
    goods, bads = len(sides[0]), len(sides[1])
    if min(map(_groups, sides)) < FEWEST_GROUPS:
        return None
    judged = JUDGE * goods + JUDGE_BAD * bads
    fitting = round(FIT * (goods if kind == "anomaly" else goods + bads))
    if kind == "anomaly" and (judged > MOST_JUDGED or fitting < SIZES["anomaly"][0]):
        return None
    asked = {"negative": list(good)} if good else {}
    asked |= {"positive": list(bad)} if bad else {}
    ids = tuple(frozenset(item.sha256 for item in side) for side in sides)
    return Question(kind, dataset, asked, fitting, min(goods, bads), (ids[0], ids[1]))


def _groups(items: Sequence[Item]) -> int:
    return len({item.lot or item.near or item.sha256 for item in items})


def _by_label(label: str | None, items: Sequence[Item]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in items:
        names = item.labels if label is None else (item.attributes.get(label),)
        for name in names:
            if name is not None:
                found.setdefault(name, []).append(item)
    return found


def _table(name: str, source: Path, folder: Path) -> Path:
    """The set's own table, or one that joins it with the names and groups of its classes."""
    if name not in ("signs", "groceries"):
        return source / "labels.csv"
    classes = {row["class"]: row for row in _rows(source / "classes.csv")}
    joined = _signs if name == "signs" else _groceries
    lines = [
        {"path": str(source / row["file"]), **joined(row, classes[row["class"]])}
        for row in _rows(source / "labels.csv")
    ]
    table = folder / f"{name}.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    return table


def _signs(row: dict[str, str], known: dict[str, str]) -> dict[str, str]:
    """Pictures of one track show the same sign on one drive: they are a group."""
    number = int(row["class"])
    category = next(name for name, numbers in SIGN_CATEGORIES.items() if number in numbers)
    track = f"{number}-{row['track']}" if row["track"] else ""
    return {"label": known["name"], "group": track, "category": category}


def _groceries(row: dict[str, str], known: dict[str, str]) -> dict[str, str]:
    number = int(row["coarse_class"])
    aisle = next(name for name, numbers in AISLES.items() if number in numbers)
    return {"label": known["name"], "coarse": known["coarse_name"], "aisle": aisle}


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--models", type=int, default=1000)
    options.add_argument("--home", type=Path, help="a workspace that holds the sets already")
    chosen = options.parse_args()
    if not DATA.is_dir():
        sys.exit(f"the labelled sets are not here: {DATA}")
    with tempfile.TemporaryDirectory() as name, tenfold.opened(chosen.home or name) as workspace:
        folder = Path(name)
        if not datasets.everything(workspace.scope):
            ingest_sets(workspace, folder)
        files = write_fleets(workspace, folder, chosen.models)
        publish({name: _surveyed(workspace, path) for name, path in files.items()})


def _surveyed(workspace: Workspace, path: Path) -> dict[str, Any]:
    found = survey(workspace, str(path))
    kind = "classify" if path.stem == "linear" else "anomaly"
    known = questions(workspace, kind)
    return {
        "tasks": found.tasks,
        "questions": found.questions,
        "variants": found.variants,
        "impossible": [list(one) for one in found.impossible[:20]],
        "pictures": found.datasets,
        "questions_known": len(known),
        "questions_of_set": dict(Counter(question.dataset for question in known)),
        "sizes": dict(Counter(str(size) for question in known for size in question.sizes)),
    }


if __name__ == "__main__":
    main()
