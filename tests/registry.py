"""All that must be the same whoever made it, however often it was killed."""

import hashlib
import json
from collections import Counter
from typing import Any

from sqlalchemy import func, select

from tenfold import packages
from tenfold.catalog import models, questions
from tenfold.catalog.models import Model
from tenfold.catalog.tables import entries, looks
from tenfold.workspace import Workspace


def registry(workspace: Workspace) -> dict[str, Any]:
    """Models, verdicts, packages, looks, roles, makes and what was booked; no times, no order of
    work. Packs are left out: who is packed with whom depends on who was made with whom."""
    made = sorted(models.everything(workspace.scope), key=lambda model: model.id)
    found = {
        "models": [_model(workspace, model) for model in made],
        "questions": _questions(workspace, made),
        "makes": [
            [make.id, make.task, make.model_id]
            + [[rung[name] for name in ("name", "outcome", "model")] for rung in make.rungs]
            for make in sorted(models.makes_of(workspace.scope), key=lambda make: make.id)
        ],
        "ledger": booked(workspace),
    }
    return json.loads(json.dumps(found))


def digest(found: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def booked(workspace: Workspace) -> dict[str, dict[str, int]]:
    """How much was booked for `embed` and `make`.

    A kill may divide what was embedded between two entries, so these are counted by subject.
    """
    query = select(
        entries.c.kind,
        func.count(),
        func.count(entries.c.subject.distinct()),
        func.sum(entries.c.images),
        func.sum(entries.c.labels),
    ).where(entries.c.tenant == workspace.scope.tenant, entries.c.kind.in_(("embed", "make")))
    with workspace.scope.read() as connection:
        rows = connection.execute(query.group_by(entries.c.kind)).all()
    return {
        kind: {
            "entries": int(number if kind == "make" else subjects),
            "images": int(images),
            "labels": int(labels),
        }
        for kind, number, subjects, images, labels in rows
    }


def looks_taken(workspace: Workspace) -> dict[int, list[tuple[int, str]]]:
    """(number, model) of every look, by question row."""
    mine = select(looks).where(
        looks.c.question_id.in_([m.question_id for m in models.everything(workspace.scope)])
    )
    taken: dict[int, list[tuple[int, str]]] = {}
    with workspace.scope.read() as connection:
        for row in connection.execute(mine.order_by(looks.c.number, looks.c.model_id)):
            taken.setdefault(row.question_id, []).append((row.number, row.model_id))
    return taken


def assert_nothing_was_made_twice(workspace: Workspace) -> None:
    """As many looks as models, each number once, each model once."""
    made = models.everything(workspace.scope)
    by_question = Counter(model.question_id for model in made)
    taken = looks_taken(workspace)
    for question, number_of_models in by_question.items():
        assert [number for number, _ in taken[question]] == list(range(1, number_of_models + 1))
    names = [model for some in taken.values() for _, model in some]
    assert sorted(names) == sorted(model.id for model in made)


def _model(workspace: Workspace, model: Model) -> list[Any]:
    package = packages.of_model(workspace.blobs, model)
    return [
        *(model.id, model.task, model.status, model.verdict, model.rung, model.estimate),
        *(model.head.digest, model.evidence.digest, model.roster),
        str(package.manifest.goldens),
    ]


def _questions(workspace: Workspace, made: list[Model]) -> list[Any]:
    taken = looks_taken(workspace)
    return sorted(
        [
            key,
            spent.looks,
            taken.get(spent.question_id, []),
            sorted(one.hex() for one in spent.judge),
            sorted(one.hex() for one in spent.fit),
        ]
        for key in {model.identity["question"] for model in made}
        for spent in questions.spent(workspace.scope, key)
    )
