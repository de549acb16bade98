"""The command line as a whole: help, version, exit codes of wrong usage."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.conftest import Run
from typha.version import __version__

COMMANDS = ("serve", "demo", "dump", "tail", "get", "status")


def test_version(run: Run) -> None:
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"typha {__version__}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(run: Run, command: str) -> None:
    result = run(command, "--help", COLUMNS="120")
    assert result.exit_code == 0
    assert "Example: " in result.stdout
    assert "Exit codes: 0 done, 1 failed, 2 wrong usage" in result.stdout


def test_wrong_usage_is_2(run: Run) -> None:
    for arguments in (["nonsense"], ["dump", "--nonsense"], ["get"], ["demo", "--agents", "0"]):
        assert run(*arguments).exit_code == 2, arguments


def test_help_loads_no_server() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from typha.cli.main import app;"
        "assert CliRunner().invoke(app, ['serve', '--help']).exit_code == 0;"
        "print([name for name in ('kubernetes_asyncio', 'aiohttp', 'msgspec', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "typha", "--version"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"typha {__version__}\n", "")
