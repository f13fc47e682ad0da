import json

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper

from tenfold.errors import Conflict, IntegrityError, NotFound, SpecError, Unsupported
from tenfold.formats.pixels import decode
from tenfold.trunks import TRUNKS, known_trunks, load_trunk
from tenfold.trunks.canvas import canvas
from tenfold.trunks.runtimes import RUNTIMES, compile_trunk, runtime_version
from tenfold.trunks.torch_export import add_timm_or_hf
from tenfold.trunks.user_onnx import add_onnx
from tenfold.values import FeatureSpace


@pytest.mark.parametrize("name", TRUNKS)
def test_every_built_in_trunk_is_built_once_and_found_by_name_and_digest(name, trunks_folder):
    trunk = load_trunk(name, trunks_folder)
    written = trunk.path.stat().st_mtime_ns
    assert load_trunk(name, trunks_folder) == load_trunk(trunk.digest, trunks_folder) == trunk
    assert trunk.path.stat().st_mtime_ns == written
    assert sorted(trunk.channels) == [4, 8, 16, 32]
    assert trunk.pooled_dim == 3 * sum(trunk.channels.values()) + 1280


def test_a_damaged_built_in_trunk_is_built_again(tmp_path):
    trunk = load_trunk("efficientnet_lite0", tmp_path)
    trunk.path.write_bytes(trunk.path.read_bytes()[:-1])
    with pytest.raises(IntegrityError, match="not what was written"):
        load_trunk(trunk.digest, tmp_path)
    assert load_trunk("efficientnet_lite0", tmp_path) == trunk


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(NotFound, match="efficientnet_lite1"):
        load_trunk("resnet9000", tmp_path)


GOLDEN = [0.0, 0.0334, 0.0276, 0.1573, 0.9522]


def test_lite2_gives_the_published_network_s_embedding(trunks_folder, cell_files):
    """Golden numbers are those of PyPI efficientnet-lite-pytorch on the same picture."""
    trunk = load_trunk("efficientnet_lite2", trunks_folder)
    version = runtime_version("openvino")
    space = FeatureSpace(trunk.digest, 260, "letterbox", 0, "fp32", version)
    pixels, _ = canvas(decode(cell_files[0].read_bytes(), where=""), size_px=260)
    pooled = compile_trunk(trunk, space, (), streams=1).one(pixels)["pooled"][0]
    np.testing.assert_allclose(pooled[-1280:][:5], GOLDEN, atol=1e-3)


@pytest.mark.train
@pytest.mark.parametrize("name", TRUNKS)
def test_embeddings_equal_the_pytorch_package_on_real_pictures(name, trunks_folder, cell_files):
    torch = pytest.importorskip("torch")
    peer = pytest.importorskip("efficientnet_lite_pytorch")
    from tenfold.trunks.efficientnet_lite import weights_path

    network = peer.EfficientNet.from_pretrained(
        name.replace("_", "-"), weights_path=str(weights_path(name))
    ).eval()
    trunk = load_trunk(name, trunks_folder)
    version = runtime_version("onnxruntime")
    space = FeatureSpace(trunk.digest, trunk.size_px, "letterbox", 0, "fp32", version)
    ours = compile_trunk(trunk, space, ("map_s32",), streams=1)
    for path in cell_files:
        pixels, _ = canvas(decode(path.read_bytes(), where=""), size_px=trunk.size_px)
        batch = (torch.from_numpy(pixels.astype(np.float32)) - 127) / 128
        with torch.no_grad():
            last = network.extract_features(batch.permute(2, 0, 1)[None])
        embedding = ours.one(pixels)["pooled"][0, -1280:]
        np.testing.assert_allclose(embedding, last.mean((2, 3)).numpy()[0], atol=1e-4)


def tiny_network(layout="NCHW", opset=17, outputs=("layer1", "layer2")):
    """Two convolutions of stride 4 and 2."""
    rng = np.random.default_rng(0)
    nodes, weights = [], []
    flow, first = "pixels", "pixels"
    if layout == "NHWC":
        nodes.append(helper.make_node("Transpose", ["pixels"], ["first"], perm=[0, 3, 1, 2]))
        flow = "first"
    for name, stride, c_in, c_out in (("layer1", 4, 3, 5), ("layer2", 2, 5, 7)):
        kernel = rng.normal(0, 0.1, (c_out, c_in, stride, stride)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"{name}_w"))
        inner = name if layout == "NCHW" else f"{name}_nchw"
        nodes.append(helper.make_node("Conv", [flow, f"{name}_w"], [inner], strides=[stride] * 2))
        if layout == "NHWC":
            nodes.append(helper.make_node("Transpose", [inner], [name], perm=[0, 2, 3, 1]))
        flow = inner
    shape = ["n", 3, "h", "w"] if layout == "NCHW" else ["n", "h", "w", 3]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(first, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(o, TensorProto.FLOAT, [None] * 4) for o in outputs],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


SPEC = {
    "name": "tiny",
    "licence": "MIT",
    "size_px": 64,
    "mean_rgb": [120.0, 110.0, 100.0],
    "std_rgb": [60.0, 55.0, 50.0],
    "maps": {4: "layer1", 8: "layer2"},
}


def added(folder, network, **changes):
    folder.mkdir(exist_ok=True)
    onnx.save(network, folder / "net.onnx")
    (folder / "net.yaml").write_text(yaml.safe_dump(SPEC | changes))
    return add_onnx(folder / "net.onnx", folder / "net.yaml", folder / "trunks")


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_a_users_onnx_file_gives_the_features_it_gives_by_itself(tmp_path, cells, layout):
    trunk = added(tmp_path, tiny_network(layout), layout=layout)
    assert (trunk.channels, trunk.pooled_dim, trunk.licence) == ({4: 5, 8: 7}, 3 * 12 + 7, "MIT")
    assert load_trunk("tiny", tmp_path / "trunks") == trunk
    assert known_trunks(tmp_path / "trunks") == [*TRUNKS, "tiny"]
    kernel = numpy_helper.to_array(tiny_network().graph.initializer[0])
    picture = cells[0][:64, :64]
    patches = ((picture - np.array(SPEC["mean_rgb"])) / SPEC["std_rgb"]).reshape(16, 4, 16, 4, 3)
    expected = np.einsum("yixjc,ocij->yxo", patches, kernel)
    for runtime in RUNTIMES:
        version = runtime_version(runtime)
        space = FeatureSpace(trunk.digest, 64, "letterbox", 0, "fp32", version)
        out = compile_trunk(trunk, space, ("map_s4",), streams=1).one(picture)
        np.testing.assert_allclose(out["map_s4"][0], expected, atol=1e-4)
        np.testing.assert_allclose(out["pooled"][0, :5], expected.mean((0, 1)), atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"colour": "blue"}, SpecError, "colour"),
        ({"maps": {4: "layer9"}}, SpecError, "no output layer9"),
        ({"maps": {8: "layer1"}}, SpecError, "stride 8 has shape"),
        ({"std_rgb": [0.0, 1.0, 1.0]}, SpecError, "greater than 0"),
        ({"embedding": "nothing"}, SpecError, "no output nothing"),
        ({"name": "../tiny"}, SpecError, "name"),
        ({"name": "efficientnet_lite0"}, Conflict, "another trunk"),
    ],
)
def test_a_yaml_that_does_not_fit_names_what_is_wrong(tmp_path, changes, error, words):
    with pytest.raises(error, match=words):
        added(tmp_path, tiny_network(), **changes)


def test_two_networks_cannot_share_a_name_but_the_same_may_come_again(tmp_path):
    assert added(tmp_path, tiny_network()) == added(tmp_path, tiny_network())
    with pytest.raises(Conflict, match="another trunk"):
        added(tmp_path, tiny_network(), licence="BSD")


def test_operators_outside_onnx_are_refused(tmp_path):
    network = tiny_network()
    network.graph.node[0].domain = "com.microsoft"
    with pytest.raises(Unsupported, match="outside ONNX"):
        added(tmp_path, network)


def test_without_torch_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(Unsupported, match=r"tenfold\[train\]"):
        add_timm_or_hf("timm:resnet18", tmp_path)


@pytest.mark.train
def test_a_hugging_face_folder_becomes_a_trunk(tmp_path, cells):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers", reason="needs transformers")
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], layer_type="basic"
    )
    torch.manual_seed(0)
    transformers.ResNetModel(config).eval().save_pretrained(tmp_path / "tiny-resnet")
    trunk = add_timm_or_hf(f"hf:{tmp_path / 'tiny-resnet'}", tmp_path / "trunks")
    assert trunk.channels == {4: 8, 8: 16, 16: 24, 32: 32}
    facts = json.loads((tmp_path / "trunks" / f"{trunk.name}.json").read_text())
    assert facts["digest"] == trunk.digest
    backbone = transformers.ResNetBackbone.from_pretrained(
        str(tmp_path / "tiny-resnet"), out_features=["stage1"]
    ).eval()
    pixels = np.tile(cells[0], (3, 3, 1))[:224, :224]
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    batch = torch.from_numpy(((pixels / 255 - mean) / std).astype(np.float32)).permute(2, 0, 1)
    with torch.no_grad():
        expected = backbone(batch[None]).feature_maps[0][0].permute(1, 2, 0).numpy()
    version = runtime_version("openvino")
    space = FeatureSpace(trunk.digest, 224, "letterbox", 0, "fp32", version)
    ours = compile_trunk(trunk, space, ("map_s4",), streams=1).one(pixels)["map_s4"][0]
    np.testing.assert_allclose(ours, expected, atol=1e-3)
