"""Verdicts by HTTP POST."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

from tenfold.apps.line.outputs import Subject
from tenfold.apps.line.station import ToWebhook
from tenfold.errors import Unavailable
from tenfold.settings import masked


class WebhookOutput:
    def __init__(self, spec: ToWebhook) -> None:
        self._spec = spec

    def send(self, subject: Subject, body: Mapping[str, Any]) -> None:
        """Heartbeats are not told: they are for who listens all the time."""
        if subject != "verdict":
            return
        request = urllib.request.Request(
            self._spec.url,
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method="POST",
        )
        try:
            with urllib.request.urlopen(request, timeout=self._spec.timeout_s) as reply:
                reply.read(1000)
        except (urllib.error.URLError, HTTPException, OSError) as error:
            why = getattr(error, "reason", None) or error
            raise Unavailable(
                f"the webhook does not take verdicts: {why}.", where=masked(self._spec.url)
            ) from error

    def close(self) -> None:
        pass
