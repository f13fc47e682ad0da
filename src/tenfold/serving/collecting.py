"""What was answered is taken into the books now and then, by whoever comes by first."""

import logging
import threading
import time
from typing import Self

from tenfold.predictions import pictures
from tenfold.predictions.collector import collect
from tenfold.predictions.history import fresh_files
from tenfold.predictions.merging import tidy
from tenfold.workspace import Workspace

log = logging.getLogger(__name__)

COLLECT = "collect answers"
TIDY_S = 3600.0
"""Between two merges of files of answers, where few are new."""
TIDY_MANY_S = 60.0
"""The same where many are."""
MANY = 256
END_S = 30.0


def collect_now(workspace: Workspace) -> None:
    """Take in what was answered here, and delete pictures whose time is over; what cannot be taken
    in now is taken in later."""
    scope, claims = workspace.scope, workspace.catalog.claims
    folder = workspace.answers_folder
    try:
        if claims.take(scope.tenant, COLLECT):
            try:
                collect(scope, folder)
                pictures.purge(folder, today=scope.now().date())
            finally:
                claims.release(scope.tenant, COLLECT)
    except Exception as error:  # noqa: BLE001 - work goes on whatever becomes of the books
        log.warning("what was answered is collected later: %s", error)


class Tidying:
    """Merges what was collected now and then, in a thread of its own, so that nothing waits for it;
    the end of the block ends it."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._thread: threading.Thread | None = None
        self._is_over = threading.Event()
        self._last = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        if self._thread is not None:
            self._thread.join(END_S)

    def now_and_then(self) -> None:
        """Begin if it is time; comes back at once."""
        passed_s = time.monotonic() - self._last
        is_busy = self._thread is not None and self._thread.is_alive()
        if is_busy or passed_s < TIDY_MANY_S:
            return
        files = len(fresh_files(self._workspace.answers_folder))
        if passed_s >= TIDY_S or files >= MANY:
            self._thread = threading.Thread(target=self._tidy, name="tidying", daemon=True)
            self._thread.start()

    def _tidy(self) -> None:
        workspace = self._workspace
        try:
            tidy(
                workspace.scope,
                workspace.answers_folder,
                keep_days=workspace.settings.answers_days,
                goes_on=lambda: not self._is_over.is_set(),
            )
        except Exception as error:  # noqa: BLE001 - work goes on whatever becomes of old answers
            log.warning("what was answered is merged later: %s", error)
        self._last = time.monotonic()
