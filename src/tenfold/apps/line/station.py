"""A station as people write it down: what triggers it, what it sees with, whom it tells."""

import datetime as dt
import re
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from tenfold.specs.bar import Bar
from tenfold.specs.yaml_file import Name, Part, parsed, text_of

HINT = "docs/line.md lists every key."
FROM_CONTROLLER = ("sequence", "part", "serial", "lot", "accepted")
FROM_STATION = (
    "verdict",
    "reason",
    "verdict_sequence",
    "release_part",
    "release",
    "heartbeat",
    "ready",
)
"""Words of the contract, in the order in which they are written: `release` after its part."""
TEXTS = ("part", "serial", "lot", "reason", "release_part")
MAY_BE_MISSING = ("serial", "lot", "accepted")
DEFAULT_LETTERS = 32


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return text


Seconds = Annotated[float, Field(gt=0, le=3600)]
Port = Annotated[int, Field(ge=1, le=65535)]
Milliseconds = Annotated[float, Field(gt=0, le=60_000)]
Register = Annotated[int, Field(ge=0, le=65535)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Text = Annotated[str, Field(min_length=1)]


class ByController(Part):
    """A new `sequence` in the controller is a part in place."""

    kind: Literal["controller"]


class ByMqtt(Part):
    """A message `{"sequence": 17, "part": "4711", "serial": "", "lot": ""}` is a part in place."""

    kind: Literal["mqtt"]
    host: Text
    port: Port = 1883
    topic: Text


class ByTimer(Part):
    kind: Literal["timer"]
    every_s: Seconds
    part: str = ""


class ByFolder(Part):
    """A new file is a part in place; its name without the ending is the serial."""

    kind: Literal["folder"]
    path: Path
    part: str = ""
    poll_ms: Milliseconds = 20


class ByHttp(Part):
    """`POST /trigger` with the JSON that MQTT takes is a part in place."""

    kind: Literal["http"]
    host: Text = "127.0.0.1"
    port: Port
    part: str = ""


class Tags(Part):
    """OPC UA node of each word, such as `ns=2;s=Press3.sequence`."""

    prefix: str = ""
    """A word that is not named is at this and its own name."""
    sequence: str = ""
    part: str = ""
    serial: str = ""
    lot: str = ""
    accepted: str = ""
    verdict: str = ""
    reason: str = ""
    verdict_sequence: str = ""
    release_part: str = ""
    release: str = ""
    heartbeat: str = ""
    ready: str = ""

    @model_validator(mode="after")
    def _whole(self) -> "Tags":
        needed = [w for w in (*FROM_CONTROLLER, *FROM_STATION) if w not in MAY_BE_MISSING]
        missing = [word for word in needed if not self.of(word)]
        if missing:
            raise ValueError(f"no tag for {', '.join(missing)}: name each, or give a `prefix`")
        return self

    def of(self, word: str) -> str:
        """The node of a word; empty: there is none."""
        return getattr(self, word) or (self.prefix and self.prefix + word)


class OpcUa(Part):
    kind: Literal["opcua"]
    url: Annotated[str, Field(pattern=r"^opc\.tcp://")]
    tags: Tags
    user: str = ""
    password_file: Path | None = None
    """A file that holds the password alone."""
    sample_ms: Milliseconds = 5
    """How often the server looks whether `sequence` changed."""
    timeout_s: Seconds = 1


class Registers(Part):
    """First holding register of each word, counted from 0. A number has two registers (high word
    first), `verdict` and `ready` have one, a text has `letters` / 2 (two letters each, UTF-8)."""

    sequence: Register = 0
    part: Register = 2
    serial: Register | None = 18
    lot: Register | None = 34
    accepted: Register | None = 50
    release: Register = 52
    release_part: Register = 54
    verdict: Register = 70
    reason: Register = 71
    verdict_sequence: Register = 87
    heartbeat: Register = 89
    ready: Register = 91
    letters: Annotated[int, Field(ge=2, le=120, multiple_of=2)] = DEFAULT_LETTERS

    def size(self, word: str) -> int:
        """Registers that a word has."""
        if word in TEXTS:
            return self.letters // 2
        return 1 if word in ("verdict", "ready") else 2

    @model_validator(mode="after")
    def _apart(self) -> "Registers":
        words = (*FROM_CONTROLLER, *FROM_STATION)
        places = sorted((at, w) for w in words if (at := getattr(self, w)) is not None)
        for (at, word), (next_at, other) in pairwise(places):
            if at + self.size(word) > next_at:
                raise ValueError(f"{word!r} at {at} reaches into {other!r} at {next_at}")
        return self


class Modbus(Part):
    kind: Literal["modbus"]
    host: Text
    port: Port = 502
    unit: Annotated[int, Field(ge=0, le=247)] = 1
    registers: Registers = Registers()
    poll_ms: Milliseconds = 5
    timeout_s: Seconds = 1


class FolderCamera(Part):
    """Pictures of a folder. `replay`: one after another by name, again and again; `newest`: each
    file that is put there is a picture taken then."""

    kind: Literal["folder"]
    path: Path
    order: Literal["replay", "newest"] = "replay"
    per_second: Annotated[float, Field(gt=0, le=1000)] | None = None
    """Replay no faster than this."""
    lead_ms: Annotated[float, Field(ge=0, le=60_000)] = 0
    """`newest`: a picture so much older than the trigger still belongs to it."""


class StreamCamera(Part):
    """RTSP, USB (`/dev/video0`), or whatever else FFmpeg opens."""

    kind: Literal["stream"]
    url: Text
    lag_ms: Annotated[float, Field(ge=0, le=60_000)] = 0
    """From the light on the sensor to the decoded picture."""
    timeout_s: Seconds = 3


class GenicamCamera(Part):
    """GigE Vision or USB3 Vision, by Aravis."""

    kind: Literal["genicam"]
    address: str = ""
    """IP address, or the camera's name as Aravis lists it; empty: the first that is found."""
    exposure_us: Annotated[float, Field(gt=0)] | None = None
    gain_db: float | None = None
    trigger: Annotated[str, Field(pattern=r"^(software|free|Line\d+)$")] = "software"
    """`software`: when the part is told; `Line0`: by the camera's own input; `free`: running."""
    pixel_format: str = ""
    lead_ms: Annotated[float, Field(ge=0, le=60_000)] = 0
    """`Line0`, `free`: a picture so much older than the trigger still belongs to it."""
    packet_bytes: Annotated[int, Field(ge=576, le=16_000)] | None = None


class ControllerLight(Part):
    """A light that the controller switches: `value` is written to `tag` at each connection."""

    kind: Literal["controller"]
    name: Name
    tag: Text
    """OPC UA node, or the number of a Modbus register."""
    value: Annotated[int, Field(ge=0, le=65535)] = 1


class CameraLight(Part):
    """A light at an output of the GenICam camera."""

    kind: Literal["camera"]
    name: Name
    line: Annotated[str, Field(pattern=r"^Line\d+$")]
    source: str = "ExposureActive"


Light = Annotated[ControllerLight | CameraLight, Field(discriminator="kind")]


class Identity(Part):
    """Where part number and serial come from."""

    by: Literal["trigger", "code"] = "trigger"
    formats: tuple[Literal["DataMatrix", "QRCode", "Code128", "Code39", "EAN13"], ...] = (
        "DataMatrix",
        "QRCode",
        "Code128",
    )
    pattern: Pattern = "(?P<serial>.+)"
    """Of the whole code; the groups `part`, `serial` and `lot` are taken."""

    @model_validator(mode="after")
    def _names_something(self) -> "Identity":
        names = set(re.compile(self.pattern).groupindex)
        if not names or names - {"part", "serial", "lot"}:
            raise ValueError("`pattern` needs named groups, of `part`, `serial` and `lot` alone")
        return self


class ToMqtt(Part):
    kind: Literal["mqtt"]
    host: Text
    port: Port = 1883
    topic: Text
    """Verdicts go to `topic`/verdict, heartbeats to `topic`/state."""


class ToWebhook(Part):
    kind: Literal["webhook"]
    url: Annotated[str, Field(pattern=r"^https?://")]
    timeout_s: Seconds = 2


class Retention(Part):
    """Pictures that are kept; what was decided is kept for ever."""

    rejects_days: Annotated[int, Field(ge=1)] = 400
    ok_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    ok_days: Annotated[int, Field(ge=1)] = 30


Triggering = Annotated[
    ByController | ByMqtt | ByTimer | ByFolder | ByHttp, Field(discriminator="kind")
]
Controlling = Annotated[OpcUa | Modbus, Field(discriminator="kind")]
Seeing = Annotated[FolderCamera | StreamCamera | GenicamCamera, Field(discriminator="kind")]
Telling = Annotated[ToMqtt | ToWebhook, Field(discriminator="kind")]


class StationSpec(Part):
    station: Name
    trigger: Triggering
    controller: Controlling | None = None
    camera: Seeing
    light: tuple[Light, ...] = ()
    identity: Identity = Identity()
    deadline_ms: Milliseconds
    """From the trigger to the output; later is too late."""
    shifts: Annotated[dict[str, dt.time], Field(min_length=1)] = Field(
        default_factory=lambda: {"day": dt.time(0)}
    )
    """When each begins, by the clock of this machine."""
    red_rabbits: tuple[Text, ...] = ()
    """Serials of master parts known to be bad: each shift, nothing leaves before every one of them
    was rejected."""
    outputs: tuple[Telling, ...] = ()
    """Told beside the controller, which never waits for them."""
    retention: Retention = Retention()
    bar: Bar = Bar(overkill=0.05, escape=0.05)
    """What is to be proven of a part number in shadow before it goes live."""
    go_live: Literal["by_name", "proven"] = "by_name"
    """Who lets a part number go live: an engineer who says so, or the proof by itself too."""

    @model_validator(mode="after")
    def _fits(self) -> "StationSpec":
        trigger = self.trigger.kind
        if trigger == "controller" and self.controller is None:
            raise ValueError("`trigger: {kind: controller}` needs a `controller`")
        if self.controller is not None and trigger in ("timer", "folder"):
            raise ValueError(
                f"a {trigger} does not know the controller's `sequence`: trigger by the "
                "controller, or by mqtt or http with its `sequence`"
            )
        if any(one.kind == "controller" for one in self.light) and self.controller is None:
            raise ValueError("a light of the controller needs a `controller`")
        if isinstance(self.controller, Modbus):
            bad = [x for x in self.light if x.kind == "controller" and not x.tag.isdecimal()]
            if bad:
                raise ValueError(f"the tag of light {bad[0].name!r} must be a register's number")
        if self.bar.error is not None or self.bar.miss or self.bar.overkill is None:
            raise ValueError("the `bar` of a station limits `overkill`, and `escape` if asked")
        if any(one.kind == "camera" for one in self.light) and self.camera.kind != "genicam":
            raise ValueError("a light of the camera needs a genicam camera")
        return self


def parse(text: str, *, where: str) -> StationSpec:
    """
    Raises:
        SpecError: names file and line of what is wrong.
    """
    return parsed(StationSpec, text, where=where, hint=HINT)


def load_station(path: Path) -> StationSpec:
    """The station of a file; its folders are taken from where the file is.

    Raises:
        NotFound: there is no such file.
        SpecError: names file and line of what is wrong.
    """
    spec, home = parse(text_of(path), where=str(path)), path.absolute().parent
    changes: dict[str, Part] = {}
    for name in ("trigger", "camera"):
        one = getattr(spec, name)
        if isinstance(one, ByFolder | FolderCamera):
            changes[name] = one.model_copy(update={"path": home / one.path.expanduser()})
    if isinstance(spec.controller, OpcUa) and spec.controller.password_file is not None:
        file = home / spec.controller.password_file.expanduser()
        changes["controller"] = spec.controller.model_copy(update={"password_file": file})
    return spec.model_copy(update=changes)
