"""`typha tail` as a process, against a server in memory."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.cli.conftest import PODS
from typha.wire.states import TopicState
from typha_client.testing import FakeServer


class Tail:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def line_of(self, op: str) -> dict[str, Any]:
        """The next line of this kind; bookmarks and statuses may come at any time."""
        while (line := self.line()).get("op") != op:
            assert line.get("op") in ("bookmark", "status"), line
        return line


@contextmanager
def tailing(*arguments: str) -> Iterator[Tail]:
    command = [sys.executable, "-m", "typha", "tail", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield Tail(process)
    finally:
        process.kill()
        process.communicate()


def test_what_is_held_and_then_every_change(server: FakeServer) -> None:
    with tailing("-s", server.address, "-t", "pods") as tail:
        held = [tail.line() for _ in PODS]
        assert [line["key"] for line in held] == sorted(PODS)
        assert all(list(line) == ["topic", "key", "rv", "value"] for line in held)

        rv = server.put("pods", "default/new", {"kind": "Pod"})
        assert tail.line_of("put") == {
            "op": "put",
            "topic": "pods",
            "key": "default/new",
            "rv": rv,
            "value": {"kind": "Pod"},
        }
        rv = server.put("pods", "default/new", {"kind": "Pod", "spec": {}})
        assert tail.line_of("put")["rv"] == rv
        rv = server.delete("pods", "default/new")
        assert tail.line_of("delete") == {"op": "delete", "topic": "pods", "key": "default/new", "rv": rv}
        rv = server.bookmark("pods", age_ms=40)
        while (mark := tail.line_of("bookmark"))["rv"] != rv:
            pass
        assert list(mark) == ["op", "topic", "rv", "age_ms"]
        assert mark["age_ms"] >= 0
        server.status("pods", TopicState.STALE, "no contact", since_ms=200_000)
        status = tail.line_of("status")
        assert list(status) == ["op", "topic", "state", "since_ms", "message"]
        assert (status["state"], status["message"]) == ("stale", "no contact")
        assert status["since_ms"] >= 200_000


def test_ctrl_c_is_130_without_a_word(server: FakeServer) -> None:
    with tailing("-s", server.address, "-t", "pods") as tail:
        for _ in PODS:
            tail.line()
        tail.process.send_signal(signal.SIGINT)
        _, errors = tail.process.communicate(timeout=30)
        assert (tail.process.returncode, errors) == (130, "")


def test_a_reader_that_goes_ends_it(server: FakeServer) -> None:
    with tailing("-s", server.address, "-t", "pods") as tail:
        for _ in PODS:
            tail.line()
        assert tail.process.stdout is not None
        assert tail.process.stderr is not None
        tail.process.stdout.close()
        server.put("pods", "default/new", {})
        server.put("pods", "default/newer", {})
        assert tail.process.wait(30) == 0
        assert tail.process.stderr.read() == ""
