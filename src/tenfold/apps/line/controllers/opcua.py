"""A controller by OPC UA, with asyncua."""

import logging
import queue
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tenfold.apps.line.controllers import EXTRA, Value
from tenfold.apps.line.station import (
    FROM_CONTROLLER,
    FROM_STATION,
    TEXTS,
    ControllerLight,
    OpcUa,
)
from tenfold.apps.line.values import Trigger
from tenfold.errors import SpecError, Unavailable, Unsupported

try:
    from asyncua import ua as _ua
    from asyncua.sync import Client, ThreadLoop
except ImportError as error:
    raise Unsupported("OPC UA needs the extra `line`.", hint=EXTRA) from error

ua: Any = _ua
WHOLE = ("SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64")
ASKED = ("sequence", "part", "serial", "lot")
SILENT_S = 0.1


class OpcUaWire:
    def __init__(self, spec: OpcUa, lights: Sequence[ControllerLight] = ()) -> None:
        self._spec, self._lights = spec, lights
        self._loop: Any = None
        self._client: Any = None
        self._nodes: dict[str, Any] = {}
        self._types: dict[str, Any] = {}
        self._told: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._last: int | None = None

    def connect(self) -> int:
        spec = self._spec
        logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # it logs what it also raises
        with self._told_plainly():
            self._loop = ThreadLoop(2 * spec.timeout_s)
            self._loop.daemon = True  # a station that fails must be able to end
            self._loop.start()
            self._client = Client(spec.url, spec.timeout_s, self._loop, watchdog_intervall=0.5)
            if spec.user:
                self._client.set_user(spec.user)
            if spec.password_file is not None:
                self._client.set_password(_password(spec))
            self._client.connect()
            words = (*FROM_CONTROLLER, *FROM_STATION)
            self._nodes = {w: self._node(spec.tags.of(w)) for w in words if spec.tags.of(w)}
            self._find_types()
            for light in self._lights:
                node = self._node(light.tag)
                kind = node.read_data_type_as_variant_type()
                node.write_value(_value(_cast(light.value, kind), kind))
            standing = _whole(self._nodes["sequence"].read_value())
            self._subscribe(standing)
        return standing

    def watch(self, timeout_s: float) -> int | None:
        """Told by the subscription. Whether it still tells is asked when it is silent: a new
        sequence that it did not tell is as stale as one that stands there at the beginning."""
        try:
            self._last = _whole(self._told.get(timeout=timeout_s))
            return self._last
        except queue.Empty:
            pass
        with self._told_plainly():
            standing = _whole(self._nodes["sequence"].read_value())
        if standing == self._last:
            return None
        try:
            self._last = _whole(self._told.get(timeout=SILENT_S))
        except queue.Empty as error:
            raise Unavailable("the subscription is silent.", where=self._spec.url) from error
        return self._last

    def read(self) -> Trigger:
        words = [word for word in ASKED if word in self._nodes]
        with self._told_plainly():
            values = self._client.read_values([self._nodes[word] for word in words])
        found = dict(zip(words, values, strict=True))
        part, serial, lot = (str(found.get(word) or "") for word in ASKED[1:])
        return Trigger(_whole(found["sequence"]), part, serial, lot)

    def accepted(self) -> int | None:
        if "accepted" not in self._nodes:
            return None
        with self._told_plainly():
            return _whole(self._nodes["accepted"].read_value())

    def write(self, words: Mapping[str, Value]) -> None:
        """In one call, whose writes a server does in their order."""
        with self._told_plainly():
            nodes = [self._nodes[word] for word in words]
            values = [_value(_cast(v, self._types[w]), self._types[w]) for w, v in words.items()]
            self._client.write_values(nodes, values)

    def examine(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for word, node in self._nodes.items():
            kind = self._types[word].name
            fits = kind == "String" if word in TEXTS else kind in WHOLE
            if word == "ready":
                fits = kind == "Boolean"
            if not fits:
                wanted = "String" if word in TEXTS else "Boolean" if word == "ready" else "UInt32"
                found.append((word, f"its type is {kind}, {wanted} is expected"))
            elif word in FROM_STATION:
                with self._told_plainly():
                    level = node.read_attribute(ua.AttributeIds.UserAccessLevel).Value.Value
                if not level & (1 << ua.AccessLevel.CurrentWrite):
                    found.append((word, "the station may not write it"))
        return found

    def close(self) -> None:
        client, loop, self._client, self._loop = self._client, self._loop, None, None
        try:
            if client is not None:
                loop.timeout = self._spec.timeout_s
                client.disconnect()
        except (ua.UaError, OSError, TimeoutError, RuntimeError):
            pass  # it is gone already
        finally:
            if loop is not None:
                loop.stop()

    def _node(self, name: str) -> Any:
        try:
            return self._client.get_node(name)
        except ua.UaError as error:
            raise SpecError(
                f"{name!r} is no OPC UA node.",
                where=self._spec.url,
                hint="A node is written as ns=2;s=Press3.sequence or ns=3;i=1007.",
            ) from error

    def _find_types(self) -> None:
        """
        Raises:
            Unavailable: names the tags that are not there.
        """
        missing: list[str] = []
        self._types = {}
        for word, node in self._nodes.items():
            try:
                self._types[word] = node.read_data_type_as_variant_type()
            except (ua.UaStatusCodeError, AttributeError):
                missing.append(f"{word} ({node.nodeid.to_string()})")
        if missing:
            raise Unavailable(
                f"the controller has no tag for {', '.join(missing)}.",
                where=self._spec.url,
                hint="Make them in the controller, or name its own under `tags`.",
            )

    def _subscribe(self, standing: int) -> None:
        self._told, self._last = queue.SimpleQueue(), standing
        told = _Told(self._told)
        subscription = self._client.create_subscription(self._spec.sample_ms, told)
        subscription.subscribe_data_change(
            self._nodes["sequence"], queuesize=1, sampling_interval=self._spec.sample_ms
        )

    @contextmanager
    def _told_plainly(self) -> Generator[None]:
        try:
            yield
        except (ua.UaError, OSError, TimeoutError, RuntimeError, AttributeError) as error:
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise Unavailable(
                f"the controller does not answer: {said}.",
                where=self._spec.url,
                hint="Is it switched on, and is the address right? `tenfold line check` tells.",
            ) from error


class _Told:
    """What asyncua calls in its own thread when a value changed."""

    def __init__(self, told: queue.SimpleQueue[Any]) -> None:
        self._told = told

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        self._told.put(value)

    def status_change_notification(self, status: Any) -> None:
        pass  # `watch` asks by itself


def _value(value: Value, kind: Any) -> Any:
    """Without times: many controllers refuse to have them written."""
    return ua.DataValue(ua.Variant(value, kind))


def _cast(value: Value, kind: Any) -> Value:
    if kind.name == "Boolean":
        return bool(value)
    return str(value) if kind.name == "String" else value if isinstance(value, str) else int(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unavailable(f"`sequence` must be a whole number, got {value!r}.")
    return value


def _password(spec: OpcUa) -> str:
    assert spec.password_file is not None
    try:
        return spec.password_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SpecError("there is no such file.", where=str(spec.password_file)) from error
