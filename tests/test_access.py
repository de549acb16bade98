"""What the configuration makes of who may come in: the door of the admin port."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tests.kit.pems import authority, server_tls
from typha import access
from typha.config import Config, HostPort
from typha.downstream.authentication import Authentication
from typha.downstream.server_tls import ServerTls
from typha.downstream.tls import TlsError
from typha.observe.door import Door

CERTIFICATES = Authentication(asks_certificate=True)
TOKENS = Authentication(takes_tokens=True)


def config(host: str | None, **changes: Any) -> Config:
    return dataclasses.replace(Config(), admin=None if host is None else HostPort(host, 9096), **changes)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ServerTls:
    return _tls(tmp_path_factory.mktemp("pki"))


def _tls(folder: Path) -> ServerTls:
    files = authority(folder / "pki").issue("server")
    return server_tls(files.cert, files.key, files.ca)


@pytest.mark.parametrize("host", [None, "127.0.0.1", "::1", "localhost"])
def test_on_loopback_nobody_is_asked(host: str | None, tls: ServerTls) -> None:
    assert access.door_of(config(host), CERTIFICATES, tls, None) is None


def test_an_open_page_is_the_operators_word(tls: ServerTls) -> None:
    assert access.door_of(config("0.0.0.0", insecure=True), CERTIFICATES, tls, None) is None


@pytest.mark.parametrize("authentication", [CERTIFICATES, TOKENS])
async def test_beyond_loopback_there_is_a_door(authentication: Authentication, tls: ServerTls) -> None:
    assert isinstance(access.door_of(config("0.0.0.0"), authentication, tls, None), Door)


async def test_where_nobody_could_be_known_it_is_never_open(tls: ServerTls) -> None:
    for authentication, served in ((CERTIFICATES, None), (Authentication(), tls)):
        with pytest.raises(TlsError, match="is beyond loopback: it needs `tls`, and"):
            access.door_of(config("0.0.0.0"), authentication, served, None)
