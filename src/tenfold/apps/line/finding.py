"""Parts looked up among very many: nothing here reads a whole journal."""

import json
from dataclasses import dataclass

from tenfold.apps.line.journal import Journal, Part

VERDICT = "coalesce(nullif(overruled, ''), outcome)"
"""What holds in the end, as an index of the journal has it."""
END = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Sought:
    serial: str = ""
    """How it begins."""
    lot: str = ""
    shift: str = ""
    part: str = ""
    outcome: str = ""
    """What holds in the end; `overruled`: by a person; `rabbit`: a red rabbit."""
    before: int = 0
    """Older than the part of this id; 0: from the newest on."""
    limit: int = 50


def search(journal: Journal, sought: Sought) -> list[Part]:
    """The newest first."""
    wanted, given, table = ["1 = 1"], list[object](), "parts"
    for name in ("lot", "shift", "part"):
        if value := getattr(sought, name):
            wanted.append(f"{name} = ?")
            given.append(value)
    if sought.serial:
        wanted.append("serial >= ? and serial < ?")
        given += [sought.serial, sought.serial + END]
    if sought.outcome == "overruled":
        wanted.append("overruled <> ''")
    elif sought.outcome == "rabbit":
        wanted.append("is_rabbit = 1")
        table = "parts indexed by parts_rabbits"  # they are few, which SQLite does not know
    elif sought.outcome:
        wanted.append(f"{VERDICT} = ?")
        given.append(sought.outcome)
    if sought.before:
        wanted.append("id < ?")
        given.append(sought.before)
    chosen = f"select id from {table} where {' and '.join(wanted)} order by id desc limit ?"
    return journal.some(f"where id in ({chosen}) order by id desc", [*given, sought.limit])


def times(journal: Journal, count: int) -> list[dict[str, float]]:
    """Milliseconds by stage of the last parts, newest first."""
    found = journal.ask("select times from parts order by id desc limit ?", [count])
    return [json.loads(text) for (text,) in found]


def shifts(journal: Journal, count: int) -> list[str]:
    """The newest that looked at a part, newest first."""
    return _newest(journal, "shift", count)


def numbers(journal: Journal, count: int) -> list[str]:
    """Part numbers that were looked at."""
    return _newest(journal, "part", count)


def _newest(journal: Journal, column: str, count: int) -> list[str]:
    """Different values, from the last in order down: one step in the index for each."""
    found = journal.ask(
        f"with recursive seen(x) as (select max({column}) from parts union all "
        f"select (select max({column}) from parts where {column} < seen.x) from seen "
        "where seen.x is not null) select x from seen where x is not null and x <> '' limit ?",
        [count],
    )
    return [value for (value,) in found]
