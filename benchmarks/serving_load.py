"""Load on a server from a process of its own: raw HTTP/1.1 over kept connections.

    python benchmarks/serving_load.py URL PLAN.json --rate 30 --seconds 20      # open loop
    python benchmarks/serving_load.py URL PLAN.json --connections 8 --seconds 20  # closed loop

PLAN.json lists requests: {"name": deployment, "file": picture}. They are sent in order, again from
the start when the list ends. The last line is one JSON object with each answer's latency and times.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from urllib.parse import quote, urlsplit

WARM_S = 1.0
"""At the start, not counted."""


class Connection:
    """One kept connection, one request at a time."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.reader: asyncio.StreamReader | None = None

    async def ask(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        if self.reader is None:
            self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
        self.writer.write(request)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(head[0].split()[1]), headers, body


def encoded(name: str, data: bytes, host: str) -> bytes:
    """An inference request by the binary tensor extension."""
    tail = len(data).to_bytes(4, "little") + data
    head = json.dumps(
        {
            "inputs": [
                {
                    "name": "image",
                    "shape": [1],
                    "datatype": "BYTES",
                    "parameters": {"binary_data_size": len(tail)},
                }
            ]
        }
    ).encode()
    lines = [
        f"POST /v2/models/{quote(name)}/infer HTTP/1.1",
        f"Host: {host}",
        "Content-Type: application/octet-stream",
        f"Inference-Header-Content-Length: {len(head)}",
        f"Content-Length: {len(head) + len(tail)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + head + tail


def stages(headers: dict[str, str]) -> dict[str, float]:
    """Milliseconds by stage, as the server says."""
    parts = (part.strip().split(";dur=") for part in headers["server-timing"].split(","))
    return {name: float(ms) for name, ms in parts}


async def send(
    connection: Connection, request: bytes, since: float, found: list[dict[str, float]]
) -> None:
    status, headers, body = await connection.ask(request)
    now = time.perf_counter()
    if status != 200:
        raise SystemExit(f"{status}: {body[:300]!r}")
    found.append({"at": now, "ms": (now - since) * 1e3, **stages(headers)})


async def closed(
    url: str, requests: Iterator[bytes], *, connections: int, seconds: float
) -> list[dict[str, float]]:
    """As fast as the server answers, so many requests at once."""
    place, found = urlsplit(url), list[dict[str, float]]()
    ends = time.perf_counter() + seconds

    async def go_on() -> None:
        connection = Connection(place.hostname, place.port)
        while time.perf_counter() < ends:
            await send(connection, next(requests), time.perf_counter(), found)

    await asyncio.gather(*(go_on() for _ in range(connections)))
    return found


async def opened(
    url: str, requests: Iterator[bytes], *, rate: float, seconds: float
) -> list[dict[str, float]]:
    """So many requests a second, whether answers come or not; waiting counts."""
    place, found = urlsplit(url), list[dict[str, float]]()
    idle: list[Connection] = []

    async def one(request: bytes, due: float) -> None:
        connection = idle.pop() if idle else Connection(place.hostname, place.port)
        await send(connection, request, due, found)
        idle.append(connection)

    began, tasks = time.perf_counter(), list[asyncio.Task[None]]()
    for number in range(int(rate * seconds)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(next(requests), due)))
    await asyncio.gather(*tasks)
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("url")
    options.add_argument("plan", type=Path)
    options.add_argument("--rate", type=float, default=0.0)
    options.add_argument("--connections", type=int, default=1)
    options.add_argument("--seconds", type=float, default=10.0)
    chosen = options.parse_args()
    host = urlsplit(chosen.url).netloc
    plan = json.loads(chosen.plan.read_text())
    requests = cycle([encoded(one["name"], Path(one["file"]).read_bytes(), host) for one in plan])
    began = time.perf_counter()
    if chosen.rate:
        found = asyncio.run(opened(chosen.url, requests, rate=chosen.rate, seconds=chosen.seconds))
    else:
        found = asyncio.run(
            closed(chosen.url, requests, connections=chosen.connections, seconds=chosen.seconds)
        )
    counted = [one for one in found if one["at"] - began > WARM_S]
    print(json.dumps({"seconds": chosen.seconds - WARM_S, "answers": counted}))


if __name__ == "__main__":
    main()
