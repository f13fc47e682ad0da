"""Deployed heads asked by the process that needs the answer, which waits: no socket between.

What is asked is routed, recorded and billed as over the network.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, Self, TypeVar

import numpy as np
from jaxtyping import UInt8

from tenfold.errors import Unavailable
from tenfold.serving.inference import Asked, Inference, Replies

log = logging.getLogger(__name__)

POLL_S = 1.0
"""Between two looks at what was deployed."""
CLOSE_S = 30.0
_Result = TypeVar("_Result")
Question = tuple[tuple[str, ...], UInt8[np.ndarray, "h w c"]]
"""Deployments, and the picture that they are asked about; it passes each trunk once."""


class Desk:
    """An `Inference` on a loop of its own; may be asked from any thread inside its block."""

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="desk", daemon=True)
        self._is_over = threading.Event()
        self._polling = threading.Thread(target=self._poll, name="deployments", daemon=True)

    def __enter__(self) -> Self:
        self._inference.refresh()
        self._inference.warm()
        self._thread.start()
        self._polling.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._soon(self._inference.close()).result(CLOSE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_S)
        self._polling.join(CLOSE_S)
        self._loop.close()

    @property
    def is_ready(self) -> bool:
        """Whether heads and the trunks that they read were tried, and answered."""
        return self._inference.is_ready

    def knows(self, name: str) -> bool:
        """Whether something is live under that name."""
        return name in self._inference.routes.deployments

    def rehearse(self, some: Sequence[Question]) -> None:
        """Have pictures looked at before anybody asks; see `Inference.rehearse`."""
        self._inference.rehearse(some)

    def ask(
        self,
        some: Sequence[Question],
        *,
        id: str,
        route_key: str,
        timeout_s: float,
    ) -> list[Replies]:
        """What is said of each picture, in order; all pass the trunk together.

        Raises:
            NotFound: one is not deployed.
            IntegrityError: a head cannot be used.
            Unavailable: there is no answer in time.
        """
        deadline = time.monotonic() + timeout_s
        asked = self._soon(self._all(some, (id, route_key), deadline))
        try:
            return asked.result(timeout_s)
        except TimeoutError as error:
            asked.cancel()
            raise Unavailable(
                f"the heads did not answer within {1000 * timeout_s:.0f} ms.",
                where=id,
                hint="Allow more time, ask fewer heads, or give the station more cores.",
            ) from error

    async def _all(
        self,
        some: Sequence[Question],
        about: tuple[str, str],
        deadline: float,
    ) -> list[Replies]:
        routes, (id, route_key) = self._inference.routes, about
        replies = await asyncio.gather(
            *(
                self._inference.answer(
                    Asked(id, names, routes, route_key=route_key, deadline=deadline), [pixels]
                )
                for names, pixels in some
            )
        )
        return [of_one for (of_one,) in replies]

    def _soon(self, work: Coroutine[Any, Any, _Result]) -> "Future[_Result]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _poll(self) -> None:
        while not self._is_over.wait(POLL_S):
            try:
                self._inference.refresh()
            except Exception as error:  # noqa: BLE001 - the catalog is away: what is known goes on
                log.warning("deployments could not be looked up: %s", error)
