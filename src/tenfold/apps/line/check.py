"""What a station can reach, and what to do about what it cannot; nothing is released."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from tenfold.apps.line.cameras import open_camera
from tenfold.apps.line.controllers import open_wire
from tenfold.apps.line.floor import controller_lights
from tenfold.apps.line.station import ByFolder, ByHttp, CameraLight, StationSpec
from tenfold.errors import TenfoldError
from tenfold.settings import masked

State = Literal["ok", "problem"]
WAIT_S = 10.0
"""For a camera or a broker to answer."""
LIBRARY = "pip install 'tenfold[line]'"


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    """Key in the spec, such as `controller.tags.sequence`."""
    state: State
    text: str
    hint: str = ""


def check(spec: StationSpec, *, wait_s: float = WAIT_S) -> list[Finding]:
    """Try each part of a station, all at once; takes `wait_s` and a little at most, each."""
    jobs: list[tuple[str, Callable[[], list[Finding]]]] = [
        ("trigger", lambda: _trigger(spec, wait_s)),
        ("camera", lambda: _camera(spec, wait_s)),
    ]
    if spec.controller is not None:
        jobs.insert(1, ("controller", lambda: _controller(spec)))
    if spec.identity.by == "code":
        jobs.append(("identity", _identity))
    for number, output in enumerate(spec.outputs):
        name = f"outputs.{number}"
        if output.kind == "mqtt":
            where = output.host, output.port
            jobs.append((name, lambda n=name, w=where: _broker(n, *w, wait_s)))
        else:
            jobs.append((name, lambda n=name, o=output: _webhook(n, o.url, o.timeout_s)))
    with ThreadPoolExecutor(len(jobs)) as pool:
        found = [(name, pool.submit(job)) for name, job in jobs]
        return [one for name, job in found for one in _told(name, job.result)]


def is_reachable(findings: Sequence[Finding]) -> bool:
    return all(one.state == "ok" for one in findings)


def _told(what: str, job: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return job()
    except TenfoldError as error:
        place = f"{error.where}: " if error.where else ""
        return [Finding(what, "problem", f"{place}{error.args[0]}", error.hint or "")]


def _trigger(spec: StationSpec, wait_s: float) -> list[Finding]:
    trigger = spec.trigger
    if trigger.kind == "mqtt":
        return _broker("trigger", trigger.host, trigger.port, wait_s)
    if isinstance(trigger, ByFolder):
        import_module("tenfold.apps.line.triggers.folder").probe(trigger)
        return [Finding("trigger", "ok", f"new files in {trigger.path} are parts")]
    if isinstance(trigger, ByHttp):
        import_module("tenfold.apps.line.triggers.http").HttpTrigger(trigger).close()
        address = f"http://{trigger.host}:{trigger.port}/trigger"
        return [Finding("trigger", "ok", f"POST {address} will be a part")]
    if trigger.kind == "timer":
        return [Finding("trigger", "ok", f"a part every {trigger.every_s:g} s")]
    return [Finding("trigger", "ok", "a new `sequence` of the controller is a part")]


def _controller(spec: StationSpec) -> list[Finding]:
    """The lights are switched on; no other word is written."""
    assert spec.controller is not None
    key = "tags" if spec.controller.kind == "opcua" else "registers"
    with closing(open_wire(spec.controller, controller_lights(spec))) as wire:
        began = time.perf_counter()
        wire.connect()
        found = [
            Finding(f"controller.{key}.{word}", "problem", text, f"Mend it, or `{key}.{word}`.")
            for word, text in wire.examine()
        ]
        part = wire.read()
        took_ms = 1000 * (time.perf_counter() - began)
    stands = f"sequence {part.sequence}, part {part.part!r}"
    return [Finding("controller", "ok", f"{stands}; {took_ms:.0f} ms to connect"), *found]


def _camera(spec: StationSpec, wait_s: float) -> list[Finding]:
    lights = [one for one in spec.light if isinstance(one, CameraLight)]
    with closing(open_camera(spec.camera, lights)) as camera:
        waits = getattr(spec.camera, "trigger", "") not in ("", "software", "free") or (
            getattr(spec.camera, "order", "") == "newest"
        )
        if waits:  # no part is before it: it can be looked for, but takes no picture
            end = time.monotonic() + wait_s
            while (why := camera.problem()) and time.monotonic() < end:
                time.sleep(0.05)
            state: State = "problem" if why else "ok"
            return [Finding("camera", state, why or "it is there, and waits for a part")]
        began = time.perf_counter()
        frame = camera.grab(wait_s)
        took_ms = 1000 * (time.perf_counter() - began)
        height, width, _ = frame.pixels.shape
    name = getattr(camera, "name", "")
    text = f"{name + ': ' if name else ''}{width} × {height} pixels after {took_ms:.0f} ms"
    return [Finding("camera", "ok", text)]


def _identity() -> list[Finding]:
    import_module("tenfold.apps.line.codes")
    return [Finding("identity", "ok", "codes can be read")]


def _broker(what: str, host: str, port: int, wait_s: float) -> list[Finding]:
    broker_of = import_module("tenfold.apps.line.broker").Broker
    with closing(broker_of(host, port)) as broker:
        if broker.wait(min(wait_s, 5)):
            return [Finding(what, "ok", f"the MQTT broker {host}:{port} answers")]
        hint = "Is it running, and may this machine reach it?"
        return [Finding(what, "problem", broker.problem(), hint)]


def _webhook(what: str, url: str, timeout_s: float) -> list[Finding]:
    """Whether somebody answers, whatever it is: a verdict is not sent for a try."""
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=timeout_s):
            pass
    except urllib.error.HTTPError as error:
        if error.code == 404:
            text = f"{masked(url)} answers 404 (to HEAD)"
            return [Finding(what, "problem", text, "Is the path right?")]
    except (urllib.error.URLError, OSError) as error:
        why = getattr(error, "reason", None) or error
        hint = "Is it running, and may this machine reach it?"
        return [Finding(what, "problem", f"{masked(url)} does not answer: {why}", hint)]
    return [Finding(what, "ok", f"{masked(url)} answers")]
