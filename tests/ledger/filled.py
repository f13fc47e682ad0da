"""Many questions and models at once, put into the tables as `make` would leave them."""

from datetime import timedelta

from sqlalchemy import insert

from tenfold.catalog.tables import models, questions

PLAIN = {
    "kind": "classify",
    "snapshot": "5" * 64,
    "make_id": "6" * 64,
    "rung": "linear",
    "identity": {},
    "pack": "7" * 64,
    "head_offset": 0,
    "head_length": 1,
    "head_digest": "8" * 64,
    "evidence_offset": 0,
    "evidence_length": 1,
    "evidence_digest": "9" * 64,
    "roster": "a" * 64,
    "seconds": {},
    "created_by": "ann",
}


ACCEPTED = {"status": "accepted", "bounds": []}


def fill(scope, count, span, *, first=1, fleets=1, verdict=ACCEPTED):
    """`count` questions with a model each, judged evenly over the `span` of (begin, days)."""
    (begin, days), status = span, verdict["status"]
    asked, made = [], []
    for n in range(first, first + count):
        at = begin + timedelta(days=days * (n - first) / count)
        task, fleet, sector = f"task-{n:05}", f"fleet-{n % fleets}", ("rail", "car")[n % 2]
        asked.append(
            {
                "id": n,
                "tenant": scope.tenant,
                "key": f"{n:064x}",
                "judge": b"",
                "fit": b"",
                "accepted_at": at if status == "accepted" else None,
                "fleet": fleet,
                "sector": sector,
            }
        )
        made.append(
            {
                **PLAIN,
                "tenant": scope.tenant,
                "id": f"{n:064x}",
                "task": task,
                "fleet": fleet,
                "sector": sector,
                "dataset": f"data-{n % fleets}",
                "question_id": n,
                "status": status,
                "verdict": verdict,
                "created_at": at,
            }
        )
    with scope.write() as connection:
        for table, rows in ((questions, asked), (models, made)):
            for i in range(0, len(rows), 1000):
                connection.execute(insert(table), rows[i : i + 1000])
