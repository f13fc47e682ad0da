"""What the console says, in English and 简体中文, and how it writes numbers and times."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import yaml
from fastapi import Request

from tenfold.factory.report import words

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
LANGUAGE_COOKIE = "tenfold_language"
TABLE = Path(__file__).parent / "strings.yaml"


@cache
def table() -> Mapping[str, str]:
    """English → 简体中文; the only table of strings."""
    return yaml.safe_load(TABLE.read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Text:
    """Says things in one language: `say("{count} pictures", count=say.number(3))`."""

    language: Language

    def __call__(self, english: str, **values: object) -> str:
        """What is not in the table stays English, so that nothing disappears."""
        pattern = english if self.language == "en" else table().get(english, english)
        return pattern.format(**values) if values else pattern

    def number(self, value: int) -> str:
        return words.count(value)

    def percent(self, share: float | None) -> str:
        return words.percent(share)

    def percent_up(self, share: float | None) -> str:
        return words.percent_up(share)

    def moment(self, at: datetime | None) -> str:
        """To the minute, UTC."""
        return f"{at:%Y-%m-%d %H:%M}" if at else "–"


def text_for(request: Request) -> Text:
    """In the language that was chosen, else the first that the browser asks for."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    for language in LANGUAGES:
        if chosen == language:
            return Text(language)
    for asked in request.headers.get("accept-language", "").split(","):
        for language in LANGUAGES:
            if asked.strip().lower().startswith(language):
                return Text(language)
    return Text("en")
