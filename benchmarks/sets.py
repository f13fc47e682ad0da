"""Every labelled set in ../shared/data on its stored split: verdict, accuracy, seconds.

The ladder climbs as in production: rungs are chosen by cross-validation on train, the test split is
looked at once per judged rung. Tried before with a plain logistic probe (Lite2, 260 px): steel
0.994, magnetic tiles 0.932, eyes 0.918, parking 0.951, signs 0.627, groceries 0.617.
"""

import sys
import time
from dataclasses import dataclass

import tenfold
from common import DATA, empty_workspace, publish, watch
from tenfold.factory.evidence import of_model, read
from tenfold.factory.plan import plan
from tenfold.specs.task import TaskSpec
from tenfold.workspace import Workspace


@dataclass(frozen=True, slots=True)
class LabelledSet:
    folder: str
    label: str | None = None
    """Attribute that is the label; None: the `class` column."""
    symmetry: str = "none"
    probe: float = 0.0
    """What the plain probe reached."""


SETS = {
    "steel": LabelledSet("A-neu-det-steel", symmetry="dihedral", probe=0.994),
    "magnetic_tile": LabelledSet("A-magnetic-tile", symmetry="flips", probe=0.932),
    "eyes": LabelledSet("E-mrl-eyes", label="state", probe=0.918),
    "parking": LabelledSet("D-parking-spots", symmetry="flips", probe=0.951),
    "signs": LabelledSet("F-gtsrb-signs", probe=0.627),
    "groceries": LabelledSet("H-grocery-81", probe=0.617),
}


def main() -> None:
    if not DATA.is_dir():
        sys.exit(f"the labelled sets are not here: {DATA}")
    results: dict[str, object] = {}
    for name, one in SETS.items():
        with empty_workspace() as workspace:
            results[name] = measured(workspace, name, one)
        print(f"{name}: {results[name]}", file=sys.stderr)
    publish({"sets": results})


def measured(workspace: Workspace, name: str, one: LabelledSet) -> dict[str, object]:
    began = time.perf_counter()
    tenfold.ingest(workspace, DATA / one.folder / "labels.csv", name=name, format="csv")
    spec = TaskSpec.model_validate(
        {
            "task": name,
            "dataset": name,
            "question": {"label": one.label} if one.label else {},
            "bar": {"error": 0.01},
            "split": {"stored": {"train": "fit", "test": "judge"}},
            "symmetry": one.symmetry,
        }
    )
    planned = plan(workspace, spec)
    made = tenfold.make(workspace, planned, progress=watch(name))
    seconds = time.perf_counter() - began
    rows = [r for r in read(of_model(workspace.blobs, made.model)) if r.split == "judge"]
    right = sum(row.decision == row.label for row in rows)
    return {
        "verdict": made.verdict.status,
        "accuracy": round(right / len(rows), 4),
        "probe_accuracy": one.probe,
        "judged": len(rows),
        "classes": len(planned.cohort.classes),
        "rung": made.model.rung,
        "looks": made.verdict.look,
        "seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    main()
