"""Verdicts and heartbeats as MQTT messages."""

import json
from collections.abc import Mapping
from typing import Any

from tenfold.apps.line.broker import Broker
from tenfold.apps.line.outputs import Subject
from tenfold.apps.line.station import ToMqtt


class MqttOutput:
    def __init__(self, spec: ToMqtt) -> None:
        self._spec, self._broker = spec, Broker(spec.host, spec.port)

    def send(self, subject: Subject, body: Mapping[str, Any]) -> None:
        self._broker.publish(f"{self._spec.topic}/{subject}", json.dumps(body).encode())

    def close(self) -> None:
        self._broker.close()
