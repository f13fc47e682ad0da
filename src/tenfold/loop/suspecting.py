"""Training samples whose label is likely wrong go to the review queue of what was made of them."""

import numpy as np

from tenfold import packages
from tenfold.catalog import models
from tenfold.catalog.picks import Pick
from tenfold.factory import evidence
from tenfold.loop.suspects import suspects
from tenfold.workspace import Workspace

MOST = 20
"""Of one model: people should not be asked about the past for long."""


def suspected(workspace: Workspace, deployment: str, model: str) -> list[Pick]:
    """Samples that calibrated the model and are said to be something else, by a head that was
    fitted without them; none where it gives no probabilities or nothing calibrated it."""
    found = models.get(workspace.scope, model)
    manifest = packages.of_model(workspace.blobs, found).manifest
    if manifest.kind != "classify" or manifest.multi_label:
        return []
    every = evidence.read(evidence.of_model(workspace.blobs, found))
    rows = [row for row in every if row.split == "calibrate" and row.label in manifest.classes]
    number = {name: place for place, name in enumerate(manifest.classes)}
    labels = np.array([number[row.label] for row in rows], np.int64)
    scores = np.array([row.scores for row in rows], np.float64).reshape(len(rows), len(number))
    return [
        Pick(
            deployment,
            rows[one.row].sample,
            "suspect",
            model=model,
            said=manifest.classes[one.likely],
            score=one.worth,
            worth=one.worth,
            detail={"label": rows[one.row].label, "path": rows[one.row].path},
        )
        for one in suspects(labels, np.clip(scores, 0, 1), most=MOST)
    ]
