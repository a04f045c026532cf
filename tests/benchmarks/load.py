"""The page under load: many polite callers, a visitor beside a flood, and bodies that never end.

    python -m tests.benchmarks.load [--requests 500] [--seconds 8] [--only polite live pictures bodies]

Clients and server share this machine's cores. A flood comes from 127.0.0.2 and waits for nothing; a visitor comes from
127.0.0.1 and asks one at a time. Linux only.
"""

import argparse
import asyncio
import base64
import io
import json
import re
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from demo import handlers
from resemotenet.checkpoints.pretrained import resolve
from tests.demo.server import Demo, running

CLIENTS = 32
LIVE_FLOOD, PICTURE_FLOOD, BODIES = 64, 8, 40
TURNS = 3
VISITOR, FLOODER = "127.0.0.1", "127.0.0.2"
_Ask = Callable[[httpx.AsyncClient, str], Awaitable[bool]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    options = parser.parse_args()
    for name in options.only:
        with tempfile.TemporaryDirectory() as folder, running(resolve(None).folder, Path(folder)) as demo:
            httpx.get(demo.address, timeout=120).raise_for_status()
            asyncio.run(PARTS[name](demo, options))


async def polite(demo: Demo, options: argparse.Namespace) -> None:
    """Each client asks for a picture of its own, again when it was answered."""
    widths = [400 + 2 * number for number in range(CLIENTS)]
    before, left = memory(demo), iter(range(options.requests))
    times: list[float] = []
    failures: list[str] = []
    peak = before

    async def client(number: int) -> None:
        nonlocal peak
        call = calling(widths[number])
        async with caller(VISITOR) as http:
            for _ in left:
                begun = time.perf_counter()
                answer = await predict(http, demo.address, call)
                times.append(time.perf_counter() - begun)
                peak = max(peak, memory(demo))
                found = re.search(r'"image": ?\{"width": ?(\d+)', answer)
                if found is None or int(found[1]) != widths[number]:
                    failures.append(answer[:120])

    begun = time.perf_counter()
    await asyncio.gather(*map(client, range(CLIENTS)))
    rate = len(times) / (time.perf_counter() - begun)
    p50, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
    print(f"polite: {len(times)} requests of {CLIENTS} clients, {len(failures)} failed or crossed {failures[:1]}")
    print(f"  {rate:.1f} a second, p50 {p50:.2f} s, p95 {p95:.2f} s; memory {before} MB, at most {peak} MB")


async def live(demo: Demo, options: argparse.Namespace) -> None:
    config = httpx.get(f"{demo.address}config", timeout=60).json()
    component = next(each["id"] for each in config["components"] if "read_frame" in json.dumps(each["props"]))
    call = {"data": {"frame": portrait(640), "time": 1.0, "smoothing": 0, "memory": None}, "session_hash": "a"}
    body = json.dumps({**call, "component_id": component, "fn_name": "read_frame"})

    async def ask(http: httpx.AsyncClient, address: str) -> bool:
        headers = {"Content-Type": "application/json"}
        answer = await http.post(f"{address}gradio_api/component_server", content=body, headers=headers)
        return answer.status_code == 200 and "faces" in answer.json()

    await beside(f"live, {LIVE_FLOOD} connections", demo, ask, LIVE_FLOOD, options.seconds)


async def pictures(demo: Demo, options: argparse.Namespace) -> None:
    call = calling(512)

    async def ask(http: httpx.AsyncClient, address: str) -> bool:
        return "event: complete" in await predict(http, address, call)

    await beside(f"pictures, {PICTURE_FLOOD} connections", demo, ask, PICTURE_FLOOD, options.seconds)


async def beside(what: str, demo: Demo, ask: _Ask, connections: int, seconds: float) -> None:
    """A visitor's answers a second, alone and beside a flood, in turns: machines have slow minutes."""
    alone, besides, refused = list[float](), list[float](), 0
    for _ in range(TURNS):
        rate, number = await visit(demo, ask, seconds)
        alone.append(rate)
        stop = asyncio.Event()
        floods = [asyncio.create_task(flood(demo, ask, stop)) for _ in range(connections)]
        await asyncio.sleep(2)
        rate, more = await visit(demo, ask, seconds)
        besides.append(rate)
        refused += number + more
        stop.set()
        await asyncio.gather(*floods)
    shares = [one / other for one, other in zip(besides, alone, strict=True)]
    print(f"{what}: a visitor gets {_range(alone, '.1f')} answers a second alone, {_range(besides, '.1f')} ", end="")
    print(f"beside the flood, {_range(shares, '.0%')} of it; {refused} refused", flush=True)


async def flood(demo: Demo, ask: _Ask, stop: asyncio.Event) -> None:
    async with caller(FLOODER) as http:
        while not stop.is_set():
            await ask(http, demo.address)


def _range(values: list[float], spec: str) -> str:
    return f"{statistics.median(values):{spec}} [{min(values):{spec}}, {max(values):{spec}}]"


async def visit(demo: Demo, ask: _Ask, seconds: float) -> tuple[float, int]:
    answered = refused = 0
    async with caller(VISITOR) as http:
        await ask(http, demo.address)
        begun = time.perf_counter()
        while time.perf_counter() - begun < seconds:
            if await ask(http, demo.address):
                answered += 1
            else:
                refused += 1
        return answered / (time.perf_counter() - begun), refused


async def bodies(demo: Demo, options: argparse.Namespace) -> None:
    """Bodies that miss their last byte: what they hold, and whether others are answered meanwhile."""
    for path in ("call/predict", "upload"):
        before = memory(demo)
        writers = [await unfinished(demo, path) for _ in range(BODIES)]
        await asyncio.sleep(5)
        held = sum(file.stat().st_size for file in demo.files()) / 1e6
        taken = memory(demo) - before
        async with caller(VISITOR) as http:
            try:
                begun = time.perf_counter()
                good = "event: complete" in await predict(http, demo.address, calling(512))
                answer = f"answered {good} in {time.perf_counter() - begun:.1f} s"
            except httpx.HTTPError as error:
                answer = f"failed: {error!r}"
        print(f"bodies: {BODIES} unfinished to {path} hold {taken} MB of memory, {held:.0f} MB of files; ", end="")
        print(f"another visitor's picture is {answer}")
        for writer in writers:
            writer.close()


async def unfinished(demo: Demo, path: str) -> asyncio.StreamWriter:
    host, port = demo.address.removeprefix("http://").rstrip("/").split(":")
    _, writer = await asyncio.open_connection(host, int(port), local_addr=(FLOODER, 0))
    kind = "application/json" if path != "upload" else "multipart/form-data; boundary=x"
    start = b'{"data": ["' if path != "upload" else b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"'
    body = start + b"\r\n\r\n" * (path == "upload") + b"a" * 14_900_000
    head = f"POST /gradio_api/{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\n"
    writer.write(head.encode() + f"Content-Length: {len(body) + 10}\r\n\r\n".encode() + body)
    return writer


async def predict(http: httpx.AsyncClient, address: str, call: bytes) -> str:
    """The stream of one answer, as text."""
    headers = {"Content-Type": "application/json"}
    begun = await http.post(f"{address}gradio_api/call/predict", content=call, headers=headers)
    if begun.status_code != 200:
        return begun.text
    return (await http.get(f"{address}gradio_api/call/predict/{begun.json()['event_id']}")).text


def caller(address: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(local_address=address, verify=False),
        timeout=httpx.Timeout(120),
        trust_env=False,
    )


def calling(width: int) -> bytes:
    """The call of /predict for ``portrait``."""
    return json.dumps({"data": [{"url": portrait(width)}]}).encode()


def portrait(width: int) -> str:
    """The data URI of a picture with one face, so many pixels wide."""
    with Image.open(handlers.EXAMPLES_FOLDER / "astronaut.jpg") as image:
        buffer = io.BytesIO()
        image.convert("RGB").resize((width, width)).save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def memory(demo: Demo) -> int:
    """What the server holds in memory, in MB."""
    [line] = [each for each in Path(f"/proc/{demo.process.pid}/status").read_text().splitlines() if "VmRSS" in each]
    return int(line.split()[1]) // 1000


PARTS: dict[str, Callable[[Demo, argparse.Namespace], Coroutine[Any, Any, None]]] = {
    "polite": polite,
    "live": live,
    "pictures": pictures,
    "bodies": bodies,
}

if __name__ == "__main__":
    main()
