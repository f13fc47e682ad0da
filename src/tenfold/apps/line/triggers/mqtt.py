"""A message of an MQTT broker is a part in place."""

import logging
from typing import Any

from tenfold.apps.line.broker import Broker
from tenfold.apps.line.station import ByMqtt
from tenfold.apps.line.triggers import Latest, counting, trigger_of
from tenfold.apps.line.values import Trigger
from tenfold.errors import DataError

log = logging.getLogger(__name__)


class MqttTrigger:
    def __init__(self, spec: ByMqtt) -> None:
        self._spec, self._latest, self._own = spec, Latest(), counting()
        self._broker = Broker(spec.host, spec.port, topic=spec.topic, told=self._told)

    def wait(self, timeout_s: float) -> Trigger | None:
        return self._latest.wait(timeout_s)

    def problem(self) -> str:
        return self._broker.problem()

    def close(self) -> None:
        self._broker.close()

    def _told(self, message: Any) -> None:
        if message.retain:
            return  # kept by the broker from before we came: that part is gone
        try:
            self._latest.tell(trigger_of(message.payload, self._own))
        except DataError as error:
            log.warning("%s: %s", self._spec.topic, error)
