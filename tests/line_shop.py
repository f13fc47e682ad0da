"""A station's home with a part of two regions, whose heads read the trunk of milliseconds."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from PIL import Image

import tenfold
from parts_drawn import BOXES, plate, seen
from tenfold.apps.line.drawing import jpeg
from tenfold.apps.line.journal import Part, Seen
from tenfold.apps.line.part import PartSpec
from tenfold.apps.line.shadowing import taught_as
from tenfold.apps.line.stations import evidence_of, journal_of, parts_of
from tenfold.catalog import deployments
from tenfold.factory.make import make
from tenfold.factory.plan import plan
from tenfold.serving.deploying import deploy
from tenfold.specs.task import Question, TaskSpec
from workshop import add_tiny_trunk

STATION, NUMBER = "s1", "4711"
HEADS = {name: f"s1-4711-{name}" for name in BOXES}
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def spec(mode="shadow"):
    regions = [
        {"name": name, "box": box, "checks": [{"check": "surface", "head": HEADS[name]}]}
        for name, box in BOXES.items()
    ]
    return PartSpec.model_validate(
        {"part": NUMBER, "reference": f"{NUMBER}.png", "regions": regions, "mode": mode}
    )


def fill(workspace, scratch):
    """Heads, part file and reference, as teaching leaves them."""
    rng = np.random.default_rng(0)
    add_tiny_trunk(workspace.trunks_folder, scratch)
    folder = parts_of(workspace, STATION).folder
    folder.mkdir(parents=True)
    for name, (left, top, right, bottom) in BOXES.items():
        cuttings = folder / "cuttings" / HEADS[name] / "good"
        cuttings.mkdir(parents=True)
        for n in range(24):
            cutting = plate(rng)[top:bottom, left:right]
            Image.fromarray(cutting).save(cuttings / f"{n}.png")
        tenfold.ingest(workspace, cuttings.parent, name=HEADS[name])
        task = TaskSpec(
            task=HEADS[name],
            kind="anomaly",
            dataset=HEADS[name],
            trunk="tiny",
            question=Question(negative=("good",)),
        )
        made = make(workspace, plan(workspace, task))
        deploy(workspace, HEADS[name], made.model.id, unproven=True)
    Image.fromarray(plate(rng)).save(folder / f"{NUMBER}.png")
    (folder / f"{NUMBER}.yaml").write_text(spec().to_yaml())


def put(workspace, *, bad=(), pixels=None, serial="", outcome="manual", judged=None):
    """A look in the journal, of a part whose heads called some regions bad; its picture is kept."""
    told = tuple(
        Seen(
            name,
            "defect" if name in bad else "good",
            0.9 if name in bad else 0.1,
            0.5,
            deployments.get(workspace.scope, HEADS[name]).live,
        )
        for name in BOXES
    )
    part = Part(
        1,
        NUMBER,
        outcome,
        serial=serial,
        regions=told,
        judged=("reject" if bad else "ok") if judged is None else judged,
        taught=taught_as(spec()),
        at=NOON,
    )
    with closing(journal_of(workspace, STATION)) as journal:
        id = journal.put(part)
    if pixels is not None:
        data = jpeg(seen(pixels, np.random.default_rng(id)))
        evidence_of(workspace, STATION).store(replace(part, id=id), data, {})
    return id
