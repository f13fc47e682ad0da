"""What `tenfold report economics` prints."""

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from tenfold.cli.output import STATUS_STYLE, stdout
from tenfold.ledger.cost import money

if TYPE_CHECKING:
    from tenfold.ledger.report import Economics

SHOWN = 20
"""Lines in the terminal; `--csv` and `--json` have them all."""
FOR = {
    "embed": "embedding",
    "make": "making",
    "label": "labels",
    "spend": "bills",
    "overhead": "overhead",
    "waste": "waste",
}


def show(found: "Economics") -> None:
    """Facts, then what the cost was for, then the lines."""
    stdout.print(
        f"[bold]Economics[/] of tenant {escape(found.tenant)}, {found.period.in_words}; "
        f"money in {found.currency}."
    )
    if found.is_empty:
        stdout.print(
            "Nothing is booked and nothing was accepted yet.\n"
            "  [dim]→[/] `tenfold make` makes models and books what they use; "
            "`tenfold ledger book` books a bill."
        )
        return
    _facts(found)
    _kinds(found)
    _lines(found)


def _facts(found: "Economics") -> None:
    table = Table(show_header=False)
    for name, said in (
        ("models accepted", _accepted(found)),
        ("people", _people(found)),
        ("cost", f"[bold]{money(found.cost.total, found.currency)}[/]"),
        ("cost per accepted model", _per_model(found)),
        ("the next model costs", _next(found)),
        ("reuse of embedding", _reuse(found)),
        ("models judged", _judged(found)),
    ):
        table.add_row(name, said)
    stdout.print(table)


def _accepted(found: "Economics") -> str:
    counts = found.accepted
    said = f"[bold]{counts.newly:,}[/] in the period, {counts.total:,} in all"
    if counts.growth is not None:
        said += f"\n{counts.growth:+.0%} on the {counts.before:,} before it"
    return said + (f"; {counts.period_before:,} in the period before" if counts.before else "")


def _people(found: "Economics") -> str:
    if found.people is None:
        return "not known: --headcount, or setting TENFOLD_HEADCOUNT"
    said = f"{found.people:,.1f} on average"
    each = found.per_person_year
    return said if each is None else f"{said}: [bold]{each:,.2f}[/] models per person and year"


def _per_model(found: "Economics") -> str:
    if found.per_model is None:
        return "no model was accepted in the period"
    return f"[bold]{money(found.per_model.total, found.currency)}[/]"


def _next(found: "Economics") -> str:
    if found.next_model is None:
        return "no model was accepted in the period"
    return f"{money(found.next_model.total, found.currency)}: making and labels alone"


def _reuse(found: "Economics") -> str:
    if found.reuse is None:
        return "no picture was embedded yet"
    return f"{found.reuse:,.1f} heads per picture ({found.embedded:,} embedded so far)"


def _judged(found: "Economics") -> str:
    refusals = found.refusals
    if refusals.share is None:
        return "none in the period"
    words = [f"[{STATUS_STYLE[w]}]{w}[/] {n:,}" for w, n in refusals.judged.items()]
    said = f"{', '.join(words)}: {refusals.share:.1%} refused"
    if refusals.reasons:
        why = [f"{escape(name)} {n / refusals.asked:.0%}" for name, n in refusals.reasons.items()]
        said += f"\nof {refusals.asked:,} refused, over the bar in: {', '.join(why[:5])}"
    return said


def _kinds(found: "Economics") -> None:
    names = ("compute", "storage", "labels", "people", "bills", "all", "share", "per model")
    whole = found.cost.total
    rows: list[tuple[str, list[str]]] = []
    for kind, cost in sorted(found.kinds.items(), key=lambda pair: -pair[1].total):
        parts = (cost.compute, cost.storage + cost.reading, cost.labels + cost.images)
        each = cost.over(found.accepted.newly).total if found.accepted.newly else None
        cells = [money(part) if part else "" for part in (*parts, cost.people, cost.bills)]
        cells += [money(cost.total), f"{cost.total / whole:.1%}" if whole else ""]
        rows.append((FOR.get(kind, kind), [*cells, "" if each is None else money(each)]))
    table = Table("what for", title="Where the money went", title_justify="left")
    shown = [i for i in range(len(names)) if any(cells[i] for _, cells in rows)]
    for i in shown:
        table.add_column(names[i], justify="right", no_wrap=True)
    for kind, cells in rows:
        table.add_row(kind, *(cells[i] for i in shown))
    stdout.print(table)


def _lines(found: "Economics") -> None:
    table = Table(found.by, title=f"By {found.by}", title_justify="left")
    for name in ("accepted", "own cost", "of embedding", "all", "share"):
        table.add_column(name, justify="right", no_wrap=True)
    whole = found.cost.total
    groups = [line for line in found.lines if line.is_group]
    for line in [*groups[:SHOWN], *(line for line in found.lines if not line.is_group)]:
        table.add_row(
            escape(line.name) if line.is_group else f"[dim]{escape(line.name)}[/]",
            f"{line.accepted:,}" if line.accepted else "",
            money(line.direct.total) if line.direct.total else "",
            money(line.embedding.total) if line.embedding.total else "",
            money(line.total),
            f"{line.total / whole:.1%}" if whole else "",
        )
    stdout.print(table)
    if len(groups) > SHOWN:
        stdout.print(f"[dim]{len(groups) - SHOWN:,} more: --csv or --json has them all.[/]")
    if found.by == "tenant":
        stdout.print("[dim]Only this tenant: nobody sees what another's models cost.[/]")
