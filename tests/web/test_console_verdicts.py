"""A verdict in the console says what its numbers say, in either language."""

from pathlib import Path

import pytest
import yaml

from tenfold.factory.judge import Count, judge
from tenfold.specs.bar import Bar
from tenfold.web.console import text, verdicts
from tenfold.web.console.text import Text


def told(say: Text, *counts: Count) -> list[str]:
    verdict = judge(counts, Bar(escape=0.3, overkill=0.15), look=1, by_group=False)
    claims = [verdicts.claim(say, bound) for bound in verdicts.asked(verdict)]
    return [*claims, *verdicts.next_steps(say, verdict), *verdicts.remarks(say, verdict)]


CASES = {
    "proven": (Count("escape", "scratch", 0, 200), Count("overkill", "ok", 0, 200)),
    "unproven": (Count("escape", "scratch", 26, 103), Count("overkill", "ok", 20, 206, (22, 220))),
    "over": (Count("escape", "scratch", 60, 103), Count("overkill", "ok", 9, 206)),
    "unknown": (Count("escape", "scratch", 0, 0), Count("overkill", "ok", 9, 206)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_verdict_is_told_without_gaps(name):
    for line in told(Text("en"), *CASES[name]):
        assert "{" not in line
        assert line.endswith(".")


def test_the_numbers_are_those_of_the_bound():
    line = told(Text("en"), *CASES["unproven"])[0].replace("\u202f", " ")
    assert line == (
        "At most 34.4 % of 'scratch' pass as good (26 of 103 seen); the bar asks ≤ 30 %, "
        "so this is not proven yet."
    )


@pytest.mark.parametrize("name", CASES)
def test_nothing_stays_english(name, monkeypatch):
    known: dict[str, str] = {}
    for file in sorted(Path(text.__file__).parent.glob("strings*.yaml")):
        known |= yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    monkeypatch.setattr(text, "table", lambda: known)
    for line in told(Text("zh"), *CASES[name]):
        plain = line.replace("scratch", "").replace("ok", "")
        assert not any(letter.isascii() and letter.isalpha() for letter in plain), line
