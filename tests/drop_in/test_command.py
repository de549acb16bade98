"""The command line of Calico's Typha, up to where the server starts."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from tests.drop_in.test_health import NODES, READY, STATUSES, TIERS, published
from typha.config import HostPort
from typha.drop_in import command
from typha.drop_in.parameters import BY_NAME
from typha.drop_in.ports import DropInPorts
from typha.drop_in.settings import DropIn
from typha.drop_in.statistics import Figures
from typha.observe.status import Board
from typha.version import __version__

Run = Callable[..., Result]
# As `typha component typha` is typed, and as the script is.
FORMS = [(command.component, ["typha"]), (command.typha, [])]


@pytest.fixture(params=FORMS, ids=["component typha", "calico-typha"])
def run(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    app, before = request.param
    for name in BY_NAME:
        monkeypatch.delenv(f"TYPHA_{name.upper()}", raising=False)
    monkeypatch.delenv("TYPHA_VERIFY", raising=False)
    file = tmp_path / "typha.cfg"

    def run(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(app, [*before, "--config-file", str(file), *arguments], env=environment)

    return run


@pytest.fixture
def board() -> Board:
    return Board(time.monotonic)


@pytest.fixture
def health(board: Board) -> Iterator[dict[str, str]]:
    ports = DropInPorts(DropIn(health=HostPort("127.0.0.1", 0)), board, Figures())
    ports.start()
    try:
        yield {
            "TYPHA_HEALTHENABLED": "true",
            "TYPHA_HEALTHHOST": "127.0.0.1",
            "TYPHA_HEALTHPORT": str(ports.health_port),
        }
    finally:
        ports.stop()


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_version(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (0, f"typha {__version__}\n")


def test_checks_answer_by_exit_code_and_print_the_table(run: Run, board: Board, health: dict[str, str]) -> None:
    assert run("check", "liveness", **health).exit_code == 0
    result = run("check", "readiness", **health)
    assert result.exit_code == 1
    assert "reporting non-ready" in result.stdout
    picture = published(NODES, TIERS, STATUSES).status
    assert picture is not None
    board.publish(picture)
    result = run("check", "readiness", **health)
    assert (result.exit_code, result.stdout) == (0, READY + "\n")


def test_a_check_without_a_server_says_where_it_looked(run: Run) -> None:
    result = run("check", "liveness", TYPHA_HEALTHENABLED="true", TYPHA_HEALTHPORT="1")
    assert result.exit_code == 1
    assert "no answer from http://localhost:1/liveness" in result.stderr


def test_a_check_with_health_off_is_wrong_usage(run: Run) -> None:
    result = run("check", "liveness")
    assert result.exit_code == 2
    assert "TYPHA_HEALTHENABLED=true" in result.stderr


def test_the_file_is_read(run: Run, tmp_path: Path, health: dict[str, str]) -> None:
    lines = (f"{name.removeprefix('TYPHA_')} = {text}" for name, text in health.items())
    (tmp_path / "typha.cfg").write_text("[global]\n" + "\n".join(lines))
    assert run("check", "liveness").exit_code == 0


def test_wrong_parameters_are_told_all_at_once(run: Run) -> None:
    result = run(TYPHA_SERVERKEYFILE="/no/such/file", TYPHA_LIFE="two words", DATASTORE_TYPE="etcdv3")
    assert result.exit_code == 2
    assert "TYPHA_LIFE" in result.stderr
    result = run(TYPHA_SERVERKEYFILE="/no/such/file", DATASTORE_TYPE="etcdv3")
    assert result.exit_code == 2
    for said in ("ServerKeyFile", "ServerCertFile", "CAFile", "ClientCN", "DATASTORE_TYPE", "DatastoreType"):
        assert f"{said}" in result.stderr
    assert "docs/migrating-from-typha.md" in result.stderr


@pytest.mark.parametrize("arguments", [["nonsense"], ["check"], ["check", "x"], ["--nonsense"]])
def test_wrong_usage_is_2(run: Run, arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_typhas_mode_is_asked_for_by_the_datastore() -> None:
    assert command.is_asked_for({"TYPHA_DATASTORETYPE": "kubernetes"})
    assert command.is_asked_for({"typha_DatastoreType": "etcdv3"})
    assert not command.is_asked_for({"TYPHA_DATASTORETYPE": "", "TYPHA_HEALTHENABLED": "true"})


def test_our_own_flags_and_file_go_first(tmp_path: Path) -> None:
    file = tmp_path / "typha.yaml"
    file.write_text("timing: {ping_interval_s: 20}\nlife: two\n")
    settings = command.settings_from(
        {"TYPHA_DATASTORETYPE": "kubernetes", "TYPHA_SERVERPINGINTERVALSECS": "5"},
        None,
        flags={"listen": "127.0.0.1:0"},
        file=file,
    )
    assert settings.config.listen == HostPort("127.0.0.1", 0)
    assert settings.config.timing.ping_interval_s == 20.0
    assert settings.config.life == "two"
    with pytest.raises(typer.Exit):
        command.settings_from({}, None)


def test_help_loads_no_server() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from typha.drop_in.command import component;"
        "assert CliRunner().invoke(component, ['typha', '--help']).exit_code == 0;"
        "print([name for name in ('kubernetes_asyncio', 'aiohttp', 'msgspec', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
