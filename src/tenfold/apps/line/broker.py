"""A connection to an MQTT broker, kept by paho's own thread. Needs the extra `line`."""

import threading
from collections.abc import Callable
from typing import Any

from tenfold.errors import Unavailable, Unsupported

try:
    from paho.mqtt import client as paho
    from paho.mqtt.enums import CallbackAPIVersion
except ImportError as error:
    raise Unsupported("MQTT needs the extra `line`.", hint="pip install 'tenfold[line]'") from error

LONGEST_WAIT_S = 5
KEEPALIVE_S = 10


class Broker:
    """`told` gets each message of `topic`, in paho's thread."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        topic: str = "",
        told: Callable[[Any], None] | None = None,
    ) -> None:
        self._where, self._topic = f"{host}:{port}", topic
        self._up = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, LONGEST_WAIT_S)
        self._client.connect_timeout = LONGEST_WAIT_S
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_message = lambda _client, _data, message: told and told(message)
        self._client.connect_async(host, port, KEEPALIVE_S)
        self._client.loop_start()

    def publish(self, topic: str, body: bytes) -> None:
        """
        Raises:
            Unavailable: the broker is away; it is not told later.
        """
        if not self._up.is_set():
            raise Unavailable(f"{self.problem()}.")
        self._client.publish(topic, body, qos=0)

    def wait(self, timeout_s: float) -> bool:
        """Whether it is connected, at the latest after this time."""
        return self._up.wait(timeout_s)

    def problem(self) -> str:
        """Why nothing can be told; empty: it is connected."""
        return "" if self._up.is_set() else f"the MQTT broker {self._where} is away"

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: Any, data: Any, flags: Any, reason: Any, more: Any) -> None:
        if reason.is_failure:
            return
        if self._topic:
            client.subscribe(self._topic, qos=1)
        self._up.set()

    def _disconnected(self, client: Any, data: Any, flags: Any, reason: Any, more: Any) -> None:
        self._up.clear()
