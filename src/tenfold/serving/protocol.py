"""The Open Inference Protocol (KServe V2) over HTTP, between bytes and values; pure.

With Triton's binary tensor extension. Source: github.com/kserve/open-inference-protocol
(specification/protocol/inference_rest.md), github.com/triton-inference-server/server
(docs/protocol/extension_binary_data.md, extension_model_repository.md).
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tenfold.errors import DataError

HEADER_LENGTH = "Inference-Header-Content-Length"
MOST_IMAGES = 64
MOST_LETTERS = 200
LONGEST_US = 10**10
OUTPUTS = ("label", "verdict", "score", "probabilities", "map")
USUAL = OUTPUTS[:-1]
"""What is answered where the request names no outputs; a map is large, so it is asked for."""
Scalar = str | int | float | bool


class Tensor(BaseModel):
    """An input as the protocol's JSON says it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(max_length=200)
    shape: tuple[int, ...] = Field(max_length=4)
    datatype: str
    parameters: dict[str, Scalar] = Field(default_factory=dict[str, Scalar])
    data: list[Any] | None = None


class Wanted(BaseModel):
    """An output that is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    parameters: dict[str, Scalar] = Field(default_factory=dict[str, Scalar])


class InferBody(BaseModel):
    """The JSON of an inference request."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(default="", max_length=200)
    parameters: dict[str, Scalar] = Field(default_factory=dict[str, Scalar])
    inputs: tuple[Tensor, ...] = Field(min_length=1, max_length=1)
    outputs: tuple[Wanted, ...] = Field(default=(), max_length=5)


Picture = bytes | UInt8[np.ndarray, "h w c"]
"""An encoded file, or pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    id: str
    pictures: tuple[Picture, ...]
    outputs: tuple[str, ...]
    binary: frozenset[str]
    """Outputs that are wanted as bytes."""
    route_key: str
    """Empty: none was given."""
    timeout_s: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    name: str
    datatype: str
    values: np.ndarray
    """Of BYTES: objects that are `str`."""


def read_request(body: bytes, *, header_length: str | None) -> Request:
    """What is asked.

    Raises:
        DataError: the request does not hold; the message says where.
    """
    head, tail = _cut(body, header_length)
    try:
        plain = InferBody.model_validate_json(head)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{first['msg']}.", where=place or "body", hint=_SEE) from error
    (tensor,) = plain.inputs
    names = [one.name for one in plain.outputs]
    if len(set(names)) != len(names):
        raise DataError("an output is asked for twice.", where="outputs")
    unknown = sorted(set(names) - set(OUTPUTS))
    if unknown:
        raise DataError(
            f"there is no output {unknown[0]!r}; there are {', '.join(OUTPUTS)}.",
            where="outputs",
        )
    all_binary = plain.parameters.get("binary_data_output") is True
    return Request(
        id=plain.id,
        pictures=_pictures(tensor, tail),
        outputs=tuple(one.name for one in plain.outputs) or USUAL,
        binary=frozenset(
            name for name in OUTPUTS if _is_binary(plain.outputs, name, otherwise=all_binary)
        ),
        route_key=route_key_of(plain.parameters.get("route_key", "")),
        timeout_s=_timeout(plain.parameters),
    )


_SEE = "GET /v2/models/NAME says what a model takes."


def route_key_of(given: object) -> str:
    """The key as it is kept with the answer.

    Raises:
        DataError: it is too long.
    """
    key = str(given)
    if len(key) > MOST_LETTERS:
        raise DataError(
            f"expected at most {MOST_LETTERS} letters, got {len(key)}.", where="route_key"
        )
    return key


def _cut(body: bytes, header_length: str | None) -> tuple[bytes, memoryview]:
    if header_length is None:
        return body, memoryview(b"")
    if not header_length.isascii() or not header_length.isdigit() or len(header_length) > 12:
        raise DataError(f"expected a number, got {header_length[:40]!r}.", where=HEADER_LENGTH)
    size = int(header_length)
    if size > len(body):
        raise DataError(
            f"expected at most {len(body)}, the length of the body, got {size}.",
            where=HEADER_LENGTH,
        )
    return body[:size], memoryview(body)[size:]


def _is_binary(outputs: Sequence[Wanted], name: str, *, otherwise: bool) -> bool:
    for one in outputs:
        if one.name == name:
            return one.parameters.get("binary_data", otherwise) is True
    return otherwise


def _timeout(parameters: Mapping[str, Scalar]) -> float | None:
    """The protocol counts in microseconds."""
    given = parameters.get("timeout")
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int) or not 0 < given <= LONGEST_US:
        raise DataError(
            f"expected whole microseconds up to {LONGEST_US:,}.", where="parameters.timeout"
        )
    return given / 1e6


def _pictures(tensor: Tensor, tail: memoryview) -> tuple[Picture, ...]:
    size = tensor.parameters.get("binary_data_size")
    if size is not None:
        if isinstance(size, bool) or not isinstance(size, int) or size != len(tail):
            raise DataError(
                f"expected the {len(tail)} bytes that follow the JSON, got {size!r}.",
                where=f"inputs.{tensor.name}.parameters.binary_data_size",
            )
        if tensor.data is not None:
            raise DataError("expected bytes or `data`, got both.", where=f"inputs.{tensor.name}")
    elif len(tail):
        raise DataError(
            f"{len(tail)} bytes follow the JSON and no input says they are its.",
            where=f"inputs.{tensor.name}.parameters.binary_data_size",
        )
    if tensor.datatype == "BYTES":
        return _files(tensor, tail if size is not None else None)
    if tensor.datatype == "UINT8":
        return _pixels(tensor, tail if size is not None else None)
    raise DataError(
        f"expected BYTES (files) or UINT8 (pixels), got {tensor.datatype[:40]!r}.",
        where=f"inputs.{tensor.name}.datatype",
        hint=_SEE,
    )


def _files(tensor: Tensor, tail: memoryview | None) -> tuple[bytes, ...]:
    where = f"inputs.{tensor.name}"
    count = tensor.shape[0] if len(tensor.shape) == 1 or tensor.shape[1:] == (1,) else -1
    _check_count(count, tensor, "[n] or [n, 1] for BYTES")
    if tail is None:
        files = tuple(_base64(value, where) for value in tensor.data or ())
    else:
        files = tuple(_elements(tail, where))
    if len(files) != count:
        raise DataError(f"expected {count} files as the shape says, got {len(files)}.", where=where)
    return files


def _check_count(count: int, tensor: Tensor, wanted: str) -> None:
    if not 1 <= count <= MOST_IMAGES:
        raise DataError(
            f"expected {wanted} with n = 1 .. {MOST_IMAGES}, got {list(tensor.shape)}.",
            where=f"inputs.{tensor.name}.shape",
        )


def _base64(value: Any, where: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise DataError(
            "expected each file as a base64 string.",
            where=f"{where}.data",
            hint="Or send bytes, by the binary tensor extension.",
        ) from error


def _elements(tail: memoryview, where: str) -> list[bytes]:
    """Each is four bytes of length, then so many bytes."""
    found: list[bytes] = []
    at = 0
    while at < len(tail):
        size = int.from_bytes(tail[at : at + 4], "little")
        if at + 4 + size > len(tail) or at + 4 > len(tail) or len(found) == MOST_IMAGES:
            raise DataError(
                f"element {len(found)} says it has {size} bytes, and there are "
                f"{max(0, len(tail) - at - 4)}.",
                where=where,
            )
        found.append(bytes(tail[at + 4 : at + 4 + size]))
        at += 4 + size
    return found


def _pixels(tensor: Tensor, tail: memoryview | None) -> tuple[UInt8[np.ndarray, "h w c"], ...]:
    where = f"inputs.{tensor.name}"
    shape = tensor.shape if len(tensor.shape) == 4 else (1, *tensor.shape)
    if len(shape) != 4 or shape[3] not in (1, 3) or min(shape) < 1:
        raise DataError(
            f"expected [n, height, width, 1 or 3], got {list(tensor.shape)}.",
            where=f"{where}.shape",
        )
    _check_count(shape[0], tensor, "[n, height, width, channels]")
    wanted = int(np.prod(shape, dtype=object))
    if tail is None:
        flat = _numbers(tensor.data, wanted, where)
    elif len(tail) != wanted:
        raise DataError(f"expected {wanted} bytes as the shape says, got {len(tail)}.", where=where)
    else:
        flat = np.frombuffer(tail, np.uint8)
    return tuple(flat.reshape(shape))


def _numbers(data: list[Any] | None, wanted: int, where: str) -> UInt8[np.ndarray, " n"]:
    try:
        numbers = np.array(data if data is not None else []).ravel()
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError("expected whole numbers 0 .. 255.", where=f"{where}.data") from error
    if len(numbers) and numbers.dtype.kind not in "iu":
        raise DataError("expected whole numbers 0 .. 255.", where=f"{where}.data")
    if len(numbers) != wanted:
        raise DataError(
            f"expected {wanted} numbers as the shape says, got {len(numbers)}.", where=where
        )
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() <= 255:
        raise DataError("expected whole numbers 0 .. 255.", where=f"{where}.data")
    return numbers.astype(np.uint8)


def write_response(
    head: Mapping[str, Any], outputs: Sequence[Output], *, binary: frozenset[str]
) -> tuple[bytes, int | None]:
    """The body, and the length of its JSON where bytes follow it."""
    told: list[dict[str, Any]] = []
    tails: list[bytes] = []
    for one in outputs:
        plain: dict[str, Any] = {
            "name": one.name,
            "datatype": one.datatype,
            "shape": list(one.values.shape),
        }
        if one.name.rpartition("/")[2] in binary:
            tails.append(_as_bytes(one))
            plain["parameters"] = {"binary_data_size": len(tails[-1])}
        else:
            plain["data"] = one.values.ravel().tolist()
        told.append(plain)
    text = json.dumps({**head, "outputs": told}, ensure_ascii=False).encode()
    return (text + b"".join(tails), len(text)) if tails else (text, None)


def _as_bytes(one: Output) -> bytes:
    if one.datatype != "BYTES":
        return np.ascontiguousarray(one.values).tobytes()
    encoded = [str(value).encode() for value in one.values.ravel()]
    return b"".join(len(data).to_bytes(4, "little") + data for data in encoded)
