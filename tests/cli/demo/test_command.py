"""`typha demo` as a process, small: the proof holds, and fails where one change was taken."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

import psutil

from typha.cli.demo.calico import CalicoScene

COMMAND = [sys.executable, "-m", "typha", "demo", "--agents", "4", "--pods", "60", "--churn", "40", "--seconds", "1"]


def play(*arguments: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [*COMMAND, "-o", "json", *arguments], capture_output=True, text=True, timeout=110, check=False
    )
    assert done.stdout, done.stderr
    page: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, page


def test_the_proof_holds_over_a_kill() -> None:
    code, page = play()
    assert code == 0, page
    assert page["ok"] is True
    assert page["agents"] == page["agents_equal"] == 4
    assert page["restart"]["snapshots"] == 0
    assert page["restart"]["resumes"] + page["restart"]["reconciles"] == 4 * 6
    assert page["api_watches"] == {"typha": 6, "direct": 24}
    assert 0 < page["bytes"]["typha"] < page["bytes"]["direct"]
    assert page["changes"] > 0
    assert page["server_exit"] == 0


def test_calico_holds_over_a_kill() -> None:
    code, page = play("--calico")
    assert code == 0, page
    assert page["agents"] == page["agents_equal"] == 4
    # One watch for each resource, whatever feeds and topics use it.
    assert page["api_watches"]["typha"] == len(set(CalicoScene().resources.values()))
    assert page["objects"]["workloadendpoints"] > 40
    heading, *rows = page["look"]
    assert "WORKLOAD" in heading.split()
    assert all("app-" in row for row in rows)
    assert rows
    assert page["server_exit"] == 0


def test_sabotage_is_found() -> None:
    code, page = play("--sabotage")
    assert code == 1
    assert page["ok"] is False
    assert page["differing"] == {"node-0000": "namespaces lacks the-change-that-was-lost"}
    assert page["sabotaged"] == "the-change-that-was-lost"


def test_ended_from_outside_it_takes_its_server_with_it() -> None:
    with subprocess.Popen([*COMMAND[:-1], "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "streaming" in line:
                break
        (server,) = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
        assert (process.returncode, out) == (143, "")
        assert not server.is_running()
