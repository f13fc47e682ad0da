"""What the core says in English, said in the language of the reader.

The core speaks English: its errors, the reasons on a timeline, why a file was set aside.
`told.yaml` holds each such sentence with `{holes}` for its values, and the same in Chinese. What
fits a sentence is said anew with its values; what a person wrote fits none and stays.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tenfold.errors import TenfoldError
from tenfold.specs.yaml_file import LOADER
from tenfold.web import errors
from tenfold.web.console.text import Text, table, text_for

TABLE = Path(__file__).parent / "told.yaml"
PLACE = "{place}: {told}"
HOLE = re.compile(r"\{(\w+)\}")
NEXT, PLACED = re.compile(r"(?<=[.…]) "), re.compile(": ")
NAMES = r"""'[^']*'|"[^"]*"|\S+(?:, \S+)*"""
"""What a sentence may begin with, unless it begins with another one."""
QUOTED = re.compile("'[^']*'(?:(?:, | or | and )'[^']*')*")
BETWEEN = {"', '": "”、“", "' or '": "”或“", "' and '": "”和“"}
SENTENCES = frozenset({"message", "problem", "proof", "reason", "slow", "told"})
"""Holes that hold sentences."""
WORDS = frozenset({"action", "mode", "role", "status"})
"""Holes that hold words of the console."""
SHORT = frozenset({"key", "task", "model", "sample", "pack", "variable"})
"""Holes that hold a name without blanks."""
INDEXED = 3
LONGEST = 2000
KEPT = 4096
KEPT_HEADERS = ("retry-after", "www-authenticate")

ALARMS = {
    "features": "unusual pictures",
    "drift": "drift",
    "brightness": "brightness",
    "contrast": "contrast",
    "sharpness": "sharpness",
    "scores": "unusual scores",
    "rejects": "unusual answers",
    "passes": "too much alike",
    "slow": "slow",
    "unfit": "unfit",
}
"""Short names of the kinds of change."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One line of the table."""

    shape: str
    end: str
    chinese: str
    weight: int
    """Letters that are no value: the more, the surer it is meant."""
    is_begun: bool
    """Whether it begins with a word of its own, and not with a value."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """What a line of the table says of a text."""

    chinese: str
    is_begun: bool


@dataclass(frozen=True, slots=True)
class Sentences:
    """The table, to be found in without trying every line of it."""

    plain: Mapping[str, str]
    begun: Mapping[str, list[Sentence]]
    """By the letters they begin with; nothing: with a hole."""


def retold(say: Text, told: str) -> str:
    """What the core wrote, in the language of the reader; anything else as it is."""
    if say.language == "en":
        first, *_ = NEXT.split(told, 1)
        found = _fitting(told) or _fitting(first) or _fitting(told.removesuffix("."))
        return told[:1].upper() + told[1:] if found and found.is_begun else told
    return _chinese(told) or told


def problem(say: Text, error: TenfoldError) -> str:
    """What is wrong, and where, in one line."""
    told = retold(say, str(error.args[0]))
    return say(PLACE, place=retold(say, error.where), told=told) if error.where else told


def advice(say: Text, error: TenfoldError) -> str:
    """What to do about it; may be empty."""
    return retold(say, error.hint) if error.hint else ""


async def answered(request: Request, error: Exception) -> Response:
    """A route's error, to a page in its language; programs ask for none and are told in English."""
    assert isinstance(error, TenfoldError)
    say, answer = text_for(request), await errors.told(request, error)
    if say.language == "en":
        return answer
    said = f"{problem(say, error)} {advice(say, error)}".strip()
    kept = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
    return JSONResponse({"error": said}, answer.status_code, kept)


@lru_cache(KEPT)
def _chinese(told: str) -> str | None:
    if len(told) > LONGEST:
        return None
    return _several(told) or _whole(told) or _placed(told)


def _several(told: str) -> str | None:
    """What is wrong and what to do, in one text."""
    for joint in NEXT.finditer(told):
        rest = _chinese(told[joint.end() :])
        head = told[: joint.start()]
        first = (_whole(head) or _placed(head)) if rest else None
        if first:
            return f"{first}{rest}"
    return None


def _placed(told: str) -> str | None:
    """A place, and what is wrong there."""
    for joint in PLACED.finditer(told):
        rest, place = _chinese(told[joint.end() :]), told[: joint.start()]
        if rest:
            return table()[PLACE].format(place=_whole(place) or place, told=rest)
    return None


def _whole(told: str) -> str | None:
    """One line of the table that `told` is, in Chinese."""
    found = _fitting(told)
    if found:
        return found.chinese
    begun = _fitting(told[:-1]) if told.endswith(".") else None
    return f"{begun.chinese}。" if begun else None


def _fitting(told: str) -> Fitting | None:
    """The line with the most letters of its own that fits."""
    known, low = sentences(), _low(told)
    if low in known.plain:
        return Fitting(known.plain[low], is_begun=True)
    begins = dict.fromkeys(low[:length] for length in range(INDEXED + 1))
    tried = [one for begin in begins for one in known.begun.get(begin, ())]
    for one in sorted(tried, key=lambda one: -one.weight):
        text = low if one.is_begun else told
        found = _compiled(one.shape).fullmatch(text) if text.endswith(one.end) else None
        said = _filled(one.chinese, found.groupdict()) if found else None
        if said:
            return Fitting(said, is_begun=one.is_begun)
    return None


def _filled(chinese: str, values: Mapping[str, str]) -> str | None:
    said = {name: _value(name, value) for name, value in values.items()}
    if "told" in values and _chinese(values["told"]) is None:
        return None
    filled = HOLE.sub(lambda hole: said[hole[1]], chinese)
    return filled.replace(" “", "“").replace("” ", "”")


def _value(name: str, value: str) -> str:
    if name in WORDS:
        return table().get(value, value)
    if QUOTED.fullmatch(value):
        for english, chinese in BETWEEN.items():
            value = value.replace(english, chinese)
        return f"“{value[1:-1]}”"
    return _chinese(value) or value


@cache
def sentences() -> Sentences:
    """All of the table."""
    plain: dict[str, str] = {}
    begun: defaultdict[str, list[Sentence]] = defaultdict(list)
    for english, chinese in told_table().items():
        texts = HOLE.split(_low(english))
        if len(texts) == 1:
            plain[texts[0]] = chinese
        else:
            weight = sum(map(len, texts[::2]))
            begun[texts[0][:INDEXED]].append(
                Sentence(_shape(texts), texts[-1], chinese, weight, is_begun=bool(texts[0]))
            )
    return Sentences(plain, begun)


@cache
def told_table() -> Mapping[str, str]:
    """English → 简体中文, as it stands in the file."""
    return yaml.load(TABLE.read_text(encoding="utf-8"), Loader=LOADER)


def _shape(texts: list[str]) -> str:
    shaped = re.escape(texts[0])
    for name, text in zip(texts[1::2], texts[2::2], strict=True):
        is_first = not shaped and name not in SENTENCES
        value = NAMES if is_first else r"[^\s:]+" if name in SHORT else ".+?"
        shaped += f"(?P<{name}>{value}){re.escape(text)}"
    return shaped


@cache
def _compiled(shape: str) -> re.Pattern[str]:
    return re.compile(shape, re.DOTALL)


def _low(text: str) -> str:
    """Sentences are found within others too, where they begin small."""
    return text[:1].lower() + text[1:]
