"""What a station decided, durable before its output is set: one file of its own, whatever becomes
of the catalog, the network or the process.

SQLite in full-sync WAL mode: a part that was put is on the disk. Reading never holds up writing.
"""

import json
import sqlite3
import threading
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tenfold.apps.line.values import Outcome
from tenfold.errors import Conflict, DataError, IntegrityError, NotFound, Unavailable

SCHEMA = """
create table if not exists parts (
    id integer primary key, at text not null, sequence integer not null, part text not null,
    serial text not null, lot text not null, shift text not null, outcome text not null,
    reason text not null, is_rabbit integer not null, picture text not null, regions text not null,
    times text not null, overruled text not null, overruled_by text not null, why text not null,
    overruled_at text not null default '', judged text not null default '',
    judged_reason text not null default '', taught text not null default '',
    fingerprint text not null default ''
);
create table if not exists modes (
    id integer primary key, at text not null, part text not null, mode text not null,
    by text not null, why text not null, proven text not null
);
create table if not exists probe (id integer primary key, at text not null);
create table if not exists asked (
    id integer primary key, at text not null, who text not null, part integer not null
);
create index if not exists parts_serial on parts (serial);
create index if not exists parts_lot on parts (lot);
create index if not exists parts_part on parts (part);
create index if not exists parts_at on parts (at);
create index if not exists parts_shift on parts (shift, outcome);
create index if not exists parts_outcome on parts (outcome, id);
create index if not exists parts_rabbits on parts (shift) where is_rabbit = 1;
create index if not exists parts_overruled on parts (at) where overruled != '';
create index if not exists parts_verdict on parts (coalesce(nullif(overruled, ''), outcome), id);
create index if not exists parts_counted
    on parts (shift, is_rabbit, serial, id, outcome, overruled, reason);
create index if not exists asked_part on asked (part);
"""
LATER = ("overruled_at", "judged", "judged_reason", "taught", "fingerprint")
"""Columns that older journals lack."""
LATER_INDEXES = """
create index if not exists parts_judged on parts (part, id) where judged != '';
create index if not exists parts_fingerprint on parts (fingerprint) where fingerprint != '';
create index if not exists modes_part on modes (part, id);
"""
FIRST = """
judged != '' and is_rabbit = 0
and not exists (select 1 from parts as other where other.serial = parts.serial
    and parts.serial != '' and other.part = parts.part and other.id < parts.id
    and (other.judged != '' or other.regions != '[]'))
and not exists (select 1 from parts as other where other.fingerprint = parts.fingerprint
    and parts.fingerprint != '' and other.id < parts.id)
"""
"""Looks in shadow at a part and a picture that no head had said anything of before."""
BUSY_S = 5.0
AT_ONCE = 500
"""Looks that are read before others have their turn."""
NEVER = datetime.min.replace(tzinfo=UTC)
TEXTS = ("part", "serial", "lot", "shift")
"""By which parts are looked up."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a head said of a region."""

    region: str
    decision: str
    score: float
    threshold: float | None
    model: str
    """Its digest."""


@dataclass(frozen=True, slots=True)
class Part:
    """One look at one part."""

    sequence: int
    """As the controller counts."""
    part: str
    """Part number."""
    outcome: Outcome
    reason: str = ""
    """Why it is not OK."""
    serial: str = ""
    lot: str = ""
    shift: str = ""
    is_rabbit: bool = False
    picture: str = ""
    """Digest of the picture, where it is kept."""
    regions: tuple[Seen, ...] = ()
    times: dict[str, float] = field(default_factory=dict[str, float])
    """Milliseconds by stage."""
    overruled: str = ""
    """What a person said instead."""
    overruled_by: str = ""
    why: str = ""
    overruled_at: datetime | None = None
    judged: str = ""
    """What the station says of a part in shadow, of which a person decides; else empty."""
    judged_reason: str = ""
    taught: str = ""
    """In shadow: which state of the part's file it was judged by."""
    fingerprint: str = ""
    """In shadow: of the picture, so that one shown twice counts once."""
    at: datetime = NEVER
    id: int = 0
    """Of the journal; grows."""

    @property
    def verdict(self) -> str:
        """What holds in the end: a person's word, else the station's."""
        return self.overruled or self.outcome


@dataclass(frozen=True, slots=True)
class ModeSaid:
    """A part number went live, or back into shadow."""

    part: str
    mode: str
    by: str
    why: str
    proven: tuple[str, ...]
    """What was proven then, in words."""
    at: datetime = NEVER


COLUMNS = tuple(f.name for f in fields(Part) if f.name != "id")


@dataclass(frozen=True, slots=True)
class Span:
    """Looks that are asked for; what is empty does not matter."""

    shift: str = ""
    begins: datetime | None = None
    ends: datetime | None = None
    """Excluded."""
    after: int = 0
    """Looks of a greater id."""
    part: str = ""
    serial: str = ""
    lot: str = ""

    @property
    def clause(self) -> tuple[str, list[Any]]:
        """The condition of an SQL query, and what its marks stand for."""
        texts = {name: getattr(self, name) for name in TEXTS}
        asked: dict[str, Any] = {f"{name} = ?": text for name, text in texts.items() if text}
        for mark, at in (("at >= ?", self.begins), ("at < ?", self.ends)):
            if at is not None:
                asked[mark] = at.astimezone(UTC).isoformat()
        if self.after:
            asked["id > ?"] = self.after
        return " and ".join(asked) or "true", list(asked.values())


class Journal:
    """One station's. One process puts parts and no reader holds it up; others may look, ask and
    overrule meanwhile."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._alone = threading.Lock()
        with _told(path):
            self._file = sqlite3.connect(
                path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._file.execute("pragma journal_mode = wal")
            self._file.execute("pragma synchronous = full")
            self._file.executescript(SCHEMA)
            there = {row[1] for row in self._file.execute("pragma table_info(parts)")}
            for name in LATER:
                if name not in there:
                    self._file.execute(
                        f"alter table parts add column {name} text not null default ''"
                    )
            self._file.executescript(LATER_INDEXES)
            self._reading = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
            self._reading.execute("pragma query_only = on")
        self._one_reads = threading.Lock()
        self._files = (path, path.with_name(f"{path.name}-wal"))
        self._opened: dict[Path, int] = {}
        """Which files are written, by inode: they may be moved or deleted from outside."""

    def close(self) -> None:
        self._reading.close()
        self._file.close()

    def put(self, part: Part) -> int:
        """Keep a look at a part; when it comes back, the disk has it.

        Returns:
            Its id.

        Raises:
            Unavailable: the disk is full or gone. Nothing may be released then.
            IntegrityError: the journal is damaged, or was moved away. Nothing may be either.
            DataError: it holds what no journal can.
        """
        values = _row(part)
        marks = ", ".join("?" * len(COLUMNS))
        with self._alone, _told(self.path):
            self._check_there()
            done = self._file.execute(
                f"insert into parts ({', '.join(COLUMNS)}) values ({marks})", values
            )
        return int(done.lastrowid or 0)

    def probe(self) -> None:
        """Write something small: whether the next part could be kept.

        Raises:
            Unavailable: it could not.
            IntegrityError: the journal is damaged, or was moved away.
        """
        with self._alone, _told(self.path):
            self._check_there()
            self._file.execute(
                "insert into probe values (1, ?) on conflict (id) do update set at = excluded.at",
                (datetime.now(UTC).isoformat(),),
            )

    def withdraw(self, id: int, reason: str) -> None:
        """What was found good is not released after all.

        Raises:
            Unavailable: the disk is full or gone.
        """
        with self._alone, _told(self.path):
            self._file.execute(
                "update parts set outcome = 'reject', reason = ? where id = ?", (reason, id)
            )

    def name_picture(self, id: int, digest: str) -> None:
        """The picture of a part is kept now.

        Raises:
            Unavailable: the disk is full or gone.
        """
        with self._alone, _told(self.path):
            self._file.execute("update parts set picture = ? where id = ?", (digest, id))

    def plain(self, ids: Collection[int]) -> set[int]:
        """Those that were OK from first to last: not overruled, and no red rabbits."""
        some, found = list(ids), set[int]()
        for begin in range(0, len(some), AT_ONCE):
            asked = some[begin : begin + AT_ONCE]
            marks = ", ".join("?" * len(asked))
            rows = self.ask(
                f"select id from parts where id in ({marks}) and outcome = 'ok' "
                "and overruled in ('', 'ok') and not is_rabbit",
                asked,
            )
            found |= {id for (id,) in rows}
        return found

    def overrule(self, id: int, verdict: Outcome, *, by: str, why: str) -> None:
        """A person's word about a part; the station's own stays beside it.

        Raises:
            NotFound: there is no such look.
            Conflict: somebody overruled it already.
        """
        with self._alone, _told(self.path):
            done = self._file.execute(
                "update parts set overruled = ?, overruled_by = ?, why = ?, overruled_at = ? "
                "where id = ? and overruled = ''",
                (verdict, by, why, datetime.now(UTC).isoformat(), id),
            )
        if done.rowcount:
            return
        found = self.get(id)
        raise Conflict(
            f"{found.overruled_by} overruled it already: {found.overruled}.",
            where=f"part {id}",
            hint="A look is overruled once; send the part through again.",
        )

    def ask_for(self, who: str) -> None:
        """Have the next part go to a person, whatever is seen of it; asked twice is asked once.

        Raises:
            Unavailable: the disk is full or gone.
        """
        with self._alone, _told(self.path):
            self._file.execute(
                "insert into asked (at, who, part) select ?, ?, 0 "
                "where not exists (select 1 from asked where part = 0)",
                (datetime.now(UTC).isoformat(), who),
            )

    def ask_no_more(self) -> None:
        """What was asked and not done yet is taken back.

        Raises:
            Unavailable: the disk is full or gone.
        """
        with self._alone, _told(self.path):
            self._file.execute("delete from asked where part = 0")

    def asking(self, part: int = 0) -> str:
        """Who asked that this part goes to a person, or the next one; empty: nobody."""
        found = self.ask("select who from asked where part = ? limit 1", [part])
        return found[0][0] if found else ""

    def answer(self, part: int) -> None:
        """This part went to a person, as it was asked.

        Raises:
            Unavailable: the disk is full or gone; the next part goes to a person too.
        """
        with self._alone, _told(self.path):
            self._file.execute("update asked set part = ? where part = 0", (part,))

    def get(self, id: int) -> Part:
        """
        Raises:
            NotFound: there is no such look.
        """
        found = self.some("where id = ?", [id])
        if not found:
            raise NotFound(f"no part {id} was looked at.", where=str(self.path))
        return found[0]

    def last(self, count: int, *, outcome: str = "") -> list[Part]:
        """The newest, newest first."""
        chosen, given = ("where outcome = ?", [outcome]) if outcome else ("", [])
        return self.some(f"{chosen} order by id desc limit ?", [*given, count])

    def rabbits(self, shift: str) -> list[Part]:
        """Looks at red rabbits in a shift, oldest first."""
        return self.some("where shift = ? and is_rabbit = 1 order by id", [shift])

    def find(
        self, *, part: str = "", serial: str = "", lot: str = "", shift: str = ""
    ) -> list[Part]:
        """Of that part number, serial, lot and shift; oldest first."""
        return list(self.each(Span(shift, part=part, serial=serial, lot=lot)))

    def each(self, span: Span) -> Generator[Part]:
        """All looks of a span, oldest first, without holding them all."""
        clause, given = span.clause
        before = 0
        while True:
            found = self.some(
                f"where {clause} and id > ? order by id limit ?", [*given, before, AT_ONCE]
            )
            yield from found
            if len(found) < AT_ONCE:
                return
            before = found[-1].id

    def newest(self, span: Span, count: int, *, outcome: str = "") -> list[Part]:
        """The newest looks of a span, newest first."""
        clause, given = span.clause
        chosen, more = (" and outcome = ?", [outcome]) if outcome else ("", [])
        return self.some(f"where {clause}{chosen} order by id desc limit ?", [*given, *more, count])

    def overruled(self, span: Span) -> list[Part]:
        """Looks of a span that a person overruled, oldest first; in shadow nobody is overruled."""
        clause, given = span.clause
        return self.some(f"where {clause} and overruled != '' and judged = '' order by +id", given)

    def shown(self, span: Span) -> list[Part]:
        """Looks of a span at red rabbits, oldest first."""
        clause, given = span.clause
        return self.some(f"where {clause} and is_rabbit = 1 order by +id", given)

    def ask(self, query: str, given: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of an SQL query that changes nothing.

        Raises:
            Unavailable: the journal cannot be read.
        """
        with self._one_reads, _told(self.path):
            return self._reading.execute(query, given).fetchall()

    def _check_there(self) -> None:
        """What is written into a file that nobody finds any more is lost."""
        for path in self._files:
            try:
                inode = path.stat().st_ino
            except OSError:
                inode = 0
            if inode != self._opened.get(path, inode):
                raise IntegrityError(
                    "the journal was moved or deleted while the station is at work.",
                    where=str(path),
                    hint="Put it back, or start the station again: it begins a new one.",
                )
            if inode:
                self._opened[path] = inode

    def in_shadow(self, part: str) -> list[Part]:
        """First looks at parts of a number in shadow, those of which a person spoke first, in the
        order in which they did; red rabbits are no parts."""
        order = "order by overruled_at = '', overruled_at, id"
        return self.some(f"where part = ? and {FIRST} {order}", [part])

    def say_mode(self, said: ModeSaid) -> None:
        """Keep that a part number went live or into shadow.

        Raises:
            Unavailable: the disk is full or gone.
        """
        now = datetime.now(UTC).isoformat()
        row = (now, said.part, said.mode, said.by, said.why, json.dumps(said.proven))
        with self._alone, _told(self.path):
            self._file.execute(
                "insert into modes (at, part, mode, by, why, proven) values (?, ?, ?, ?, ?, ?)", row
            )

    def modes(self, part: str) -> list[ModeSaid]:
        """When a part number went live or into shadow, oldest first."""
        with self._alone, _told(self.path):
            rows = self._file.execute(
                "select part, mode, by, why, proven, at from modes where part = ? order by id",
                [part],
            ).fetchall()
        return [
            ModeSaid(number, mode, by, why, tuple(json.loads(words)), datetime.fromisoformat(at))
            for number, mode, by, why, words, at in rows
        ]

    def some(self, rest: str, given: Sequence[Any]) -> list[Part]:
        """Looks that a condition of SQL chooses, in its order."""
        rows = self.ask(f"select {', '.join(COLUMNS)}, id from parts {rest}", given)
        return [_part(row) for row in rows]


def _row(part: Part) -> list[Any]:
    regions = [
        [one.region, one.decision, one.score, one.threshold, one.model] for one in part.regions
    ]
    plain = {
        "at": part.at.isoformat(),
        "overruled_at": part.overruled_at.isoformat() if part.overruled_at else "",
        "is_rabbit": int(part.is_rabbit),
        "regions": json.dumps(regions),
        "times": json.dumps({name: round(ms, 3) for name, ms in part.times.items()}),
    }
    return [plain.get(name, getattr(part, name)) for name in COLUMNS]


def _part(row: Sequence[Any]) -> Part:
    told = dict(zip((*COLUMNS, "id"), row, strict=True))
    told["at"] = datetime.fromisoformat(told["at"])
    when = told["overruled_at"]
    told["overruled_at"] = datetime.fromisoformat(when) if when else None
    told["is_rabbit"] = bool(told["is_rabbit"])
    told["regions"] = tuple(Seen(*one) for one in json.loads(told["regions"]))
    told["times"] = json.loads(told["times"])
    return Part(**told)


@contextmanager
def _told(path: Path) -> Generator[None]:
    try:
        yield
    except (OverflowError, UnicodeEncodeError) as error:
        raise DataError(f"the journal cannot hold that: {error}.", where=str(path)) from error
    except sqlite3.DatabaseError as error:
        if "malformed" in str(error) or "not a database" in str(error):
            raise IntegrityError(
                f"the journal is damaged: {error}.",
                where=str(path),
                hint="Keep the file, and start the station with a new one.",
            ) from error
        raise Unavailable(
            f"the journal cannot be used: {error}.",
            where=str(path),
            hint="Make room on the disk; nothing is released until then.",
        ) from error
