"""What real clients get: tritonclient (sync and asyncio, binary and JSON), curl-like uploads."""

import asyncio
import base64
import json
import shutil
import urllib.request
import uuid

import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

import tenfold
from serving_at import serving
from tenfold.formats.pixels import decode
from tenfold.predictions.history import read

pytestmark = [pytest.mark.heavy, pytest.mark.xdist_group("line")]  # one worker makes the line

CAP, ODD = "station-7/cap", "station-7/odd"


@pytest.fixture(scope="module")
def home(line, tmp_path_factory):
    """A copy of the line with both its models at work."""
    home = shutil.copytree(line.settings.home, tmp_path_factory.mktemp("serving") / "home")
    with tenfold.opened(home, actor="ann") as workspace:
        tenfold.deploy(workspace, CAP, "classify-cells", unproven=True)
        tenfold.deploy(workspace, ODD, "anomaly-cells", unproven=True)
    return home


@pytest.fixture(scope="module")
def server(home):
    with serving(home) as found:
        yield found


@pytest.fixture(scope="module")
def pictures(cells):
    some = [*sorted((cells / "good").iterdir())[:3], *sorted((cells / "cracked").iterdir())[:3]]
    return [file.read_bytes() for file in some]


@pytest.fixture(scope="module")
def expected(home, cells, pictures):
    """What `predict` says of the pictures, by task."""
    some = [*sorted((cells / "good").iterdir())[:3], *sorted((cells / "cracked").iterdir())[:3]]
    with tenfold.opened(home) as workspace:
        return {
            name: list(tenfold.predict(workspace, task, list(map(str, some))))
            for name, task in ((CAP, "classify-cells"), (ODD, "anomaly-cells"))
        }


@pytest.fixture
def client(server):
    client = triton.InferenceServerClient(server.address)
    yield client
    client.close()


def files(pictures, *, binary=True):
    given = triton.InferInput("image", [len(pictures)], "BYTES")
    some = pictures if binary else [base64.b64encode(data).decode() for data in pictures]
    given.set_data_from_numpy(np.array(some, object), binary_data=binary)
    return [given]


def wanted(*names, binary=True):
    return [triton.InferRequestedOutput(name, binary_data=binary) for name in names]


def labels(result, name="label"):
    return [one.decode() if isinstance(one, bytes) else one for one in result.as_numpy(name)]


def test_health_and_metadata(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(CAP)
    assert client.get_server_metadata()["name"] == "tenfold"
    told = client.get_model_metadata(CAP)
    assert told["parameters"]["classes"] == ["good", "cracked"]
    (version,) = told["versions"]
    assert client.get_model_metadata(CAP, version)["versions"] == [version]
    assert {one["name"] for one in client.get_model_repository_index()} == {CAP, ODD}
    client.load_model(CAP)
    client.unload_model(CAP)
    assert client.is_model_ready(CAP)
    with pytest.raises(InferenceServerException, match="'cup'"):
        client.unload_model("cup")


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
@pytest.mark.parametrize("name", [CAP, ODD])
def test_answers_equal_predict(client, pictures, expected, name, binary):
    result = client.infer(
        name,
        files(pictures, binary=binary),
        outputs=wanted("label", "score", "verdict", binary=binary),
    )
    assert labels(result) == [row.answer for row in expected[name]]
    scores = [row.score for row in expected[name]]
    np.testing.assert_allclose(result.as_numpy("score"), scores, atol=1e-5)
    assert set(labels(result, "verdict")) <= {"ok", "not ok", "unfit"}


def test_asyncio_clients_share_the_trunk(server, pictures, expected):
    async def scene():
        async with triton_aio.InferenceServerClient(server.address) as client:
            return await asyncio.gather(
                *(client.infer(name, files([data])) for data in pictures for name in (CAP, ODD))
            )

    results = asyncio.run(scene())
    said = [labels(result)[0] for result in results]
    wanted_ = [expected[name][i].answer for i in range(len(pictures)) for name in (CAP, ODD)]
    assert said == wanted_


def test_pixels_say_what_the_file_says(client, pictures, expected):
    pixels = decode(pictures[0], where="picture")[None]
    given = triton.InferInput("pixels", list(pixels.shape), "UINT8")
    given.set_data_from_numpy(pixels)
    result = client.infer(CAP, [given])
    assert labels(result) == [expected[CAP][0].answer]
    assert result.as_numpy("score")[0] == pytest.approx(expected[CAP][0].score, abs=1e-5)
    assert result.as_numpy("probabilities").shape == (1, 2)


def test_a_map_comes_when_it_is_asked_for(client, pictures):
    assert client.infer(ODD, files(pictures[:2])).as_numpy("map") is None
    told = client.infer(ODD, files(pictures[:2]), outputs=wanted("map", "label"))
    assert told.as_numpy("map").ndim == 3
    assert len(told.as_numpy("map")) == 2


def test_a_panel_is_one_request(client, pictures, expected):
    result = client.infer(f"{CAP},{ODD}", files(pictures))
    for name in (CAP, ODD):
        assert labels(result, f"{name}/label") == [row.answer for row in expected[name]]


def test_what_is_wrong_is_told(client, pictures):
    with pytest.raises(InferenceServerException, match="nothing is deployed as 'cup'"):
        client.infer("cup", files(pictures))
    with pytest.raises(InferenceServerException, match="no version"):
        client.infer(CAP, files(pictures), model_version="123456")
    with pytest.raises(InferenceServerException, match="not-an-image"):
        client.infer(CAP, files([b"hello"]))
    with pytest.raises(InferenceServerException, match="deadline"):
        client.infer(CAP, files(pictures), timeout=1)


def test_a_picture_is_uploaded_by_a_form_or_as_it_is(server, pictures, expected):
    boundary = uuid.uuid4().hex
    form = (
        (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
            "Content-Type: image/png\r\n\r\n"
        ).encode()
        + pictures[0]
        + f"\r\n--{boundary}--\r\n".encode()
    )
    kind = f"multipart/form-data; boundary={boundary}"
    for body, header in ((form, kind), (pictures[0], "image/png")):
        status, told = server.post(f"/predict/{CAP}?route_key=SN-1", body, Content_Type=header)
        assert (status, told["label"]) == (200, expected[CAP][0].answer)
        assert told["probabilities"].keys() == set(expected[CAP][0].scores)
    status, told = server.post(f"/predict/{CAP},{ODD}", pictures[0])
    assert [one["deployment"] for one in told["answers"]] == [CAP, ODD]
    status, told = server.post(f"/predict/{CAP}", b"", Content_Type=kind)
    assert status == 400
    assert told["error"]


def test_ids_travel_and_times_are_told(server, pictures):
    status, told = server.post(f"/predict/{CAP}", pictures[0], X_Request_Id="order-66")
    assert (status, told["id"]) == (200, "order-66")


def test_metrics_add_up(server, pictures):
    assert server.post(f"/predict/{CAP}", pictures[0])[0] == 200
    page = urllib.request.urlopen(server.url + "/metrics").read().decode()
    for name in ("requests_total", "answers_total", "stage_seconds_bucket", "batch_pictures_sum"):
        assert f"tenfold_{name}" in page
    assert "tenfold_heads_resident " in page


def test_everything_that_was_answered_is_collected_when_the_server_ends(home, pictures):
    with serving(home, "--durable") as server:
        for place, data in enumerate(pictures):
            status, _ = server.post(f"/predict/{CAP}", data, X_Request_Id=f"last-{place}")
            assert status == 200
    rows = read(home / "answers" / "local").to_pylist()
    rows = [row for row in rows if row["id"].startswith("last-")]
    assert sorted(row["id"] for row in rows) == [f"last-{n}" for n in range(len(pictures))]
    assert {row["deployment"] for row in rows} == {CAP}
    assert all(len(row["projection"]) == 256 and row["latency_ms"] > 0 for row in rows)


def test_the_document_says_what_there_is(server):
    status, told = server.get("/openapi.json")
    assert status == 200
    assert "/v2/models/{name}/infer" in told["paths"]
    assert json.dumps(told)
