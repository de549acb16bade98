"""What agents cost a real kube-apiserver: each with a watch of its own, and all through one typha.

The same changes are made over REST three times in turn: nobody watches, 500 direct watches, typha with 500 agents.
What the first costs is taken off the other two. A stretch ends when every agent has read its last change, so that
work cannot be put off beyond it. The API server sends JSON to direct watches, as Python agents ask for; one more
stretch asks for protobuf, as Go agents do.

The two servers are those of ``tests/controlplane``, which builds them once; where it cannot, it says what to do.
"""

from __future__ import annotations

import argparse
import re
import time
from dataclasses import dataclass, fields
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import psutil

from bench.loop_lag import LoopLag, add_loop_lag
from bench.processes import Agents, BenchError, Server, Watchers
from bench.report import Result, say
from typha.observe.status import Latency

if TYPE_CHECKING:
    from tests.controlplane.controlplane import ControlPlane

QUESTION: Final = "what do 500 agents cost a real kube-apiserver: through one typha, and with a watch each?"
SHARE: Final = 1 / 50
SETS_OF_WATCHES: Final = 1
_NAMESPACE: Final = "bench"
_PATH: Final = "/api/v1/pods?watch=1&resourceVersion={}&allowWatchBookmarks=true"
_JSON: Final = "application/json"
_PROTOBUF: Final = "application/vnd.kubernetes.protobuf;stream=watch"
_WATCHES: Final = re.compile(
    r'^apiserver_longrunning_requests\{(?=.*resource="pods")(?=.*verb="WATCH").*\} (\S+)$', re.MULTILINE
)
# Handshakes and first lists are over by then, and what they left is collected.
_SETTLE_S: Final = 2.0
_TIMEOUT_S: Final = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--agents --pods --rate --seconds --rounds."""
    parser.add_argument("--agents", type=int, help="default 500; quick 50")
    parser.add_argument("--pods", type=int, help="default 500; quick 100")
    parser.add_argument("--rate", type=float, default=75.0, help="changes of pods a second (default 75)")
    parser.add_argument("--seconds", type=float, help="of changes in each stretch (default 10; quick 4)")
    parser.add_argument("--rounds", type=int, help="of three stretches each; medians count (default 3; quick 1)")


def run(options: argparse.Namespace) -> Result:
    """Interleaved: what the machine does beside falls on all three alike."""
    count = options.agents or (50 if options.quick else 500)
    pods = options.pods or (100 if options.quick else 500)
    seconds = options.seconds or (4.0 if options.quick else 10.0)
    rounds = options.rounds or (1 if options.quick else 3)
    parameters = {"agents": count, "pods": pods, "rate": options.rate, "seconds": seconds, "rounds": rounds}
    result = Result("apiserver", parameters | {"direct": _JSON})
    with _control_plane() as control_plane:
        changes = _Changes(control_plane, pods, options.rate, seconds)
        idle_watches = _watches(control_plane)
        _alone(control_plane, changes)  # a server that has just started pays for more than the changes
        alone, direct, through = [], [], []
        late: list[Latency] = []
        for number in range(1, rounds + 1):
            say(f"apiserver: round {number} of {rounds}: nobody, {count} watches, typha")
            alone.append(_alone(control_plane, changes))
            direct.append(_direct(control_plane, changes, count, _JSON))
            stretch, loop_lag = _through_typha(control_plane, changes, count)
            through.append(stretch)
            late.append(loop_lag)
        say("apiserver: protobuf")
        protobuf = _median([_direct(control_plane, changes, count, _PROTOBUF)])
    _report(result, _median(alone), _median(direct), _median(through), idle_watches, changes.each * count)
    add_loop_lag(result, late)
    base = _median(alone)
    result.add("the same in protobuf: API server's CPU", protobuf.apiserver_s - base.apiserver_s, "s")
    result.add("the same in protobuf: sent by the API server", protobuf.bytes / 1e6, "MB")
    return result


@dataclass(frozen=True, slots=True)
class _Stretch:
    """CPU seconds of one stretch; ``rss_bytes`` of the API server and watches at its end."""

    apiserver_s: float
    etcd_s: float
    typha_s: float
    watches: float
    bytes: float
    rss_bytes: float


def _report(
    result: Result, alone: _Stretch, direct: _Stretch, through: _Stretch, idle_watches: float, deliveries: int
) -> None:
    direct_s, through_s = direct.apiserver_s - alone.apiserver_s, through.apiserver_s - alone.apiserver_s
    result.add("API server's CPU for the changes alone", alone.apiserver_s, "s")
    result.add("direct watches: API server's CPU for them", direct_s, "s")
    result.add("direct watches: API server's CPU for each event", 1e6 * direct_s / deliveries, "us")
    result.add("through typha: API server's CPU for it", through_s, "s")
    # Within the noise of the changes alone it can come out below zero.
    result.add("API server's CPU, through typha to direct", max(through_s, 0.0) / direct_s, "x", at_most=SHARE)
    result.add("direct watches: open", direct.watches - idle_watches, "")
    result.add("through typha: sets of watches", through.watches - idle_watches, "", at_most=SETS_OF_WATCHES)
    result.add("direct watches: sent by the API server", direct.bytes / 1e6, "MB")
    result.add("etcd's CPU for the changes alone", alone.etcd_s, "s")
    result.add("direct watches: etcd's CPU for them", direct.etcd_s - alone.etcd_s, "s")
    result.add("through typha: etcd's CPU for it", through.etcd_s - alone.etcd_s, "s")
    result.add("direct watches: API server's memory, more than alone", (direct.rss_bytes - alone.rss_bytes) / 1e6, "MB")
    result.add("through typha: API server's memory, more than alone", (through.rss_bytes - alone.rss_bytes) / 1e6, "MB")
    result.add("typha's own CPU", through.typha_s, "s")


def _control_plane() -> ControlPlane:
    """Not started. BenchError that says what to do."""
    # Only here: the tests are not part of an installation, and need Go for their first build.
    try:
        from tests.controlplane.build import find_or_build, print_progress  # noqa: PLC0415
        from tests.controlplane.controlplane import ControlPlane  # noqa: PLC0415
        from tests.controlplane.server_process import ControlPlaneError  # noqa: PLC0415
    except ImportError as error:
        raise BenchError(f"no control plane ({error}). What to do: run it in a checkout of the repository") from None
    try:
        return ControlPlane(binaries=find_or_build(print_progress))
    except ControlPlaneError as error:
        raise BenchError(f"no control plane: {error}") from None


class _Changes:
    """Pods, and labels of theirs that change at a bounded rate. ``each``: so many in a stretch."""

    def __init__(self, control_plane: ControlPlane, pods: int, rate: float, seconds: float) -> None:
        self._rest = control_plane.rest
        self._rate = rate
        self._stretch = 0
        self.each = int(rate * seconds)
        self._rest.create_namespace(_NAMESPACE)
        self._names = [f"pod-{number:05d}" for number in range(pods)]
        for number, name in enumerate(self._names):
            self._rest.create("v1/pods", _pod(name, number), _NAMESPACE)

    def begin(self) -> tuple[str, str]:
        """A resourceVersion to watch from, and the marker of the last change to come."""
        self._stretch += 1
        return self._rest.list("v1/pods", limit=1)["metadata"]["resourceVersion"], f"last-of-{self._stretch}-x"

    def make(self, marker: str) -> int:
        """All changes of the stretch; the resourceVersion of the last, which carries the marker."""
        began_at, rv = time.monotonic(), 0
        for number in range(self.each):
            label = marker if number == self.each - 1 else f"{self._stretch}-{number}"
            name = self._names[number % len(self._names)]
            changed = self._rest.patch("v1/pods", name, {"metadata": {"labels": {"bench": label}}}, _NAMESPACE)
            rv = int(changed["metadata"]["resourceVersion"])
            time.sleep(max(0.0, began_at + (number + 1) / self._rate - time.monotonic()))
        return rv


def _pod(name: str, number: int) -> dict[str, Any]:
    """About 2 KB as the API server sends it, its defaults and managedFields included."""
    return {
        "metadata": {"name": name, "labels": {"app": f"app-{number % 50}", "bench": "0"}},
        "spec": {
            "nodeName": f"node-{number % 100:04d}",
            "containers": [
                {
                    "name": "main",
                    "image": f"registry.example.com/app-{number % 50}:1.0",
                    "ports": [{"containerPort": 8080}],
                    "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
                }
            ],
        },
    }


def _alone(control_plane: ControlPlane, changes: _Changes) -> _Stretch:
    _, marker = changes.begin()
    time.sleep(_SETTLE_S)
    used = _Used(control_plane)
    changes.make(marker)
    return used.stretch(0.0, 0.0)


def _direct(control_plane: ControlPlane, changes: _Changes, count: int, accept: str) -> _Stretch:
    rv, marker = changes.begin()
    with Watchers(control_plane) as watchers:
        watchers.ask("watch", path=_PATH.format(rv), count=count, accept=accept)
        time.sleep(_SETTLE_S)
        used = _Used(control_plane)
        changes.make(marker)
        read = watchers.ask("marked", marker=marker, timeout_s=_TIMEOUT_S)
        return used.stretch(0.0, read["bytes"])


def _through_typha(control_plane: ControlPlane, changes: _Changes, count: int) -> tuple[_Stretch, Latency]:
    _, marker = changes.begin()
    with Server(control_plane) as server, Agents(server.port) as agents:
        server.start()
        server.wait_ready()
        lag = LoopLag(server)
        agents.ask("connect", count=count)
        agents.ask("synced", timeout_s=_TIMEOUT_S)
        time.sleep(_SETTLE_S)
        used, typha_s = _Used(control_plane), server.cpu_s()
        rv = changes.make(marker)
        agents.ask("position", rv=rv, timeout_s=_TIMEOUT_S)
        return used.stretch(server.cpu_s() - typha_s, 0.0), lag.end()


class _Used:
    """What both servers have used since it was made."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self._control_plane = control_plane
        self._apiserver = psutil.Process(control_plane.apiserver.process.pid)
        self._etcd = psutil.Process(control_plane.etcd.process.pid)
        self._before = _cpu_s(self._apiserver), _cpu_s(self._etcd)

    def stretch(self, typha_s: float, read_bytes: float) -> _Stretch:
        """Since then. Watches are counted here: the metric is of this moment."""
        apiserver_s, etcd_s = _cpu_s(self._apiserver) - self._before[0], _cpu_s(self._etcd) - self._before[1]
        rss = float(self._apiserver.memory_info().rss)
        return _Stretch(apiserver_s, etcd_s, typha_s, _watches(self._control_plane), read_bytes, rss)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _watches(control_plane: ControlPlane) -> float:
    """Of pods, by the API server's own count; its own informers are in it."""
    return sum(float(value) for value in _WATCHES.findall(control_plane.rest.text("/metrics")))


def _median(stretches: list[_Stretch]) -> _Stretch:
    return _Stretch(*(median(getattr(each, field.name) for each in stretches) for field in fields(_Stretch)))
