"""The proxy that loses one change, between a real client and a server in memory."""

from __future__ import annotations

from typha.cli.demo.sabotage import LossyProxy
from typha_client import connect
from typha_client.testing import FakeServer


async def test_one_change_is_lost_and_nobody_notices() -> None:
    with FakeServer({"pods": {"a": {"n": 1}}}) as server:
        proxy = LossyProxy(server.port)
        port = await proxy.start()
        async with connect(f"127.0.0.1:{port}", topics=["pods"], node="n", compression=False) as client:
            await client.wait_synced(10)
            await client.wait_for("pods", server.put("pods", "b", {"n": 2}), 10)
            assert client.get("pods", "b") == {"n": 2}

            proxy.arm(server.put("pods", "c", {"n": 3}))
            lost_rv = server.put("pods", "lost", {"n": 4})
            last_rv = server.put("pods", "d", {"n": 5})
            await client.wait_for("pods", last_rv, 10)
            assert proxy.taken == "lost"
            assert lost_rv < last_rv
            assert sorted(client.topic("pods").keys()) == ["a", "b", "c", "d"]
            assert client.is_synced
        await proxy.stop()


async def test_what_it_does_not_take_passes_and_a_dead_server_ends_the_connection() -> None:
    with FakeServer({"pods": {"a": {"n": 1}}}) as server:
        proxy = LossyProxy(server.port)
        port = await proxy.start()
        async with connect(
            f"127.0.0.1:{port}", topics=["pods"], node="n", compression=False, max_backoff_s=0.05
        ) as client:
            await client.wait_synced(10)
            server.drop()
            await client.wait_for("pods", server.put("pods", "a", {"n": 2}), 10)
            assert client.get("pods", "a") == {"n": 2}
        await proxy.stop()
    assert proxy.taken == ""
