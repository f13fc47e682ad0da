"""The console speaks two languages: nothing it says is missing in one of them, and nothing is kept
that it does not say."""

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from tenfold import roles
from tenfold.factory.report import charts
from tenfold.settings import Settings
from tenfold.web import console
from tenfold.web.console import (
    activity,
    frame,
    ledger,
    line_parts,
    line_station,
    line_taught,
    line_teach,
    line_words,
    machine,
    parts,
    people,
    rates_form,
)

FOLDER = Path(console.__file__).parent
TOLD = [Path(charts.__file__)]
"""Files below the console that say what they are told to say in another language."""
OUTCOMES = {"not promising", "over budget", "classify"}
"""Words of the catalog that screens say as they are."""
LINE = (
    line_words.PLAIN,
    line_words.UNFIT,
    line_words.DO,
    line_words.VERDICTS,
    line_words.STAGES,
    line_station.LAMPS,
    line_station.COUNTS,
    line_parts.OUTCOMES,
    line_taught.MODES,
    line_taught.STEPS,
    line_taught.SEEN,
    line_taught.MORE,
    line_teach.CHECKS,
    line_teach.MEANINGS,
)
"""What the screens of a station say by way of a table."""
FILES = sorted(FOLDER.glob("*.py"))
CHINESE = re.compile(r"[\u4e00-\u9fff]")
LETTERS = re.compile("[A-Za-z]{2,}")
HOLE = re.compile(r"{(\w*)}")


def strings():
    """English → 简体中文, and the English of lines that stand there twice."""
    found, twice = {}, []
    for file in sorted(FOLDER.glob("strings*.yaml")):
        pairs = yaml.compose(file.read_text(encoding="utf-8")).value
        for key, value in pairs:
            twice += [key.value] if found.get(key.value, value.value) != value.value else []
            found[key.value] = value.value
    return found, twice


TABLE, TWICE = strings()


def literals(node):
    """The strings that an expression may be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.IfExp):
        return literals(node.body) | literals(node.orelse)
    return set()


def is_say(call):
    """Whether it is `say(…)`, or somebody's `.say(…)`."""
    name = call.func
    return "say" in (getattr(name, "id", ""), getattr(name, "attr", ""))


def said(path):
    """What a file says in so many words."""
    calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
    return {text for call in calls if is_say(call) and call.args for text in literals(call.args[0])}


def written(path):
    """Every string of a file, as it may say what stands in a table of its own."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def looked_up():
    """What is said by way of a value: roles, states, and tables of words."""
    return {
        *roles.ROLES,
        *roles.LEAST,
        *parts.TONES,
        *(name for _, name, _ in frame.PLACES),
        *people.MAY.values(),
        *activity.DEEDS.values(),
        *activity.DETAILS.values(),
        *ledger.KINDS.values(),
        *(word for pair in ledger.ASKED.values() for word in pair),
        *machine.GROUPS,
        *machine.EMPTY.values(),
        *rates_form.RATES.values(),
        *rates_form.WRONG.values(),
        *(word for table in LINE for word in table.values()),
        *(told for _, told in line_words.SHAPES),
        line_words.SILENT,
        line_words.ASLEEP,
        *(field.metadata["help"] for field in fields(Settings)),
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_screen_says_is_in_the_table(path):
    assert sorted(said(path) - set(TABLE)) == []


def test_what_is_said_by_way_of_a_value_is_in_the_table():
    assert sorted(looked_up() - set(TABLE)) == []


def test_every_entry_is_said_somewhere():
    known = looked_up().union(OUTCOMES, *(written(path) for path in (*FILES, *TOLD)))
    assert sorted(set(TABLE) - known) == []


def test_no_entry_is_there_twice_in_different_words():
    assert TWICE == []


@pytest.mark.parametrize("english", TABLE)
def test_an_entry_says_the_same_in_chinese(english):
    chinese = TABLE[english]
    assert set(HOLE.findall(chinese)) == set(HOLE.findall(english))
    is_said = CHINESE.search(chinese) or not LETTERS.search(HOLE.sub("", chinese))
    assert is_said, f"{english!r} is not translated: {chinese!r}"
