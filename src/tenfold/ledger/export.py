"""The report on economics for programs: one JSON document, or a CSV table of its lines."""

import csv
from dataclasses import asdict
from decimal import Decimal
from io import StringIO
from typing import Any

from tenfold.ledger.cost import Cost
from tenfold.ledger.months import before, name
from tenfold.ledger.report import Economics


def as_json(report: Economics) -> dict[str, Any]:
    """Everything the report says; money is text, so that no reader rounds it."""
    accepted = report.accepted
    return {
        "tenant": report.tenant,
        "first_month": name(report.period.first),
        "last_month": name(before(report.period.last, 1)),
        "is_over": report.period.is_over,
        "currency": report.currency,
        "accepted": asdict(accepted) | {"growth": accepted.growth},
        "people": report.people,
        "models_per_person_year": report.per_person_year,
        "cost": _cost(report.cost),
        "cost_by_kind": {kind: _cost(cost) for kind, cost in report.kinds.items()},
        "cost_per_model": _cost(report.per_model) if report.per_model else None,
        "next_model": _cost(report.next_model) if report.next_model else None,
        "images": {"embedded": report.embedded, "read": report.read, "reuse": report.reuse},
        "judged": dict(report.refusals.judged),
        "refused_share": report.refusals.share,
        "refused_why": {"asked": report.refusals.asked, "missed": dict(report.refusals.reasons)},
        "months": [
            {
                "month": name(month.month),
                "accepted": month.accepted,
                "total": month.total,
                "cost": _plain(month.cost),
                "by_kind": {kind: _plain(cost) for kind, cost in month.by_kind.items()},
            }
            for month in report.months
        ],
        "by": report.by,
        "lines": [
            {
                "name": line.name,
                "is_group": line.is_group,
                "accepted": line.accepted,
                "direct": _cost(line.direct),
                "embedding": _cost(line.embedding),
                "total": _plain(line.total),
            }
            for line in report.lines
        ],
    }


def as_csv(report: Economics) -> str:
    """One row for each line; `embedding` is its share, the parts before it are its own."""
    table = StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow([report.by, "accepted", *Cost().parts, "embedding", "total", "currency"])
    for line in report.lines:
        own = [_plain(amount) for amount in line.direct.parts.values()]
        ends = [_plain(line.embedding.total), _plain(line.total), report.currency]
        writer.writerow([line.name, line.accepted, *own, *ends])
    return table.getvalue()


def _cost(cost: Cost) -> dict[str, str]:
    return {n: _plain(amount) for n, amount in cost.parts.items()} | {"total": _plain(cost.total)}


def _plain(amount: Decimal) -> str:
    """All digits that are not zero at the end, never with an exponent."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
