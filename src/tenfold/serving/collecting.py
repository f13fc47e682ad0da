"""What was answered is taken into the books now and then, by whoever comes by first."""

import logging

from tenfold.predictions import pictures
from tenfold.predictions.collector import collect
from tenfold.workspace import Workspace

log = logging.getLogger(__name__)

COLLECT = "collect answers"


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
