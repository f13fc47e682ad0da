import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnxruntime
import PIL
import pytest
from PIL import Image
from typer.testing import CliRunner

import tenfold
from tenfold import packages
from tenfold.cli import app
from tenfold.errors import Conflict, IntegrityError, SpecError, Unsupported
from tenfold.factory import edge_export
from tenfold.factory.edge import run
from tenfold.factory.edge.graph import REASONS, canvases_of, heads_graph
from tenfold.factory.predict import package_of
from tenfold.formats.pixels import decode
from tenfold.runtime import LoadedHead, decide
from tenfold.trunks.canvas import canvas
from tenfold.values import MapBatch

pytestmark = [pytest.mark.heavy, pytest.mark.xdist_group("line")]  # one worker makes the line

TASKS = ["classify-cells", "anomaly-cells"]

CLEAN = """
import runpy, sys
sys.path.append(sys.argv[1])
sys.argv = sys.argv[2:]
if "--without-pillow" in sys.argv:
    sys.argv.remove("--without-pillow")
    sys.modules["PIL"] = None
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    foreign = ("tenfold", "PIL", "scipy", "onnx", "safetensors")
    seen = {name.partition(".")[0] for name, module in sys.modules.items() if module}
    assert not seen.intersection(foreign), seen
"""


@pytest.fixture(scope="module")
def exported(line, tmp_path_factory):
    """The folder, and what was said of it; copy it before you change it."""
    out = tmp_path_factory.mktemp("edge") / "panel"
    return out, tenfold.export_edge(line, TASKS, out)


@pytest.fixture
def folder(exported, tmp_path):
    return shutil.copytree(exported[0], tmp_path / "copy")


def started(folder, *arguments):
    """The runner in an environment with neither Tenfold nor anything it needs."""
    site = next(p for p in sys.path if p.endswith("site-packages"))
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", CLEAN, site, folder / "run.py", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder.parent,
    )


def sealed(folder, name, data):
    """Replace a file and its digest."""
    old = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / name).write_bytes(data)
    sums = folder / "SHA256SUMS"
    sums.write_text(sums.read_text().replace(old, hashlib.sha256(data).hexdigest()))


@pytest.mark.parametrize("runtime", run.RUNTIMES)
def test_a_panel_answers_alone_what_tenfold_answers(line, cells, exported, tmp_path, runtime):
    folder, written = exported
    assert written.gap < 1e-4
    tested = started(folder, "--selftest", "--runtime", runtime)
    assert tested.returncode == 0, tested.stderr
    assert f"golden answers reproduced with {runtime}" in tested.stdout
    grey = decode(sorted((cells / "cracked").iterdir())[1].read_bytes(), where="picture")
    pictures = {"tall": grey[:, :200], "wide": grey[:100], "black": np.zeros_like(grey)}
    for name, pixels in pictures.items():
        Image.fromarray(pixels[:, :, 0]).save(tmp_path / f"{name}.png")
        np.save(tmp_path / f"{name}.npy", pixels)
    files = [str(tmp_path / f"{name}.npy") for name in pictures]
    done = started(folder, *files, "--runtime", runtime)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(text) for text in done.stdout.splitlines()]
    assert [row["picture"] for row in rows] == files
    for task in TASKS:
        here = tenfold.predict(line, task, [str(tmp_path / f"{name}.png") for name in pictures])
        for there, own in zip((row["answers"][task] for row in rows), here, strict=True):
            assert there["answer"] == own.answer
            assert there["scores"] == pytest.approx(own.scores, rel=1e-4, abs=1e-4)
            assert own.note == (f"unfit to judge: {there['unfit']}" if there["unfit"] else "")
    assert rows[-1]["answers"]["anomaly-cells"]["answer"] == "unfit"


def test_the_folder_says_how_to_run_it_and_whose_weights_it_holds(exported):
    folder, written = exported
    text = (folder / "README.md").read_text()
    assert all(task in text for task in TASKS)
    assert "python run.py --selftest" in text
    assert "efficientnet_lite2: Apache-2.0" in text
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    listed = {text[66:] for text in (folder / "SHA256SUMS").read_text().splitlines()}
    assert names == listed | {"SHA256SUMS"}
    assert written.size_bytes == sum((folder / name).stat().st_size for name in names)


@pytest.mark.parametrize("name", ["heads.onnx", "trunk.onnx", "panel.json"])
def test_a_damaged_part_is_told(folder, name):
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    done = started(folder, "--selftest")
    assert done.returncode == 1
    assert done.stderr == f"{name} is not what was exported: copy the folder again.\n"


def test_a_lost_part_is_told(folder):
    (folder / "heads.onnx").unlink()
    done = started(folder, "--selftest")
    assert done.returncode == 1
    assert "heads.onnx cannot be read: No such file or directory." in done.stderr


def test_answers_that_are_not_reproduced_fail_the_selftest(folder):
    facts = json.loads((folder / "panel.json").read_bytes())
    answer = facts["goldens"][0]["answers"]["anomaly-cells"]
    answer["scores"]["anomaly"] += 0.1
    sealed(folder, "panel.json", json.dumps(facts).encode())
    done = started(folder, "--selftest")
    assert done.returncode == 1
    assert f"{facts['goldens'][0]['picture']}: anomaly-cells was" in done.stdout
    assert "golden answers not reproduced" in done.stdout


def test_pictures_that_cannot_be_read_are_rows_that_say_why(folder, tmp_path):
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", np.zeros((3, 3), np.float32))
    np.save(tmp_path / "c.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "d.ppm").write_bytes(b"P6 20 20 255\nshort")
    good = next((folder / "goldens").iterdir())
    names = ["a.png", "b.npy", "c.npy", "d.ppm", "e.pgm", str(good)]
    done = started(folder, "--without-pillow", *names)
    assert done.returncode == 1
    rows = [json.loads(text) for text in done.stdout.splitlines()]
    assert [row["picture"] for row in rows] == names
    told = [row.get("error", "") for row in rows]
    parts = ["install Pillow", "got float32 [3, 3, 1]", "allow_pickle", "buffer", "No such file"]
    assert all(part in text for part, text in zip(parts, told, strict=False)), told
    assert set(rows[-1]["answers"]) == set(TASKS)


def test_only_an_earlier_export_is_replaced(line, exported, tmp_path):
    out = shutil.copytree(exported[0], tmp_path / "panel")
    tenfold.export_edge(line, TASKS[1:], out)
    assert [h["task"] for h in json.loads((out / "panel.json").read_text())["heads"]] == TASKS[1:]
    (out / "notes.txt").write_text("mine")
    with pytest.raises(Conflict, match=r"notes\.txt, which no edge export wrote"):
        tenfold.export_edge(line, TASKS, out)
    other = tmp_path / "other"
    other.write_text("mine")
    with pytest.raises(Conflict, match="is no folder"):
        tenfold.export_edge(line, TASKS, other)
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "home") == ["other", "panel"]


def test_a_folder_that_does_not_reproduce_its_goldens_never_appears(line, tmp_path, monkeypatch):
    monkeypatch.setattr(edge_export, "TOLERANCE", -1.0)
    with pytest.raises(IntegrityError, match="says otherwise"):
        tenfold.export_edge(line, TASKS, tmp_path / "below" / "panel")
    assert list((tmp_path / "below").iterdir()) == []


def test_a_panel_has_one_trunk_at_one_size_and_each_task_once(line, tmp_path):
    out = tmp_path / "panel"
    package = package_of(line, "anomaly-cells")
    (given,) = package.manifest.inputs

    def kept(name, **changes):
        changed = replace(package, manifest=package.manifest.model_copy(update=changes))
        rows = packages.rows_of(line.blobs, package)
        packages.write_file(tmp_path / name, changed, rows=rows, card_md="", card_html="")
        return str(tmp_path / name)

    wide = kept("wide.tenfold", inputs=(given.model_copy(update={"size_px": 384}),))
    with pytest.raises(Unsupported, match=r"at 260 px.* at 384 px"):
        tenfold.export_edge(line, ["classify-cells", wide], out)
    with pytest.raises(Unsupported, match="one trunk"):
        tenfold.export_edge(line, [kept("two.tenfold", inputs=(given, given))], out)
    with pytest.raises(Unsupported, match="int8"):
        tenfold.export_edge(line, [kept("int8.tenfold", precision="int8")], out)
    with pytest.raises(SpecError, match="named twice"):
        tenfold.export_edge(line, ["anomaly-cells", "anomaly-cells"], out)
    with pytest.raises(SpecError, match="at least one"):
        tenfold.export_edge(line, [], out)
    assert not out.exists()


def test_heads_in_the_graph_read_their_own_canvases_and_their_gate_holds(line):
    """Two heads that see the picture unlike, on made-up features."""
    classify, anomaly = (LoadedHead.of(package_of(line, task)) for task in TASKS)
    (given,) = classify.manifest.inputs
    turned = classify.manifest.model_copy(
        update={"inputs": (given.model_copy(update={"views": (5, 0)}),)}
    )
    classify = replace(classify, manifest=turned)
    canvases = [*canvases_of(anomaly), ("squash", 0), ("squash", 5)]
    layout = anomaly.head.layout
    dim = len(anomaly.gate.scene)
    shapes = {f"map_s{s}": (3, side, side, channels) for s, (side, channels) in layout.items()}
    shapes |= {"pooled": (3, dim), "vitals": (3, 5), "content_xyxy": (3, 4)}
    model = heads_graph([anomaly, classify], canvases, shapes)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    rng = np.random.default_rng(0)
    low, high, burnt, flat, soft = anomaly.gate.limits[:5]
    scene = np.square(anomaly.gate.scene) * np.sign(anomaly.gate.scene)
    seen = set()
    for turn in range(150):
        feeds = {name: rng.random(shape, np.float32) for name, shape in shapes.items()}
        feeds["content_xyxy"][:] = (0, 0, 1, 1)
        least = np.array([low * 0.8, flat * 0.8, 0, 0, soft * 0.8], np.float32)
        most = np.array([high * 1.1, flat * 4, 1, burnt * 1.1, soft * 4], np.float32)
        feeds["vitals"] = least + (most - least) * feeds["vitals"]
        if turn % 4:
            feeds["pooled"] = scene * (1 + feeds["pooled"])
        if turn == 1:
            feeds["pooled"][0, 3] = np.nan
        told = dict(
            zip((o.name for o in session.get_outputs()), session.run(None, feeds), strict=True)
        )
        maps = {s: feeds[f"map_s{s}"][:1] for s in layout}
        batch = MapBatch(maps, *(feeds[n][:1] for n in ("content_xyxy", "pooled", "vitals")))
        flags = zip(REASONS, told["head0_unfit"][0], strict=True)
        (reason,) = anomaly.gate.reasons(batch)
        assert next((why for why, flag in flags if flag), "") == reason
        seen.add(reason)
        own = classify.head.score(feeds["pooled"][None, [2, 1]])
        np.testing.assert_allclose(told["head1_scores"], own, atol=1e-4)
    assert seen == {*REASONS, ""}


def test_the_command_writes_one_kind_of_export(line, tmp_path, monkeypatch):
    def run_cli(*words):
        return CliRunner().invoke(app, ["export", *words], env={"COLUMNS": "100"})

    monkeypatch.setenv("TENFOLD_HOME", str(line.settings.home))
    (tmp_path / "panel").mkdir()  # an empty folder may be there
    done = run_cli(*TASKS, "--edge", str(tmp_path / "panel"), "--json")
    assert done.exit_code == 0, done.output
    assert "2 heads on efficientnet_lite2" in json.loads(done.stdout)["in_words"]
    assert (tmp_path / "panel" / "run.py").is_file()
    done = run_cli(TASKS[0], "--out", str(tmp_path / "one.tenfold"))
    assert done.exit_code == 0, done.output
    assert (tmp_path / "one.tenfold").is_file()
    wrong = {
        "one file holds one model": (*TASKS, "--out", "a.tenfold"),
        "an export is one of": (TASKS[0],),
        "is one of": (TASKS[0], "--onnx", "--edge", "panel"),
    }
    for message, words in wrong.items():
        error = run_cli(*words).exception
        assert isinstance(error, SpecError)
        assert message in str(error)


def test_decisions_of_the_runner_are_those_of_the_runtime(line):
    manifest = package_of(line, "classify-cells").manifest
    rng = np.random.default_rng(0)
    for is_multi, thresholds in ((False, ()), (False, (0.5,)), (True, (0.3, 0.7))):
        facts = {"multi_label": is_multi, "thresholds": thresholds}
        asked = manifest.model_copy(update=facts)
        head = facts | {"classes": asked.classes, "scores": asked.classes, "reasons": ()}
        for scores in rng.integers(0, 11, (40, 2)) / np.float32(10):
            told = run.decided(head | {"output": "head0"}, {"head0_scores": scores[None]})
            assert told["answer"] == (decide(asked, scores) or "none")


@pytest.mark.parametrize("fit", ["letterbox", "squash"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_runner_lays_pictures_out_to_the_bit(fit, channels):
    rng = np.random.default_rng(channels)
    pillow = int(PIL.__version__.partition(".")[0])
    for height, width in ((1, 1), (7, 300), (64, 64), (65, 130), (200, 33), (301, 97), (640, 481)):
        pixels = rng.integers(0, 256, (height, width, channels), np.uint8)
        for view in (0, 1, 6):
            square, _ = canvas(pixels, size_px=64, fit=fit, view=view)
            _, box = canvas(pixels, size_px=64, fit=fit)
            seen, where = run.canvas(pixels, 64, fit=fit, view=view, pillow=pillow)
            np.testing.assert_array_equal(seen, square)
            np.testing.assert_array_equal(where, box)


def test_the_runner_reads_netpbm_and_what_pillow_reads_as_tenfold_does(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    (tmp_path / "a.ppm").write_bytes(b"P6\n# seven by five\n7 5\n255\n" + pixels.tobytes())
    (tmp_path / "b.pgm").write_bytes(b"P5 7 5 255 " + pixels[:, :, 0].tobytes())
    np.testing.assert_array_equal(run.read(tmp_path / "a.ppm"), pixels)
    np.testing.assert_array_equal(run.read(tmp_path / "b.pgm"), pixels[:, :, :1])
    upright = Image.fromarray(pixels).getexif()
    upright[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "c.jpg", exif=upright)
    Image.fromarray(pixels[:, :, 0] > 99).save(tmp_path / "d.png")
    Image.fromarray(pixels).convert("CMYK").save(tmp_path / "e.tif")
    for name in ("c.jpg", "d.png", "e.tif"):
        own = decode((tmp_path / name).read_bytes(), where=name)
        np.testing.assert_array_equal(run.read(tmp_path / name), own)
    Image.fromarray(pixels).convert("RGBA").save(tmp_path / "f.png")
    with pytest.raises(ValueError, match="without transparency"):
        run.read(tmp_path / "f.png")
