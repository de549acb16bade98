"""``python -m bench profile``: where the server's CPU goes, sampled from outside by py-spy while it does its work.

Two stretches: the fan-out to agents that keep up, and the first list. Of each a flame graph (SVG) and a profile for
speedscope.app in bench/profiles, and the functions that are on top most often. py-spy reads another process's memory:
it needs root, or ``kernel.yama.ptrace_scope=0``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.probing import POD_SHARE
from bench.processes import Agents, BenchError, Server, Simulation
from bench.report import Result, print_results, say

QUESTION: Final = "where does the server's CPU go, in the fan-out and in the first list?"
PROFILES: Final = Path(__file__).parent / "profiles"
# A multiple of nothing in the server, so that no timer runs in step with it.
_SAMPLES_PER_S: Final = 199
_FORMATS: Final = {"flamegraph": "svg", "speedscope": "speedscope.json"}
_SHOWN: Final = 15
_TIMEOUT_S: Final = 60.0
_WARM_UP_S: Final = 2.0
# The server waits for a file before it imports anything: py-spy is attached by then, and a sleeper is not sampled.
_HELD: Final = """\
import os, sys, time
held = sys.argv.pop(1)
while not os.path.exists(held):
    time.sleep(0.02)
sys.argv[0] = 'typha'
from typha.__main__ import main
main()
"""
_WAITING: Final = "typha-observe"
_ATTACH_S: Final = 2.0


class Function(NamedTuple):
    """Samples in which a function was on top, and in which it was anywhere on the stack."""

    name: str
    on_top: int
    anywhere: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--agents --rate --pods --seconds."""
    parser.add_argument("--agents", type=int, help="of the fan-out (default 1,000; quick 200)")
    parser.add_argument("--rate", type=float, default=1000.0, help="changes of pods a second (default 1,000)")
    parser.add_argument("--pods", type=int, help="of the list (default 100,000; quick 10,000)")
    parser.add_argument("--seconds", type=float, help="of fan-out that are sampled (default 15; quick 4)")


def run(options: argparse.Namespace) -> int:
    """0; 1 without py-spy, or where it may not look into another process."""
    agents = options.agents or (200 if options.quick else 1000)
    pods = options.pods or (10_000 if options.quick else 100_000)
    seconds = options.seconds or (4.0 if options.quick else 15.0)
    parameters = {"agents": agents, "rate": options.rate, "pods": pods, "seconds": seconds}
    result = Result("profile", parameters | {"samples_per_s": _SAMPLES_PER_S})
    PROFILES.mkdir(exist_ok=True)
    try:
        for kind in _FORMATS:
            _fan_out(kind, agents, options.rate, seconds)
            _list(kind, pods)
    except BenchError as error:
        say(f"profile: {error}")
        return 1
    for name in ("fan-out", "list"):
        profile = json.loads(_path(name, "speedscope").read_text(encoding="utf-8"))
        functions = top(profile)
        samples = sum(function.on_top for function in functions)
        for function in functions[:_SHOWN]:
            result.add(f"{name}: {function.name}", 100 * function.on_top / samples, "%")
    say(f"profile: flame graphs and speedscope profiles are in {PROFILES}")
    say(f"profile: written to {result.save(is_quick=options.quick)}")
    print_results([result])
    return 0


def top(profile: Mapping[str, Any]) -> list[Function]:
    """Functions of a speedscope document, those that were on top most often first. Lines of a function are one.

    Without the observers' thread, which waits in epoll: py-spy takes it for a busy one.
    """
    names = [f"{frame['name']} ({_short(frame.get('file', ''))})" for frame in profile["shared"]["frames"]]
    on_top: Counter[str] = Counter()
    anywhere: Counter[str] = Counter()
    for thread in profile["profiles"]:
        for stack in thread["samples"]:
            if stack and _WAITING not in thread["name"]:
                on_top[names[stack[-1]]] += 1
                anywhere.update({names[place] for place in stack})
    return [Function(name, count, anywhere[name]) for name, count in on_top.most_common()]


def _short(file: str) -> str:
    """From the package on: where a machine keeps its packages tells nothing."""
    parts = Path(file).parts
    for package in ("typha", "site-packages"):
        if package in parts:
            place = len(parts) - 1 - parts[::-1].index(package)
            return "/".join(parts[place + (package == "site-packages") :])
    return "/".join(parts[-2:])


def _fan_out(kind: str, agents: int, rate: float, seconds: float) -> None:
    say(f"profile: fan-out, {agents} agents, {rate:g} changes a second, {kind}")
    with (
        Simulation(pods=1000, churn=rate / POD_SHARE) as simulation,
        Server(simulation) as server,
        Agents(server.port) as load,
    ):
        server.start()
        server.wait_ready()
        load.ask("connect", count=agents)
        load.ask("synced", timeout_s=_TIMEOUT_S)
        time.sleep(_WARM_UP_S)
        with _recording("fan-out", kind, server):
            time.sleep(seconds)


def _list(kind: str, pods: int) -> None:
    say(f"profile: list of {pods} pods, {kind}")
    with Simulation(pods=pods) as simulation, _HeldServer(simulation) as server:
        server.start()
        with _recording("list", kind, server):
            time.sleep(_ATTACH_S)
            server.release()
            server.wait_ready()


class _HeldServer(Server):
    """Begins when it is released."""

    def start(self) -> None:
        config, held = str(self.folder / "typha.yaml"), str(self.folder / "go")
        command = [sys.executable, "-c", _HELD, held, "serve", "--config", config]
        self.spawn(command, KUBECONFIG=str(self.cluster.kubeconfig))

    def release(self) -> None:
        """Let it begin."""
        self.started_at = time.monotonic()
        (self.folder / "go").touch()


def _path(name: str, kind: str) -> Path:
    return PROFILES / f"{name}.{_FORMATS[kind]}"


@contextmanager
def _recording(name: str, kind: str, server: Server) -> Iterator[None]:
    """py-spy on the server while the block runs. BenchError where it cannot."""
    beside = Path(sys.executable).with_name("py-spy")
    spy = str(beside) if beside.exists() else shutil.which("py-spy")
    if spy is None:
        raise BenchError("no py-spy: pip install --group bench")
    command = [spy, "record", "--pid", str(server.usage.pid), "--rate", str(_SAMPLES_PER_S), "--format", kind]
    command += ["--output", str(_path(name, kind)), "--duration", "unlimited", "--threads"]
    recording = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        yield
    finally:
        # Ctrl-C is how it is told to write what it has.
        recording.send_signal(signal.SIGINT)
        _, errors = recording.communicate(timeout=_TIMEOUT_S)
    if recording.returncode or not _path(name, kind).exists():
        raise BenchError(f"py-spy: {errors.strip().splitlines()[-1:]}")
