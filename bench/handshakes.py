"""A storm of mTLS handshakes: what one costs the server, beside a loop that does nothing else, and what the agents that
are served notice of it.

``python -m bench.handshakes storm PORT FOLDER SECONDS`` makes them: so many under way at any time; each connection
stays open, silent, to the end. It prints how many were made, and how long they took.
``python -m bench.handshakes alone FOLDER`` is that loop: accept, shake hands, the next. It prints its port, and when
the storm is over its CPU and how many there were.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from bench.certificates import agent_context
from bench.probing import Stretch, measure
from bench.processes import Agents, BenchError, Server, Simulation
from bench.report import Result, percentile
from typha.downstream.tls import TlsFiles, server_context
from typha.wire.codec import decode_message, encode_message
from typha.wire.frames import CLIENT_INBOUND_LIMIT_BYTES, FrameDecoder
from typha.wire.messages import Hello, Ping, Pong

# More than any bound on handshakes, and than one turn of a loop should take.
_AT_ONCE: Final = 200
# Half of what a session lets a client say.
_PING_EVERY_S: Final = 0.1
_READ_BYTES: Final = 65536
_TIMEOUT_S: Final = 30.0
# Nobody connects any more: a process starts in less.
_ALONE_S: Final = 5.0


def add_storm(
    result: Result, name: str, simulation: Simulation, server: Server, agents: Agents, folder: Path, seconds: float
) -> None:
    """The same agents for ``seconds`` without and with a storm; before it, one on ssl alone."""
    limit_s = _alone(folder, seconds / 2)
    quiet, quiet_pongs, _ = _stretch(simulation, server, agents, folder, seconds, storm=False)
    stormy, pongs, found = _stretch(simulation, server, agents, folder, seconds, storm=True)
    cpu_s = stormy.server_cpu_s - quiet.server_cpu_s / quiet.seconds * stormy.seconds
    result.add(f"{name}: handshakes", found["handshakes"] / seconds, "1/s")
    result.add(f"{name}: CPU of a handshake", cpu_s / found["handshakes"] * 1e3, "ms")
    result.add(f"{name}: CPU of a handshake, ssl alone", limit_s * 1e3, "ms")
    result.add(f"{name}: a handshake, p99, {_AT_ONCE} at once", found["p99_s"] * 1e3, "ms")
    for figure, before, during in (
        ("live agents' p99", quiet.p99_s, stormy.p99_s),
        ("answer to a ping, p99", percentile(quiet_pongs, 0.99), percentile(pongs, 0.99)),
        ("answer to a ping, worst", quiet_pongs[-1], pongs[-1]),
    ):
        result.add(f"{name}: {figure}, quiet", before * 1e3, "ms")
        result.add(f"{name}: {figure}, in a storm of handshakes", during * 1e3, "ms")


def _stretch(
    simulation: Simulation, server: Server, agents: Agents, folder: Path, seconds: float, *, storm: bool
) -> tuple[Stretch, list[float], dict[str, Any]]:
    """Agents' latencies, the pongs' in ascending order, what the storm's process found."""
    pongs: list[float] = []
    pinging = threading.Thread(target=_ping, args=(server.port, folder, seconds, pongs))
    process = _begin("storm", server.port, folder, seconds) if storm else None
    pinging.start()
    try:
        stretch = measure(simulation, server, agents, seconds)
    finally:
        pinging.join()
        output = process.communicate(timeout=_TIMEOUT_S)[0] if process is not None else b"{}"
    if not pongs or (process is not None and process.returncode):
        raise BenchError("the storm, or who pinged in it, ended early")
    return stretch, sorted(pongs), json.loads(output)


def _begin(*arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bench.handshakes", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def _alone(folder: Path, seconds: float) -> float:
    """CPU seconds of one handshake, where nothing but handshakes is done."""
    with _begin("alone", folder) as process:
        assert process.stdout is not None
        with _begin("storm", int(process.stdout.readline()), folder, seconds) as storming:
            storming.communicate(timeout=_TIMEOUT_S)
        found = json.loads(process.communicate(timeout=_TIMEOUT_S)[0])
    return float(found["cpu_s"] / found["handshakes"])


def _ping(port: int, folder: Path, seconds: float, took_s: list[float]) -> None:
    """How long the loop takes to answer, again and again; the answer is made between two slices of a round."""
    stop_at = time.monotonic() + seconds
    with agent_context(folder).wrap_socket(socket.create_connection(("127.0.0.1", port), _TIMEOUT_S)) as agent:
        agent.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else the first ping waits for the Hello's ACK
        agent.sendall(encode_message(Hello("pinger", "bench/1", topics=("pods",))))
        decoder = FrameDecoder(CLIENT_INBOUND_LIMIT_BYTES)
        while time.monotonic() < stop_at:
            sent_at = time.monotonic()
            agent.sendall(encode_message(Ping(1)))
            while not _read_pong(agent, decoder):
                pass
            took_s.append(time.monotonic() - sent_at)
            time.sleep(_PING_EVERY_S)


def _read_pong(agent: ssl.SSLSocket, decoder: FrameDecoder) -> bool:
    decoder.receive_data(agent.recv(_READ_BYTES))
    found = False
    while (frame := decoder.next_frame()) is not None:
        found = found or isinstance(decode_message(frame), Pong)
    return found


def storm(port: int, folder: Path, seconds: float) -> dict[str, Any]:
    """See the module."""
    context = agent_context(folder)
    epoll = select.epoll()
    under_way: dict[int, tuple[ssl.SSLSocket, float]] = {}
    done: list[ssl.SSLSocket] = []
    took_s: list[float] = []
    stop_at = time.monotonic() + seconds
    while (now := time.monotonic()) < stop_at:
        while len(under_way) < _AT_ONCE:
            opened = socket.create_connection(("127.0.0.1", port), _TIMEOUT_S)
            opened.setblocking(False)
            agent = context.wrap_socket(opened, do_handshake_on_connect=False)
            under_way[agent.fileno()] = agent, now
            epoll.register(agent.fileno(), select.EPOLLIN)
            _go_on(agent)
        for handle, _ in epoll.poll(0.1):
            agent, began_at = under_way[handle]
            if _go_on(agent):
                took_s.append(time.monotonic() - began_at)
                epoll.unregister(handle)
                done.append(under_way.pop(handle)[0])
    for agent in [*done, *(agent for agent, _ in under_way.values())]:
        agent.close()
    took_s.sort()
    return {"handshakes": len(took_s), "p50_s": percentile(took_s, 0.5), "p99_s": percentile(took_s, 0.99)}


def _go_on(agent: ssl.SSLSocket) -> bool:
    try:
        agent.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def alone(folder: Path) -> dict[str, Any]:
    """See the module."""
    context = server_context(TlsFiles(folder / "server.pem", folder / "server.key", folder / "ca.pem"))
    context.num_tickets = 0
    done: list[ssl.SSLSocket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=_AT_ONCE) as listening:
        print(listening.getsockname()[1], flush=True)
        listening.settimeout(_ALONE_S)
        accepted, _ = listening.accept()  # who makes them is there
        cpu_before_s = time.process_time()
        with suppress(OSError):  # the storm is over
            while True:
                done.append(context.wrap_socket(accepted, server_side=True))
                accepted, _ = listening.accept()
        cpu_s = time.process_time() - cpu_before_s
    return {"handshakes": len(done), "cpu_s": cpu_s}


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    if what == "storm":
        print(json.dumps(storm(int(words[0]), Path(words[1]), float(words[2]))))
    else:
        print(json.dumps(alone(Path(words[0]))))
