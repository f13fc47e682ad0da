"""What `tenfold show` tells of a dataset or a model."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from tenfold import packages
from tenfold.catalog import datasets, models
from tenfold.catalog.datasets import SetAside
from tenfold.catalog.models import Model
from tenfold.errors import NotFound
from tenfold.factory.judge import Verdict
from tenfold.workspace import Workspace

Sections = list[tuple[str, list[tuple[str, str]]]]


@dataclass(frozen=True, slots=True)
class DescribedDataset:
    dataset: datasets.Dataset
    labels: dict[str, int]
    attributes: dict[str, dict[str, int]]
    splits: dict[str, int]
    lots: int
    near_groups: dict[str, list[str]]
    set_aside: list[SetAside]

    def sections(self) -> Sections:
        d = self.dataset
        facts = [
            ("source", f"{d.source} ({d.format})"),
            ("understood", d.understood),
            ("samples", f"{d.size:,}"),
            ("labels", _counts(self.labels)),
            *[(f"attribute {name}", _counts(found)) for name, found in self.attributes.items()],
            ("splits", _counts(self.splits) or "none"),
            ("groups (lots)", f"{self.lots:,}" if self.lots else "none: proofs are image-level"),
            ("near-duplicate groups", f"{len(self.near_groups):,}"),
            ("set aside", f"{len(self.set_aside):,}"),
        ]
        parts: Sections = [(f"Dataset {d.name}", facts)]
        if self.near_groups:
            groups = [(first, ", ".join(rest)) for first, *rest in self.near_groups.values()]
            parts.append(("Near-duplicates", groups))
        if self.set_aside:
            rows = [(s.path, f"{s.reason}: {s.detail}") for s in self.set_aside]
            parts.append(("Set aside", rows))
        return parts


@dataclass(frozen=True, slots=True)
class DescribedModel:
    model: Model
    manifest: dict[str, Any]
    head_bytes: int
    rungs: list[dict[str, Any]]
    looks: int
    """At the question, by all models."""
    relatives: int
    """Other models of the question."""

    def sections(self) -> Sections:
        verdict = Verdict.from_json(self.model.verdict)
        facts = [
            ("id", self.model.id),
            ("verdict", f"{verdict.status}, look {verdict.look} at {verdict.alpha:.4f} alpha"),
            *[("", sentence) for sentence in verdict.sentences],
            *[("next", step) for step in verdict.next_steps],
            ("classes", ", ".join(self.manifest["classes"])),
            ("thresholds", ", ".join(f"{t:.6g}" for t in self.manifest["thresholds"]) or "none"),
            ("dataset", f"{self.model.dataset}, snapshot {self.model.snapshot[:12]}"),
            ("question", f"looked at {self.looks:,} times, by {self.relatives:,} other models too"),
            ("rung", f"{self.model.rung} ({self.manifest['head']['name']})"),
            (
                "trunk",
                ", ".join(f"{i['trunk']} {i['size_px']} px" for i in self.manifest["inputs"]),
            ),
            ("runs on", f"{self.manifest['runtime']}, {self.manifest['precision']}"),
            ("head", f"{self.head_bytes:,} bytes"),
            ("seconds", ", ".join(f"{k} {v:.2f}" for k, v in self.model.seconds.items())),
        ]
        tried = [
            (r["name"], f"{r['outcome']}, estimate {_number(r['estimate'])}, {r['seconds']:.1f} s")
            for r in self.rungs
        ]
        parts: Sections = [(f"Model of task {self.model.task}", facts)]
        return parts + ([("Ladder", tried)] if tried else [])


def describe(workspace: Workspace, name: str) -> DescribedDataset | DescribedModel:
    """A dataset of that name, else a model.

    Raises:
        NotFound: neither is there.
    """
    if any(d.name == name for d in datasets.everything(workspace.scope)):
        return _dataset(workspace, name)
    try:
        return _model(workspace, models.get(workspace.scope, name))
    except NotFound as error:
        raise NotFound(
            f"no dataset or model {name!r}.", hint="`tenfold ls` lists what is there."
        ) from error


def _dataset(workspace: Workspace, name: str) -> DescribedDataset:
    items = datasets.items_of(workspace.scope, name)
    attributes: dict[str, Counter[str]] = {}
    groups: dict[str, list[str]] = {}
    for item in items:
        for key, value in item.attributes.items():
            attributes.setdefault(key, Counter())[value] += 1
        if item.near:
            groups.setdefault(item.near, []).append(item.path)
    return DescribedDataset(
        dataset=datasets.get(workspace.scope, name),
        labels=dict(Counter(label for item in items for label in item.labels).most_common()),
        attributes={key: dict(found.most_common(12)) for key, found in attributes.items()},
        splits=dict(Counter(item.split for item in items if item.split)),
        lots=len({item.lot for item in items if item.lot}),
        near_groups=groups,
        set_aside=datasets.set_aside_of(workspace.scope, name),
    )


def _model(workspace: Workspace, model: Model) -> DescribedModel:
    package = packages.of_model(workspace.blobs, model)
    make = models.make_of(workspace.scope, model.task)
    family = models.lineage_of(workspace.scope, model.id)
    return DescribedModel(
        model=model,
        manifest=package.manifest.model_dump(mode="json", exclude={"verdict", "goldens"}),
        head_bytes=package.head_bytes,
        rungs=make.rungs if make else [],
        looks=family.looks,
        relatives=family.related,
    )


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in found.items())


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"
