"""The systemd unit: what it starts, how it ends, and how little it may do."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.generated import DEPLOY
from typha.cli.exits import USAGE
from typha.config import Config

UNIT = DEPLOY / "systemd" / "typha.service"
# The farewell that follows the drain (typha.downstream.server).
FAREWELL_S = 5


@pytest.fixture
def service() -> configparser.SectionProxy:
    # Keys may stand twice (LoadCredential): the last one counts here.
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(UNIT.read_text())
    return parser["Service"]


def test_it_starts_the_command_and_lets_it_drain(service: configparser.SectionProxy) -> None:
    assert service["ExecStart"].split()[0].endswith("/bin/typha")
    assert service["ExecStart"].split()[1:3] == ["serve", "--config"]
    # SIGHUP is the server's word for it (typha.reload).
    assert service["ExecReload"].split() == ["/bin/kill", "-HUP", "$MAINPID"]
    assert int(service["TimeoutStopSec"]) > Config().timing.drain_grace_s + FAREWELL_S
    assert int(service["RestartPreventExitStatus"]) == USAGE
    assert int(service["LimitNOFILE"]) > Config().limits.max_connections


def test_credentials_are_where_its_comment_says() -> None:
    text = UNIT.read_text()
    for name in ("kubeconfig", "tls.crt", "tls.key", "ca.crt"):
        assert f"LoadCredential={name}:/etc/typha/credentials/{name}" in text


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The unit with a program that exists."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze on this machine")
    path = tmp_path / UNIT.name
    path.write_text(UNIT.read_text().replace("/opt/typha/bin/typha", "/bin/true"))
    return path


def test_systemd_takes_it(installed: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", installed], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_it_may_do_little(installed: Path) -> None:
    """systemd's own measure, from 0 (nothing) to 10 (everything), is at most 2."""
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", str(installed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout[-200:]
