"""The Open Inference Protocol (KServe V2) and a plain upload, over one `Inference`."""

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from tenfold.errors import DataError, TenfoldError
from tenfold.runtime import LoadedHead
from tenfold.serving import protocol
from tenfold.serving.inference import Asked, Inference, Replies, Reply, Times
from tenfold.serving.protocol import HEADER_LENGTH, InferBody, Output
from tenfold.web.guard import Guard, Intake


async def admitted(request: Request) -> None:
    """Nobody without a key, where there are keys."""
    _guard(request).admit(request)


health = APIRouter()
"""Open to everybody: what watches a server has no key."""
router = APIRouter(dependencies=[Depends(admitted)])
# Of two routes of one function the lower one is tried first: the more particular stands below.
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": InferBody.model_json_schema()}},
    }
}
PROBLEM = {
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {"error": {"type": "string"}},
                "required": ["error"],
            }
        }
    }
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"description": "the request does not hold", **PROBLEM},
    401: {"description": "no key, or one that is not in force", **PROBLEM},
    404: {"description": "nothing is deployed under that name", **PROBLEM},
    408: {"description": "the body did not come in time", **PROBLEM},
    409: {"description": "several versions begin so", **PROBLEM},
    413: {"description": "the body or a picture is too large", **PROBLEM},
    429: {"description": "too many requests wait", **PROBLEM},
    500: {"description": "what was made no longer answers as it did", **PROBLEM},
    501: {"description": "this server does not do that", **PROBLEM},
    503: {"description": "the log cannot be written", **PROBLEM},
    504: {"description": "the deadline passed", **PROBLEM},
}
IN_A_THREAD = 256_000
"""Bodies from this size on are read beside the event loop."""
MOST_ANSWERS, MOST_MAPS = 1000, 64
MOST_NAMES = 100
"""Deployments of one panel."""


@health.get("/v2/health/live", tags=["health"])
async def live() -> JSONResponse:
    """The process answers."""
    return JSONResponse({"live": True})


@health.get("/v2/health/ready", tags=["health"], responses={503: PROBLEMS[503]})
async def ready(request: Request) -> JSONResponse:
    """Trunks are compiled and proven, and deployments are known."""
    is_ready = _inference(request).is_ready and not request.app.state.is_draining
    if not is_ready:
        return JSONResponse({"error": "not ready yet, or going down."}, 503, {"Retry-After": "1"})
    return JSONResponse({"ready": True})


@router.get("/v2", tags=["metadata"])
async def server() -> JSONResponse:
    """Name, version and extensions."""
    extensions = ["binary_tensor_data", "model_repository"]
    return JSONResponse(
        {"name": "tenfold", "version": version("tenfold"), "extensions": extensions}
    )


@router.get("/v2/models/{name:path}/ready", tags=["metadata"], responses=PROBLEMS)
@router.get("/v2/models/{name:path}/versions/{number}/ready", tags=["metadata"], responses=PROBLEMS)
async def model_ready(request: Request, name: str, number: str = "") -> JSONResponse:
    """Its head is there and says what it said when it was made."""
    await asyncio.to_thread(_inference(request).head, name, number)
    return JSONResponse({"name": name, "ready": True})


@router.post("/v2/models/{name:path}/infer", tags=["infer"], responses=PROBLEMS, openapi_extra=BODY)
@router.post(
    "/v2/models/{name:path}/versions/{number}/infer",
    tags=["infer"],
    responses=PROBLEMS,
    openapi_extra=BODY,
)
async def infer(request: Request, name: str, number: str = "") -> Response:
    """What a deployment, or several joined by commas, says of the pictures."""
    inference = _inference(request)
    routes = inference.routes  # one generation, from here to the answer
    async with _intake(request).body(request) as body:
        length_told = request.headers.get(HEADER_LENGTH)
        read = partial(protocol.read_request, body, header_length=length_told)
        asked = read() if len(body) < IN_A_THREAD else await asyncio.to_thread(read)
        deadline = time.monotonic() + asked.timeout_s if asked.timeout_s else float("inf")
        request_id, names = asked.id or request.state.id, _names(name)
        _check_size(names, asked)
        about = Asked(request_id, names, routes, asked.route_key, number, deadline)
        replies = await inference.answer(about, asked.pictures)
    outputs = [
        output for place in range(len(names)) for output in _outputs(replies, place, asked.outputs)
    ]
    head = {
        "model_name": name,
        "model_version": ",".join(r.head.manifest.model[:12] for r in replies[0].all),
        "id": request_id,
        "parameters": {"generation": routes.generation},
    }
    data, length = protocol.write_response(head, outputs, binary=asked.binary)
    headers = _timing([one.times for one in replies])
    if length is None:
        return Response(data, headers=headers, media_type="application/json")
    headers[HEADER_LENGTH] = str(length)
    return Response(data, headers=headers, media_type="application/octet-stream")


@router.get("/v2/models/{name:path}", tags=["metadata"], responses=PROBLEMS)
@router.get("/v2/models/{name:path}/versions/{number}", tags=["metadata"], responses=PROBLEMS)
async def model(request: Request, name: str, number: str = "") -> JSONResponse:
    """Versions, inputs and outputs of a deployment."""
    deployment, head = await asyncio.to_thread(_inference(request).head, name, number)
    return JSONResponse(
        {
            "name": name,
            "versions": [one[:12] for one in deployment.models],
            "platform": "tenfold_onnx",
            "inputs": [
                {"name": "image", "datatype": "BYTES", "shape": [-1]},
                {"name": "pixels", "datatype": "UINT8", "shape": [-1, -1, -1, 3]},
            ],
            "outputs": _described(head),
            "parameters": {
                "task": head.manifest.task,
                "kind": head.manifest.kind,
                "classes": list(head.manifest.classes),
                "thresholds": list(head.manifest.thresholds),
            },
        }
    )


@router.post("/v2/repository/index", tags=["repository"], responses=PROBLEMS)
async def index(request: Request) -> JSONResponse:
    """Every deployment and its versions."""
    routes = _inference(request).routes
    return JSONResponse(
        [
            {"name": one.name, "version": model[:12], "state": "READY", "reason": ""}
            for one in routes.deployments.values()
            for model in one.models
        ]
    )


@router.post("/v2/repository/models/{name:path}/load", tags=["repository"], responses=PROBLEMS)
async def load(request: Request, name: str) -> JSONResponse:
    """Bring a deployment's head into memory; it would come by itself when it is asked."""
    await asyncio.to_thread(_inference(request).head, name)
    return JSONResponse({})


@router.post("/v2/repository/models/{name:path}/unload", tags=["repository"], responses=PROBLEMS)
async def unload(request: Request, name: str) -> JSONResponse:
    """Let a deployment's heads leave memory; they come back when they are asked. What is deployed
    is changed in the catalog alone, with who and why."""
    _inference(request).let_go(name)
    return JSONResponse({})


@router.post(
    "/predict/{name:path}",
    tags=["predict"],
    responses=PROBLEMS,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {"file": {"type": "string", "format": "binary"}},
                        "required": ["file"],
                    }
                },
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            },
        }
    },
)
async def predict(request: Request, name: str, route_key: str = "") -> JSONResponse:
    """Upload one picture (a form's `file`, or the body itself): for curl and people."""
    inference = _inference(request)
    routes, key = inference.routes, protocol.route_key_of(route_key)
    asked = Asked(request.state.id, _names(name), routes, key)
    async with _intake(request).body(request) as body:
        (replies,) = await inference.answer(asked, [await _uploaded(request, body)])
    told = [_in_words(one) for one in replies.all]
    body = {"id": request.state.id, "generation": routes.generation}
    body |= told[0] if len(told) == 1 else {"answers": told}
    return JSONResponse(body, headers=_timing([replies.times]))


def _inference(request: Request) -> Inference:
    return request.app.state.inference


def _guard(request: Request) -> Guard:
    return request.app.state.guard


def _intake(request: Request) -> Intake:
    return request.app.state.intake


def _names(name: str) -> tuple[str, ...]:
    names = tuple(name.split(","))
    if len(set(names)) != len(names) or len(names) > MOST_NAMES:
        raise DataError(
            f"expected up to {MOST_NAMES} different deployments, got {len(names)}.", where="name"
        )
    return names


def _check_size(names: Sequence[str], asked: protocol.Request) -> None:
    """Many heads, or many pictures, and not both."""
    count = len(names) * len(asked.pictures)
    most = MOST_MAPS if "map" in asked.outputs else MOST_ANSWERS
    if count > most:
        raise DataError(
            f"{len(names)} deployments × {len(asked.pictures)} pictures are {count} answers; at "
            f"most {most} are given at once.",
            hint="Ask in several requests.",
        )


async def _uploaded(request: Request, body: bytes) -> bytes:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return body

    async def again() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        async with Request(request.scope, again).form(max_files=1, max_fields=10) as form:
            file = form.get("file")
            if file is None or isinstance(file, str):
                hint = "curl -F file=@picture.png URL"
                raise DataError("the form has no file `file`.", hint=hint)
            return await file.read()
    except TenfoldError:
        raise
    except Exception as error:
        raise DataError(f"the form cannot be read: {error}.") from error


def _outputs(replies: Sequence[Replies], place: int, wanted: Sequence[str]) -> list[Output]:
    some = [one.all[place] for one in replies]
    prefix = f"{some[0].deployment}/" if len(replies[0].all) > 1 else ""
    found: list[Output] = []
    for name in wanted:
        made = _output(name, some)
        if made is not None:
            found.append(Output(prefix + name, *made))
    return found


def _output(name: str, some: Sequence[Reply]) -> tuple[str, np.ndarray] | None:
    """Datatype and values; None where such a head has no such output."""
    if name == "label":
        return "BYTES", np.array([one.answer.decision for one in some], object)
    if name == "verdict":
        return "BYTES", np.array([one.verdict for one in some], object)
    if name == "score":
        return "FP32", np.array([one.answer.score for one in some], np.float32)
    if name == "probabilities" and some[0].head.manifest.kind == "classify":
        return "FP32", np.array([one.answer.scores for one in some], np.float32)
    if name == "map" and some[0].answer.score_map is not None:
        return "FP32", np.stack([np.asarray(one.answer.score_map, np.float32) for one in some])
    return None


def _described(head: LoadedHead) -> list[dict[str, Any]]:
    outputs: list[dict[str, Any]] = [
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
        {"name": "verdict", "datatype": "BYTES", "shape": [-1]},
        {"name": "score", "datatype": "FP32", "shape": [-1]},
    ]
    if head.manifest.kind == "classify":
        shape = [-1, len(head.manifest.classes)]
        return [*outputs, {"name": "probabilities", "datatype": "FP32", "shape": shape}]
    return [*outputs, {"name": "map", "datatype": "FP32", "shape": [-1, -1, -1]}]


def _in_words(reply: Reply) -> dict[str, Any]:
    manifest, answer = reply.head.manifest, reply.answer
    told: dict[str, Any] = {
        "deployment": reply.deployment,
        "label": answer.decision,
        "verdict": reply.verdict,
        "score": round(answer.score, 6),
        "version": manifest.model[:12],
        "role": reply.role,
    }
    if manifest.kind == "classify":
        pairs = zip(manifest.classes, answer.scores, strict=True)
        told["probabilities"] = {name: round(score, 6) for name, score in pairs}
    if answer.unfit:
        told["unfit"] = answer.unfit
    return told


def _timing(times: Sequence[Times]) -> dict[str, str]:
    """Where the time went, of the slowest picture (W3C Server-Timing, milliseconds)."""
    slowest = max(times, key=lambda one: one.decode + one.queue + one.trunk + one.head)
    parts: Mapping[str, float] = {
        "decode": slowest.decode,
        "queue": slowest.queue,
        "trunk": slowest.trunk,
        "head": slowest.head,
    }
    return {"Server-Timing": ", ".join(f"{n};dur={s * 1e3:.3f}" for n, s in parts.items())}


def new_id() -> str:
    """Of a request that brought none."""
    return uuid.uuid4().hex
