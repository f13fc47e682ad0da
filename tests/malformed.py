"""Requests that no server should be asked, by the thousand, from a seed."""

import io
import json
import random
import struct
import zlib
from collections.abc import Iterator

from PIL import Image


def picture(rng: random.Random) -> bytes:
    """A small real PNG."""
    pixels = bytes(rng.randrange(256) for _ in range(32 * 32))
    out = io.BytesIO()
    Image.frombytes("L", (32, 32), pixels).save(out, "PNG")
    return out.getvalue()


def zip_bomb(side: int = 30_000) -> bytes:
    """A PNG of a few kilobytes that says it has 900 million pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1 << 20), 9)
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """A PNG whose comment unpacks to 64 MB."""
    plain = picture(random.Random(0))
    packed = b"Comment\0\0" + zlib.compress(bytes(64 << 20), 9)
    chunk = struct.pack(">I", len(packed)) + b"zTXt" + packed
    chunk += struct.pack(">I", zlib.crc32(b"zTXt" + packed))
    return plain[:33] + chunk + plain[33:]


BOMB, COMMENT = zip_bomb(), text_bomb()


def requests(name: str, *, seed: int, count: int) -> Iterator[bytes]:
    """Raw HTTP/1.1 requests to the deployment `name`, each wrong in one way or another."""
    rng = random.Random(seed)
    kinds = [
        _truncated,
        _noise,
        _bomb,
        _wrong_tensor,
        _fuzzed_json,
        _wrong_length,
        _flipped,
        _huge_header,
        _wrong_path,
        _wrong_form,
        _gzip,
        _deep_json,
    ]
    for number in range(count):
        yield kinds[number % len(kinds)](rng, name)


def post(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def tensor(body: dict, tail: bytes = b"") -> tuple[bytes, list[str]]:
    text = json.dumps(body).encode()
    return text + tail, [f"Inference-Header-Content-Length: {len(text)}"] if tail else []


def infer(deployment: str, file: bytes, **change: object) -> bytes:
    tail = len(file).to_bytes(4, "little") + file
    plain = {"name": "image", "shape": [1], "datatype": "BYTES"}
    plain |= {"parameters": {"binary_data_size": len(tail)}} | change
    body, headers = tensor({"inputs": [plain]}, tail)
    return post(f"/v2/models/{deployment}/infer", body, *headers)


def _truncated(rng: random.Random, name: str) -> bytes:
    whole = picture(rng)
    return infer(name, whole[: rng.randrange(1, len(whole) - 20)])


def _noise(rng: random.Random, name: str) -> bytes:
    return infer(name, rng.randbytes(rng.randrange(2000)))


def _bomb(rng: random.Random, name: str) -> bytes:
    return infer(name, rng.choice([BOMB, COMMENT[: len(COMMENT) - 7]]))


def _wrong_tensor(rng: random.Random, name: str) -> bytes:
    changes: list[dict[str, object]] = [
        {"shape": [rng.randrange(-(10**12), 10**12)]},
        {"shape": [1, 1, 1, 1, 1]},
        {"datatype": rng.choice(["FP64", "BOOL", "", "BYTES "])},
        {"parameters": {"binary_data_size": rng.randrange(-100, 10**9)}},
        {"datatype": "UINT8", "shape": [1, rng.randrange(1, 10**6), 7, 3]},
        {"shape": "1"},
        {"name": "x" * 1000},
        {"data": [1, 2, 3]},
    ]
    return infer(name, picture(rng), **rng.choice(changes))


def _fuzzed_json(rng: random.Random, name: str) -> bytes:
    good = bytearray(
        b'{"inputs":[{"name":"image","shape":[1],"datatype":"BYTES","data":["aGk="]}]}'
    )
    for _ in range(rng.randrange(1, 8)):
        good[rng.randrange(len(good))] = rng.randrange(256)
    return post(f"/v2/models/{name}/infer", bytes(good))


def _wrong_length(rng: random.Random, name: str) -> bytes:
    value = rng.choice(["-1", "abc", str(rng.randrange(10**6, 10**15)), "1e3"])
    return post(f"/v2/models/{name}/infer", b"{}" * 10, f"Inference-Header-Content-Length: {value}")


def _flipped(rng: random.Random, name: str) -> bytes:
    data = bytearray(picture(rng))
    for _ in range(3):
        data[rng.randrange(8, 33)] ^= 1 << rng.randrange(8)  # in the header: its checksum breaks
    return infer(name, bytes(data))


def _huge_header(rng: random.Random, name: str) -> bytes:
    return post(f"/predict/{name}", b"x", "X-Filler: " + "a" * rng.randrange(70_000, 300_000))


def _wrong_path(rng: random.Random, name: str) -> bytes:
    path = rng.choice(
        ["/v2/models/nobody/infer", "/predict/", "/v3", f"/v2/models/{name}/versions/zz/infer"]
    )
    return post(path, b'{"inputs":[{"name":"i","shape":[1],"datatype":"BYTES","data":["aGk="]}]}')


def _wrong_form(rng: random.Random, name: str) -> bytes:
    body = rng.choice([b"--b\r\n", b"--b\r\n\r\n\r\n--b--", rng.randbytes(300), b""])
    return post(f"/predict/{name}", body, "Content-Type: multipart/form-data; boundary=b")


def _gzip(rng: random.Random, name: str) -> bytes:
    del rng
    return post(f"/v2/models/{name}/infer", zlib.compress(bytes(1 << 20)), "Content-Encoding: gzip")


def _deep_json(rng: random.Random, name: str) -> bytes:
    depth = rng.randrange(1000, 100_000)
    return post(f"/v2/models/{name}/infer", b"[" * depth + b"]" * depth)
