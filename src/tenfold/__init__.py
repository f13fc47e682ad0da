"""Tenfold: a vision model factory. The same verbs as the `tenfold` command.

import tenfold

with tenfold.opened("~/line-3") as ws:
    tenfold.ingest(ws, "./caps", name="caps")
    spec = tenfold.load_spec("caps.yaml")
    made = tenfold.make(ws, tenfold.plan(ws, spec))
    print(made.in_words)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tenfold.no_telemetry import refuse_telemetry

if TYPE_CHECKING:
    from tenfold.backup import back_up, restore
    from tenfold.factory.describe import describe as show
    from tenfold.factory.doctor import examine as doctor
    from tenfold.factory.edge_export import export_edge
    from tenfold.factory.export import evidence_of as evidence
    from tenfold.factory.export import export_onnx, export_package
    from tenfold.factory.fleet import make_fleet, survey
    from tenfold.factory.forget import forget, what_hangs_on
    from tenfold.factory.ingest import ingest
    from tenfold.factory.make import embed_ahead as embed
    from tenfold.factory.make import make, make_all
    from tenfold.factory.plan import plan
    from tenfold.factory.predict import predict_paths as predict
    from tenfold.factory.reporting import write_report as report
    from tenfold.factory.reproduce import reproduce
    from tenfold.loop.describing import watched
    from tenfold.loop.flows import approve, reject, unwatch, watch
    from tenfold.loop.labelling import label
    from tenfold.loop.misses import report_miss
    from tenfold.serving.deploying import (
        canary,
        deploy,
        deploy_fleet,
        keep_pictures,
        promote,
        retire,
        rollback,
        shadow,
    )
    from tenfold.specs.task import load as load_spec
    from tenfold.workspace import Workspace, open_workspace, opened

refuse_telemetry()  # before any part of Tenfold can import a runtime

VERBS = {
    "back_up": "tenfold.backup:back_up",
    "restore": "tenfold.backup:restore",
    "show": "tenfold.factory.describe:describe",
    "doctor": "tenfold.factory.doctor:examine",
    "evidence": "tenfold.factory.export:evidence_of",
    "export_edge": "tenfold.factory.edge_export:export_edge",
    "export_onnx": "tenfold.factory.export:export_onnx",
    "export_package": "tenfold.factory.export:export_package",
    "make_fleet": "tenfold.factory.fleet:make_fleet",
    "survey": "tenfold.factory.fleet:survey",
    "forget": "tenfold.factory.forget:forget",
    "what_hangs_on": "tenfold.factory.forget:what_hangs_on",
    "ingest": "tenfold.factory.ingest:ingest",
    "embed": "tenfold.factory.make:embed_ahead",
    "make": "tenfold.factory.make:make",
    "make_all": "tenfold.factory.make:make_all",
    "plan": "tenfold.factory.plan:plan",
    "predict": "tenfold.factory.predict:predict_paths",
    "report": "tenfold.factory.reporting:write_report",
    "canary": "tenfold.serving.deploying:canary",
    "deploy": "tenfold.serving.deploying:deploy",
    "deploy_fleet": "tenfold.serving.deploying:deploy_fleet",
    "keep_pictures": "tenfold.serving.deploying:keep_pictures",
    "promote": "tenfold.serving.deploying:promote",
    "retire": "tenfold.serving.deploying:retire",
    "rollback": "tenfold.serving.deploying:rollback",
    "shadow": "tenfold.serving.deploying:shadow",
    "reproduce": "tenfold.factory.reproduce:reproduce",
    "load_spec": "tenfold.specs.task:load",
    "approve": "tenfold.loop.flows:approve",
    "reject": "tenfold.loop.flows:reject",
    "unwatch": "tenfold.loop.flows:unwatch",
    "watch": "tenfold.loop.flows:watch",
    "watched": "tenfold.loop.describing:watched",
    "label": "tenfold.loop.labelling:label",
    "report_miss": "tenfold.loop.misses:report_miss",
    "Workspace": "tenfold.workspace:Workspace",
    "open_workspace": "tenfold.workspace:open_workspace",
    "opened": "tenfold.workspace:opened",
}
"""Name → where it lives; loaded on first use, so that `import tenfold` is instant."""

__all__ = [
    "Workspace",
    "approve",
    "back_up",
    "canary",
    "deploy",
    "deploy_fleet",
    "doctor",
    "embed",
    "evidence",
    "export_edge",
    "export_onnx",
    "export_package",
    "forget",
    "ingest",
    "keep_pictures",
    "label",
    "load_spec",
    "make",
    "make_all",
    "make_fleet",
    "open_workspace",
    "opened",
    "plan",
    "predict",
    "promote",
    "reject",
    "report",
    "report_miss",
    "reproduce",
    "restore",
    "retire",
    "rollback",
    "shadow",
    "show",
    "survey",
    "unwatch",
    "watch",
    "watched",
    "what_hangs_on",
]


def __getattr__(name: str) -> Any:
    if name not in VERBS:
        raise AttributeError(f"module 'tenfold' has no attribute {name!r}")
    module, _, attribute = VERBS[name].partition(":")
    return getattr(import_module(module), attribute)
