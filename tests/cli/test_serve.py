"""`typha serve`: what it does before it serves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Run

FILE = "topics:\n  pods: {resource: v1/pods}\nfeeds:\n  inventory: [pods]\nhealth: off\n"


def test_check_config(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "typha.yaml"
    file.write_text(FILE)
    result = run("serve", "--config", str(file), "--check-config")
    assert result.exit_code == 0
    assert result.stderr == "the configuration is valid: 1 topics, 1 feeds, listen 127.0.0.1:5473\n"


def test_wrong_configuration_is_2_with_every_error_on_a_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "typha.yaml"
    file.write_text("lisen: 1\ntimng: {}\n")
    result = run("serve", "-c", str(file), "--listen", "x", TYPHA_WRONG="1")
    assert result.exit_code == 2
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert [line.split(": ")[1:3] for line in errors] == [
        ["--listen", "listen = 'x'"],
        ["environment", "TYPHA_WRONG = '1'"],
        [f"{file}:1", "lisen = 1"],
        [f"{file}:2", "timng = {}"],
    ]
    assert result.stderr.splitlines()[-1].startswith("hint: 4 to correct")
    assert result.stdout == ""


def test_missing_file_is_2(run: Run, tmp_path: Path) -> None:
    result = run("serve", "--config", str(tmp_path / "nowhere.yaml"), "--check-config")
    assert result.exit_code == 2
    assert "nowhere.yaml: config: cannot be read: No such file or directory" in result.stderr


def test_print_config_as_a_table(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "typha.yaml"
    file.write_text(FILE)
    result = run("serve", "-c", str(file), "--print-config", "--listen", "127.0.0.1:7", TYPHA_LOG_FORMAT="json")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["SETTING", "VALUE", "SOURCE"]
    assert ["listen", "127.0.0.1:7", "--listen"] in lines
    assert ["health", "off", f"{file}:5"] in lines
    assert ["log.format", "json", "environment", "TYPHA_LOG_FORMAT"] in lines
    assert ["limits.max_joiners", "64", "default"] in lines


def test_print_config_as_json(run: Run) -> None:
    result = run("serve", "--print-config", "-o", "json", "--log-level", "debug", "--insecure")
    page = json.loads(result.stdout)
    assert (result.exit_code, page["log.level"]["value"], page["log.level"]["source"]) == (0, "debug", "--log-level")
    assert page["insecure"] == {"value": True, "source": "--insecure", "kind": "flag", "variable": "TYPHA_INSECURE"}


def test_no_way_to_an_api_server_is_2_in_one_line(tmp_path: Path) -> None:
    environment = {"KUBECONFIG": str(tmp_path / "nowhere"), "K8S_API_ENDPOINT": "", "KUBERNETES_SERVICE_HOST": ""}
    done = subprocess.run(
        [sys.executable, "-m", "typha", "serve", "--health", "off", "--admin", "off", "--listen", "127.0.0.1:0"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == f"error: kubeconfig {tmp_path}/nowhere: no such file\n"
