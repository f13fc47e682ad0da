"""The heads of a station, in its own process: nothing on the way to them can be lost or slow."""

import os
import secrets
import socket
from collections.abc import Generator
from contextlib import contextmanager

from tenfold.catalog import ledger
from tenfold.catalog.ledger import Run
from tenfold.factory.stock import runtime_of
from tenfold.predictions.log import Log
from tenfold.runtime.kept import Kept
from tenfold.runtime.shelf import Shelf
from tenfold.serving.desk import Desk
from tenfold.serving.inference import Inference
from tenfold.workspace import Workspace

HEADS_BYTES = 512_000_000
"""Heads that stay in memory: more than a thousand of the usual size."""
QUEUE = 64
BUDGET_S = 0.001
"""Pictures wait so long for others; those of one part come together."""


@contextmanager
def heads(workspace: Workspace) -> Generator[Desk]:
    """A desk that answers for everything deployed here; what it says is recorded and billed."""
    now = workspace.scope.now()
    run = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    ledger.begin(workspace.scope, Run(run, "line", host=socket.gethostname()))
    shelf = Shelf(
        workspace.blobs,
        runtime_of(workspace),
        workspace.settings.home / "packs",
        Kept(HEADS_BYTES),
    )
    answers = Log(workspace.answers_folder, f"{run}-{os.getpid()}", durable=False)
    inference = Inference(workspace, shelf, answers, queue=QUEUE, budget_s=BUDGET_S)
    with Desk(inference) as desk:
        yield desk
