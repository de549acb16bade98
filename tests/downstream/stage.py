"""A server with its CA, identities and reviews, on either loop, and what a client that is refused says."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.downstream.conftest import Running, until
from tests.kit.pems import Authority, authority
from typha.downstream.authentication import Authentication
from typha.downstream.server_tls import ServerTls
from typha.downstream.settings import DownstreamSettings
from typha.downstream.tls import TlsFiles, server_context
from typha.downstream.token_reviews import Review
from typha.wire.identity import WantedName
from typha_client import RefusedError, Tls, connect

Scene = Callable[[Running], Awaitable[None]]
LOOPS = ("asyncio", "uvloop")
AGENT = WantedName("cn:agent")


class Stage:
    """A server with its CA; what the test asks of agents is set before `play`."""

    def __init__(self, pki: Authority, loop: str, caplog: pytest.LogCaptureFixture) -> None:
        self.pki = pki
        self.server_files = pki.issue("server", common_name="typha-server", uri="spiffe://c/typha")
        self.verify = ssl.CERT_REQUIRED
        self.asked: dict[str, Any] = {"asks_certificate": True}
        self.review: Review | None = None
        self._loop = loop
        self._caplog = caplog
        caplog.set_level(logging.INFO)

    def play(self, scene: Scene, *, calico: bool = False, **settings: Any) -> None:
        loop = asyncio if self._loop == "asyncio" else pytest.importorskip("uvloop")

        async def main() -> None:
            files = TlsFiles(self.server_files.cert, self.server_files.key, self.pki.ca_file)
            tls = ServerTls(files, lambda found: server_context(found, verify=self.verify), now=time.time())
            fields = DownstreamSettings(round_pause_s=0.001, max_age_s=0.0, **settings)
            asked = Authentication(**self.asked)
            running = Running(fields, tls, calico=calico, authentication=asked, review=self.review)
            async with running.run():
                await scene(running)

        with asyncio.Runner(debug=True, loop_factory=loop.new_event_loop) as runner:
            runner.run(main())

    def agent(self, files: TlsFiles | None = None, **names: Any) -> Tls:
        """An agent's end, by default with a certificate of cn:agent."""
        files = files or self.pki.issue("agent", common_name="agent")
        return Tls(ca=self.pki.ca_file, cert=files.cert, key=files.key, **names)

    def warnings(self) -> list[str]:
        """What the server said, with its reasons."""
        return [
            f"{record.message} {vars(record).get('reason', '')} {vars(record).get('error', '')}"
            for record in self._caplog.records
            if record.levelno >= logging.WARNING and record.name.startswith("typha.downstream")
        ]


@pytest.fixture(params=LOOPS)
def stage(request: pytest.FixtureRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Stage:
    return Stage(authority(tmp_path / "pki"), request.param, caplog)


async def error_of(running: Running, tls: Tls | None, **asked: Any) -> Exception:
    """What a client that is not let in says about it."""
    asked.setdefault("topics", ["pods"])
    server = f"127.0.0.1:{running.port}"
    async with connect(server, node="n1", tls=tls, max_backoff_s=0.01, **asked) as client:
        await until(lambda: client.last_error)
        error = client.last_error
        assert error is not None
        if isinstance(error, RefusedError):
            with pytest.raises(RefusedError, match=r"unauthenticated|forbidden"):
                await client.wait_synced(5)
        else:
            with pytest.raises(TimeoutError) as waited:
                await client.wait_synced(0.01)
            assert type(error) is type(client.last_error)
            assert str(client.last_error) in str(waited.value)
    await until(lambda: not running.connections)  # and the server has said why
    return error


async def is_served(running: Running, tls: Tls | None, **asked: Any) -> None:
    asked.setdefault("topics", ["pods"])
    async with connect(f"127.0.0.1:{running.port}", node="n1", tls=tls, **asked) as client:
        await client.wait_synced(10)
        assert "a" in client.topic("pods") or client.get("pods", "a") is not None or asked.get("where")
