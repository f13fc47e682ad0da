"""A home where a whole fleet takes a second: few pictures, and a trunk of milliseconds."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import tenfold
from cells import write_cells
from tenfold.engine import Engine
from tenfold.factory.plan import order
from tenfold.factory.produce import Floor, Outcome, produce
from tenfold.factory.stock import Stock
from tenfold.ledger import meter
from tenfold.specs.fleet import expand, parse
from tenfold.specs.task import TaskSpec
from tenfold.trunks import Trunk
from tenfold.trunks.user_onnx import add_onnx
from tenfold.workspace import Workspace

FLEET = """\
fleet: workshop
tasks:
  - {task: odd, kind: anomaly, dataset: cells, trunk: tiny, question: {positive: [cracked]},
     bar: {escape: 0.4}, budget: {rungs: 1}}
  - {task: odder, kind: anomaly, dataset: cells, trunk: tiny, question: {positive: [cracked]},
     bar: {escape: 0.4}, budget: {rungs: 1}, seed: 1}
template:
  task: "{side}-{seed}"
  dataset: cells
  trunk: tiny
  question: {"{side}": [cracked]}
  bar: {escape: 0.4, overkill: 0.4}
  budget: {rungs: 2}
  seed: "{seed}"
matrix:
  side: [positive, negative]
  seed: [1, 2, 3, 4]
"""
"""Ten tasks of three questions, with climbs of one rung and of two, accepted and not."""

YAML = """
name: tiny
licence: CC0
size_px: 64
mean_rgb: [0, 0, 0]
std_rgb: [255, 255, 255]
maps: {4: fine, 8: middle, 16: coarse, 32: coarsest}
"""
MAPS = {"fine": 12, "middle": 16, "coarse": 24, "coarsest": 32}
"""Channels of each map."""


def add_tiny_trunk(trunks_folder: Path, scratch: Path) -> Trunk:
    """Four strided convolutions with fixed random weights, called `tiny`."""
    rng = np.random.default_rng(0)
    nodes, weights, channels, flow = [], [], 3, "x"
    for place, (name, size) in enumerate(MAPS.items()):
        kernel = 2 if place else 4
        shape = (size, channels, kernel, kernel)
        values = rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)
        weights.append(numpy_helper.from_array(values, f"w_{name}"))
        nodes += [
            helper.make_node("Conv", [flow, f"w_{name}"], [f"c_{name}"], strides=[kernel, kernel]),
            helper.make_node("Relu", [f"c_{name}"], [name]),
        ]
        channels, flow = size, name
    kind = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", kind, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info(name, kind, None) for name in MAPS],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, scratch / "tiny.onnx")
    (scratch / "tiny.yaml").write_text(YAML)
    return add_onnx(scratch / "tiny.onnx", scratch / "tiny.yaml", trunks_folder)


def fill_workshop(home: Path, scratch: Path) -> None:
    """Sixty-four cells ingested as `cells`, and the trunk; nothing is embedded yet."""
    with tenfold.opened(home, actor="ann") as workspace:
        pictures = write_cells(scratch / "cells", good=40, bad=24)
        tenfold.ingest(workspace, pictures, name="cells")
        add_tiny_trunk(workspace.trunks_folder, scratch)


def tasks_of(fleet: str) -> tuple[TaskSpec, ...]:
    return expand(parse(fleet, where="fleet"), lambda dataset, attribute: [], text=fleet, where="")


def made_by(workspace: Workspace, engine: Engine, tasks: Sequence[TaskSpec]) -> list[Outcome]:
    """What production on that engine comes to; the engine is closed."""
    with meter.running(workspace.scope, workspace.runs_folder, command="make") as run:
        floor = Floor(Stock.of(workspace), engine, run, fleet="workshop")
        try:
            return list(produce(floor, [order(floor.stock, task) for task in tasks]))
        finally:
            engine.close()
