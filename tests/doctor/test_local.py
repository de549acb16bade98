"""Ports that are taken, folders that cannot be written: seen without an API server."""

from __future__ import annotations

import dataclasses
import socket
import time
from pathlib import Path

from tests.observe.pictures import picture
from typha.config import Config, HostPort
from typha.config.model import LimitsConfig, WarmStartConfig
from typha.doctor.findings import Outcome, worst
from typha.doctor.local import examine_file_handles, examine_ports, examine_warm_start
from typha.observe.http import ObserveServer
from typha.observe.status import Board

VERSION = picture().build.version


def config_of(**changes: object) -> Config:
    free = {name: HostPort("127.0.0.1", 0) for name in ("listen", "health", "admin")}
    return dataclasses.replace(Config(), **{**free, **changes})  # type: ignore[arg-type]


def test_free_ports_and_ports_that_are_off() -> None:
    found = list(examine_ports(config_of(health=None)))
    assert [(each.check, each.outcome) for each in found] == [
        ("port listen", "ok"),
        ("port health", "ok"),
        ("port admin", "ok"),
    ]
    assert found[1].what == "off"


def test_a_taken_port_says_which_setting_to_change() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = HostPort("127.0.0.1", taken.getsockname()[1])
        found = list(examine_ports(config_of(health=address)))
    assert worst(found) is Outcome.FAIL
    assert "set `health` to another address" in found[1].hint


def test_the_ports_of_a_typha_that_runs_here_and_whose_page_is_closed() -> None:
    board = Board(time.monotonic)
    board.publish(picture())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        admin = HostPort("127.0.0.1", taken.getsockname()[1])  # whoever has it, it answers to nobody without a name
        server = ObserveServer(board, health=HostPort("127.0.0.1", 0), admin=None)
        server.start()
        try:
            health = HostPort("127.0.0.1", server.health_port or 0)
            found = list(examine_ports(config_of(health=health, admin=admin)))
        finally:
            server.stop()
    assert worst(found) is Outcome.OK
    assert [each.what.partition(": ")[2] for each in found[1:]] == [f"in use by the typha {VERSION} that runs here"] * 2


def test_an_address_of_another_machine() -> None:
    (listen, *_) = examine_ports(config_of(listen=HostPort("192.0.2.1", 5473)))
    assert listen.outcome is Outcome.FAIL
    assert "cannot listen on 192.0.2.1:5473" in listen.what


def test_more_connections_than_file_handles() -> None:
    limits = dataclasses.replace(LimitsConfig(), max_connections=1_000_000_000)
    assert examine_file_handles(config_of(limits=limits)).outcome in (Outcome.WARN, Outcome.OK)
    limits = dataclasses.replace(LimitsConfig(), max_connections=1)
    assert examine_file_handles(config_of(limits=limits)).outcome is Outcome.OK


def test_the_folder_of_a_warm_start(tmp_path: Path) -> None:
    def outcome(folder: Path | None) -> list[str]:
        config = config_of(warm_start=WarmStartConfig(folder=folder))
        return [each.outcome for each in examine_warm_start(config)]

    assert outcome(None) == []
    assert outcome(tmp_path) == ["ok"]
    assert outcome(tmp_path / "new" / "below") == ["ok"]
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").write_text("")
    assert outcome(tmp_path / "file" / "below") == ["fail"]
