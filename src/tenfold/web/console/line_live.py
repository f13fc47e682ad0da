"""What changes at a station, told to browsers as it happens; however many look, one look is made.

Each screen keeps a stream open and is sent the sections that are new to it, as JSON.
"""

import asyncio
import io
import json
import threading
import time
from collections.abc import AsyncGenerator
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from PIL import Image
from starlette.responses import Response, StreamingResponse

from tenfold.apps.line.journal import Part
from tenfold.apps.line.state import State
from tenfold.apps.line.stations import JOURNAL, evidence_of, journal_of, known_folder
from tenfold.apps.line.watching import EVERY_S, Seen, Watch
from tenfold.errors import NotAllowed, TenfoldError
from tenfold.web.api.line import look_of, pictured
from tenfold.web.console import line_words
from tenfold.web.console.line_figures import Kept
from tenfold.web.console.text import Language, Text, text_for
from tenfold.web.identity import Identity
from tenfold.web.plain import answered
from tenfold.web.who import Shown
from tenfold.workspace import Workspace

STILL_S = 2.0
"""A screen hears at least so often that the hub is there."""
ASK_AGAIN_S = 10.0
"""So often it is asked again whether whoever looks still may."""
SMALL_PX, REMEMBERED = 320, 500
Told = dict[str, str]
"""Section → JSON."""


class Watches:
    """The stations that somebody looks at."""

    def __init__(self) -> None:
        self._alone = threading.Lock()
        self._open: dict[str, tuple[int, Watch]] = {}
        self._told: dict[tuple[str, Language], tuple[Seen, Told]] = {}

    def told(self, workspace: Workspace, station: str, say: Text) -> Told:
        """What a screen shows now, section by section.

        Raises:
            NotFound: there is no such station.
            Unavailable: its journal cannot be read.
        """
        seen = self.of(workspace, station).now()
        key = (station, say.language)
        kept = self._told.get(key)
        if kept is None or kept[0] is not seen:
            kept = self._told[key] = (seen, sections(say, station, seen))
        return kept[1]

    def of(self, workspace: Workspace, station: str) -> Watch:
        """
        Raises:
            NotFound: there is no such station.
            Unavailable: its journal cannot be used.
        """
        folder = known_folder(workspace, station)
        with self._alone:
            known = self._open.get(station)
            if known is None or known[0] != _file(folder):  # a damaged journal was put aside
                journal = journal_of(workspace, station)
                known = self._open[station] = (_file(folder), Watch(folder, journal))
            return known[1]


def _file(folder: Path) -> int:
    """Which file the journal is; 0: there is none."""
    try:
        return (folder / JOURNAL).stat().st_ino
    except OSError:
        return 0


def attach(app: FastAPI) -> None:
    """Put the routes on the hub's application."""
    watches = app.state.line_watches = Watches()
    app.state.line_figures = Kept()

    @lru_cache(REMEMBERED)
    def small(station: str, part: int, _: datetime) -> bytes:
        found = look_of(app.state.workspace, station, part)
        return _small(pictured(evidence_of(app.state.workspace, station).picture(found), part).body)

    @app.get("/console/line/{station}/live", include_in_schema=False)
    async def live(request: Request, station: str, workspace: Shown) -> Response:
        known_folder(workspace, station)
        telling = _telling(request, watches, station)
        return StreamingResponse(telling, media_type="text/event-stream")

    @app.get("/console/line/{station}/small/{part}", include_in_schema=False)
    def thumbnail(station: str, part: int, workspace: Shown) -> Response:
        found = look_of(workspace, station, part)
        return pictured(small(station, part, found.at), part)

    @app.get("/console/line/{station}/evidence/{part}", include_in_schema=False)
    def evidence(station: str, part: int, workspace: Shown) -> Response:
        kept, found = evidence_of(workspace, station), look_of(workspace, station, part)
        has_picture = kept.picture(found) is not None
        return answered({"picture": has_picture, "maps": list(kept.maps(found))})


async def _telling(request: Request, watches: Watches, station: str) -> AsyncGenerator[str]:
    """Server-sent events, until the browser goes, may look no more, or the hub ends."""
    state, say = request.app.state, text_for(request)
    sent, told_s, asked_s = Told(), 0.0, time.monotonic()
    while not state.is_draining:
        now_s = time.monotonic()
        try:
            if now_s - asked_s > ASK_AGAIN_S:
                await asyncio.to_thread(_still_may, request)
                asked_s = now_s
            found = await asyncio.to_thread(watches.told, state.workspace, station, say)
        except NotAllowed:
            return
        except TenfoldError as error:
            found = {"wrong": json.dumps(line_words.reason(say, str(error)))}
        new = {name: text for name, text in found.items() if sent.get(name) != text}
        if new or now_s - told_s > STILL_S:
            sent, told_s = found, now_s
            told = ", ".join(f'"{name}": {text}' for name, text in new.items())
            yield f"data: {{{told}}}\n\n"
        await asyncio.sleep(EVERY_S)


def _still_may(request: Request) -> None:
    """
    Raises:
        NotAllowed: whoever looks may no more.
    """
    known: Identity = request.app.state.identities.identify(request)
    known.require("show")


def sections(say: Text, station: str, seen: Seen) -> Told:
    """What a screen shows, in the language of its reader."""
    state, newest, yields = seen.state, seen.newest, seen.yields
    stand = line_words.standing(say, state, is_silent=seen.is_silent)
    left = state.rabbits_left if state and not seen.is_silent else ()
    is_due = bool(state and not seen.is_silent and state.seeing != "proven")
    by = say("{who} asked: the next part goes to manual inspection.", who=newest.asked)
    plain: dict[str, Any] = {
        "stand": {**stand, "rabbits": list(left) if is_due else []},
        "last": _last(say, newest.last, newest.asked_for_last),
        "counts": {
            "shift": seen.shift,
            "parts": say.number(yields.parts),
            "ok": say.number(yields.ok),
            "reject": say.number(yields.rejected),
            "manual": say.number(yields.manual),
            "yield": say.percent(yields.share) if yields.ok + yields.rejected else "–",
            "first": say.percent(yields.first_pass) if yields.parts else "–",
        },
        "rejects": [_brief(say, part) for part in newest.rejects],
        "lamps": _lamps(say, state, is_silent=seen.is_silent),
        "beats": state.beats if state and not seen.is_silent else None,
        "asked": by if newest.asked else "",
        "wrong": "",
    }
    return {name: json.dumps(value, ensure_ascii=False) for name, value in plain.items()}


def _last(say: Text, part: Part | None, asked: str) -> dict[str, Any] | None:
    if part is None:
        return None
    why = line_words.reason(say, part.reason)
    if asked:
        why = say("{who} asked to see this part", who=asked)
    return {
        **_brief(say, part),
        "reason": why,
        "do": line_words.advice(say, part.reason),
        "part": part.part,
        "lot": part.lot,
        "rabbit": part.is_rabbit,
        "asks": bool(part.judged) and not part.overruled and not part.is_rabbit,
        "station": part.outcome,
        "overruled": line_words.overruled(say, part),
        "regions": [one.region for one in sorted(part.regions, key=lambda one: -one.score)],
        "ms": round(part.times.get("all", 0.0)),
    }


def _brief(say: Text, part: Part) -> dict[str, Any]:
    return {
        "id": part.id,
        "kind": part.verdict,
        "word": line_words.verdict(say, part.verdict),
        "sign": line_words.SIGNS.get(part.verdict, ""),
        "reason": line_words.reason(say, part.reason),
        "serial": part.serial,
        "at": part.at.isoformat(),
    }


def _lamps(say: Text, state: State | None, *, is_silent: bool) -> dict[str, list[str]]:
    """State of each thing: good, bad or nothing known, and in words."""
    if state is None or is_silent:
        unknown = ["", say("not known")]
        return dict.fromkeys(("camera", "controller", "heads", "disk", "rabbits"), unknown)
    told = {
        name: ["bad" if wrong else "good", line_words.reason(say, wrong) or say("good")]
        for name, wrong in (
            ("camera", state.camera),
            ("controller", state.controller),
            ("heads", state.heads),
            ("disk", state.disk),
        )
    }
    left = len(state.rabbits_left)
    rabbits = {
        "proven": ["good", say("rejected")],
        "unproven": ["warn", say("{count} to be shown", count=left)],
        "blind": ["bad", say("one passed")],
    }
    return {**told, "rabbits": rabbits[state.seeing]}


def _small(data: bytes | memoryview) -> bytes:
    with Image.open(io.BytesIO(data)) as opened:
        opened.draft("RGB", (SMALL_PX * 2, SMALL_PX * 2))
        image = opened.convert("RGB")
    image.thumbnail((SMALL_PX, SMALL_PX))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=82)
    return out.getvalue()
