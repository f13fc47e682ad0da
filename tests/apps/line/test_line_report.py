"""The report of a shift says what happened, escaped and in one file; the CSV is safe to open."""

import csv
import json
import re
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the extra `line`")

from typer.testing import CliRunner

from tenfold.apps.line.drawing import jpeg
from tenfold.apps.line.evidence import Evidence
from tenfold.apps.line.journal import Journal, Part, Seen, Span
from tenfold.apps.line.report import gather, render
from tenfold.apps.line.station import Retention
from tenfold.apps.line.tracing import HEADER, rows, write_csv
from tenfold.apps.line.values import Sight
from tenfold.cli import app
from tenfold.errors import NotFound, SpecError

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SHIFT = "2026-03-02 early"
GREY = np.full((60, 80, 3), 128, np.uint8)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def journal(home):
    with closing(Journal(home / "line" / "s1" / "journal.sqlite")) as opened:
        yield opened


@pytest.fixture
def evidence(home):
    return Evidence(home / "line" / "s1" / "pictures", Retention())


def put(journal, number, outcome="ok", reason="", **more):
    serial = more.pop("serial", f"S{number}")
    at = NOON + timedelta(seconds=number)
    part = Part(number, "4711", outcome, reason, serial, "L1", SHIFT, at=at, **more)
    return replace(part, id=journal.put(part))


def worked(journal, evidence):
    """A shift of 300 parts with a bad quarter of an hour, rabbits and an overruled part."""
    put(journal, 1, "reject", "late", serial="R1", is_rabbit=True)
    put(journal, 2, "reject", "scratch lid", serial="R1", is_rabbit=True)
    put(journal, 3, "ok", serial="R2", is_rabbit=True)
    for n in range(4, 304):
        is_bad = n % 25 == 0 or 254 <= n < 264
        reason = "scratch <lid>" if n % 2 else "missing screw"
        look = put(journal, n, "reject" if is_bad else "ok", reason if is_bad else "",
                   times={"grab": 4.0, "all": 40.0})  # fmt: skip
        if is_bad:
            evidence.store(look, jpeg(GREY), {"lid": Sight(GREY[:30, :30])})
            journal.name_picture(look.id, "cd" * 32)
    (look,) = journal.find(serial="S25")
    journal.overrule(look.id, "ok", by="ann", why="dust & fibre")


class Page(HTMLParser):
    """Texts, pictures and addresses of a page."""

    def __init__(self, text):
        super().__init__()
        self.words, self.pictures, self.addresses, self.tags = [], [], [], set()
        self.feed(text)
        self.text = re.sub(r"[\s\u202f\u00a0]+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        self.tags.add(tag)
        if tag == "img":
            self.pictures.append(told["src"])
        self.addresses += [told[name] for name in ("href", "src", "action") if name in told]

    def handle_data(self, data):
        self.words.append(data)


def report_of(journal, evidence, **more):
    span = Span(shift=SHIFT)
    return gather(journal, evidence, span, station="s1", **more)


def test_a_report_says_what_happened_in_the_shift(journal, evidence):
    worked(journal, evidence)
    report = report_of(journal, evidence, note="Simulated.", rabbits=("R1", "R2", "R3"))
    yields = report.yields
    assert (yields.parts, yields.ok, yields.rejected) == (300, 279, 21)
    assert sum(number for _, number in report.pareto) == 21
    assert [point.is_alarm for point in report.points].count(True) == 1
    told = {one.serial: (one.looks, one.reason, one.passed) for one in report.rabbits}
    # what was late was not seen, and proves nothing
    assert told == {"R1": (2, "scratch lid", 0), "R2": (1, "", 1), "R3": (0, "", 0)}
    page = Page(render(report))
    assert "279 of 300 parts are OK; 92.7 % passed at once." in page.text
    assert "Red rabbits passed as good: R2. The share of rejects left its limits once." in page.text
    for words in ("Simulated.", "dust & fibre", "ann", "scratch <lid>", "trigger to record"):
        assert words in page.text
    assert "lid" not in page.tags


def test_a_report_is_one_file_that_asks_nobody(journal, evidence):
    worked(journal, evidence)
    text = render(report_of(journal, evidence))
    page = Page(text)
    assert len(page.pictures) == 2 * len(report_of(journal, evidence).rejects) == 44
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.addresses)
    assert not page.tags & {"script", "link", "iframe", "object", "form"}
    assert "default-src 'none'" in text
    assert not re.search(r"url\(|@import|https?://", text)


def test_the_report_of_a_shift_without_parts_says_so(journal, evidence):
    page = Page(render(report_of(journal, evidence)))
    assert "No part was looked at." in page.text
    assert "Last rejects" not in page.text


def test_few_parts_have_no_chart_and_rejects_without_a_picture_are_shown(journal, evidence):
    put(journal, 1, "reject", "pit")
    page = Page(render(report_of(journal, evidence)))
    assert "so many did not come yet" in page.text
    assert "no picture" in page.text


def test_the_table_has_a_row_for_each_head_that_was_asked(journal):
    seen = (Seen("lid", "scratch", 0.75, 0.5, "ab" * 32), Seen("rim", "good", 0.1, None, "cd" * 32))
    look = put(journal, 7, "reject", "scratch lid", regions=seen, times={"all": 41.26})
    put(journal, 8)
    lid, rim, none = (dict(zip(HEADER, row, strict=True)) for row in rows(journal.each(Span())))
    assert (lid["look"], lid["region"], lid["score"], lid["threshold"]) == (
        look.id,
        "lid",
        0.75,
        0.5,
    )
    assert (rim["region"], rim["threshold"], rim["model"]) == ("rim", None, "cd" * 32)
    assert (lid["ms"], lid["serial"], lid["red_rabbit"]) == (41.3, "S7", 0)
    assert (none["region"], none["score"], none["ms"]) == ("", None, None)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_is_a_formula(journal, tmp_path, start):
    evil = f"{start}cmd|' /C calc'!A1"
    look = put(journal, 1, "reject", evil, serial=evil)
    journal.overrule(look.id, "ok", by=evil, why=evil)
    path = tmp_path / "parts.csv"
    assert write_csv(path, journal.each(Span())) == 1
    with path.open(newline="", encoding="utf-8") as file:
        header, row = csv.reader(file)
    assert tuple(header) == HEADER
    told = dict(zip(header, row, strict=True))
    assert {told[name] for name in ("serial", "reason", "by", "why")} == {f"'{evil}"}
    assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]


def run(home, *words):
    return CliRunner().invoke(app, ["line", *words], env={"TENFOLD_HOME": str(home)})


def test_commands_report_and_trace(home, journal, evidence, tmp_path):
    worked(journal, evidence)
    path, table = tmp_path / "shift.html", tmp_path / "parts.csv"
    done = run(home, "report", "s1", "--out", str(path), "--csv", str(table), "--json")
    told = json.loads(done.stdout)
    assert (told["shift"], told["yields"]["parts"], told["rows"]) == (SHIFT, 300, 303)
    assert "279 of 300" in Page(path.read_text()).text.replace("\u202f", " ")
    assert len(table.read_text().splitlines()) == 304
    traced = json.loads(run(home, "trace", "s1", "--serial", "S25", "--json").stdout)
    (look,) = traced["looks"]
    assert (look["outcome"], look["verdict"], look["overruled_by"]) == ("reject", "ok", "ann")
    assert look["file"] == str(evidence.path(journal.get(look["id"])))
    assert traced["in_all"] == 1
    newest = json.loads(run(home, "trace", "s1", "--last", "2", "--json").stdout)
    assert ([one["sequence"] for one in newest["looks"]], newest["in_all"]) == ([302, 303], 303)
    assert "S25" in run(home, "trace", "s1", "--serial", "S25").stdout


def test_a_report_of_some_hours(home, journal, evidence):
    worked(journal, evidence)
    at = (NOON + timedelta(seconds=200)).isoformat()
    told = json.loads(run(home, "report", "s1", "--since", at, "--json").stdout)
    assert told["yields"]["parts"] == 104
    assert told["report"].endswith(".html")


def test_a_station_that_never_worked_and_a_time_that_is_none_are_told(home, journal):
    assert isinstance(run(home, "report", "s2").exception, NotFound)
    assert isinstance(run(home, "report", "s1", "--since", "yesterday").exception, SpecError)
    assert not (home / "line" / "s2").exists()
