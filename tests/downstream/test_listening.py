"""Where agents connect: a family, both families at once, a unix socket."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.downstream.conftest import Running, until
from tests.kit.pems import authority, server_tls
from typha.downstream.listening import SEND_BUFFER_BYTES, open_sockets, shown_peer
from typha_client import Tls, connect

Start = Callable[..., Awaitable[Running]]
HAS_IPV6 = socket.has_ipv6 and os.path.exists("/proc/net/if_inet6")


async def is_served(server: str, tls: Tls | None = None) -> None:
    async with connect(server, node="n1", topics=["pods"], tls=tls) as client:
        await client.wait_synced(10)


async def test_every_address_of_both_families(start: Start) -> None:
    if not HAS_IPV6:  # the kernel lacks the family: the start fails and says so, half of it is never served
        with pytest.raises(OSError, match="family"):
            await start(host="::")
        return
    running = await start(host="::")
    for host in ("127.0.0.1", "[::1]"):
        async with connect(f"{host}:{running.port}", node="n1", topics=["pods"]) as client:
            await client.wait_synced(10)
            (connection,) = running.connections
            assert connection.address.startswith(f"{host}:")
        await until(lambda: not running.connections)


async def test_accepted_sockets_have_a_bounded_send_buffer() -> None:
    """Else the kernel lets each that does not drain grow to its own limit, 4 MB."""
    (listening,) = await open_sockets("127.0.0.1", 0)
    with listening, socket.create_connection(listening.getsockname()):
        listening.setblocking(True)
        accepted, _ = listening.accept()
        with accepted:
            # The kernel doubles what it is told, for its own bookkeeping.
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * SEND_BUFFER_BYTES


async def test_a_unix_socket(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "typha.sock"
    running = await start(host=f"unix:{path}")
    assert running.port == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    async with connect(f"unix:{path}", node="n1", topics=["pods"]) as client:
        await client.wait_synced(10)
        assert running.connections[0].address == "unix"
        assert client.statistics()["connects"] == 1
    await running.server.close()
    assert not path.exists()


async def test_tls_over_a_unix_socket(start: Start, tmp_path: Path) -> None:
    pki = authority(tmp_path / "pki")
    files = pki.issue("server", common_name="typha-server")
    path = tmp_path / "typha.sock"
    await start(server_tls(files.cert, files.key), host=f"unix:{path}")
    await is_served(f"unix:{path}", Tls(ca=pki.ca_file))
    await is_served(f"unix:{path}", Tls(ca=pki.ca_file, server_names=["cn:typha-server"]))


async def test_a_socket_that_nobody_listens_on_any_more_is_replaced(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "typha.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    await start(host=f"unix:{path}")
    await is_served(f"unix:{path}")


async def test_a_socket_that_somebody_listens_on_is_an_error(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "typha.sock"
    await start(host=f"unix:{path}")
    with pytest.raises(OSError, match="another server does"):
        await open_sockets(f"unix:{path}", 0)
    await is_served(f"unix:{path}")


async def test_a_file_that_is_no_socket_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "typha.sock"
    path.write_text("mine")
    with pytest.raises(OSError, match="a file that is no socket"):
        await open_sockets(f"unix:{path}", 0)
    assert path.read_text() == "mine"


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"cannot listen on unix:.*/nowhere/typha\.sock: No such file"):
        await open_sockets(f"unix:{tmp_path}/nowhere/typha.sock", 0)


async def test_a_port_that_is_taken_is_named() -> None:
    (first,) = await open_sockets("127.0.0.1", 0)
    with first:
        port = first.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1 port {port}: Address already in use"):
            await open_sockets("127.0.0.1", port)


def test_on_uvloop(tmp_path: Path) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        from typha.downstream.settings import DownstreamSettings

        async with Running(DownstreamSettings(), None).run(f"unix:{tmp_path}/typha.sock"):
            await is_served(f"unix:{tmp_path}/typha.sock")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


@pytest.mark.parametrize(
    ("peer", "shown"),
    [
        (("10.0.0.1", 5), "10.0.0.1:5"),
        (("::ffff:10.0.0.1", 5, 0, 0), "10.0.0.1:5"),
        (("fd00::1", 5, 0, 0), "[fd00::1]:5"),
        ("", "unix"),
        (b"", "unix"),
        (None, "unix"),
    ],
)
def test_a_peers_address(peer: object, shown: str) -> None:
    assert shown_peer(peer) == shown
