"""The asyncio shell against the fake server, over real loopback TCP."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest

from typha.wire import messages as m
from typha.wire.errors import RefusedError
from typha_client import Client, TopicState, connect
from typha_client.changes import Change
from typha_client.events import Bookmarked
from typha_client.handlers import StatusReport
from typha_client.testing import FakeServer

WAIT_S = 10.0


def client_of(server: FakeServer | str, *topics: str, **more: Any) -> Client:
    address = server if isinstance(server, str) else server.address
    return connect(address, topics=topics or ("pods",), node="n1", max_backoff_s=0.02, **more)


async def until(condition: Any) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - a real socket is in between
            await asyncio.sleep(0.002)


async def test_snapshot_then_live(typha_server: FakeServer) -> None:
    typha_server.add_topic("pods", {"a": {"n": 1}})
    async with client_of(typha_server) as client:
        await client.wait_synced(WAIT_S)
        assert client.get("pods", "a") == {"n": 1}
        assert [entry.key for entry in client.list("pods")] == ["a"]
        await client.wait_for("pods", typha_server.put("pods", "b", {"n": 2}), WAIT_S)
        await client.wait_for("pods", typha_server.delete("pods", "a"), WAIT_S)
        assert client.topic("pods").keys() == ("b",)
        assert client.topic("pods").cursor == 3
        assert "b" in client.topic("pods")
        assert client.topics == ("pods",)


async def test_feed_names_its_topics(typha_server: FakeServer) -> None:
    typha_server.add_topic("pods", {"a": 1}, feed="inventory")
    typha_server.add_topic("nodes", {"n1": 1}, feed="inventory")
    async with connect(typha_server.address, feed="inventory", node="n1") as client:
        assert not client.is_synced
        await client.wait_synced(WAIT_S)
        assert client.topics == ("nodes", "pods")
        with pytest.raises(KeyError, match="topic 'certs' is not subscribed; subscribed: nodes, pods"):
            client.get("certs", "x")


async def test_where_and_index(typha_server: FakeServer) -> None:
    pods = {f"p{n}": {"spec": {"nodeName": f"n{n % 2}"}, "ns": "x"} for n in range(4)}
    typha_server.add_topic("pods", pods, filters={"node": "spec.nodeName"})
    async with client_of(typha_server, where={"pods": {"node": "n1"}}) as client:
        await client.wait_synced(WAIT_S)
        assert set(client.topic("pods").keys()) == {"p1", "p3"}
        client.add_index("pods", "ns")
        assert [entry.key for entry in client.by_index("pods", "ns", "x")] == ["p1", "p3"]
        rv = typha_server.put("pods", "p1", {"spec": {"nodeName": "n0"}})
        await client.wait_for("pods", rv, WAIT_S)
        assert client.topic("pods").keys() == ("p3",)


async def test_reconnect_resumes_and_sends_only_what_changed(typha_server: FakeServer) -> None:
    typha_server.add_topic("pods", {f"p{n}": {"n": n} for n in range(100)})
    async with client_of(typha_server) as client:
        await client.wait_synced(WAIT_S)
        before = client.statistics()["bytes_received"]
        typha_server.drop()
        rv = typha_server.put("pods", "p0", {"n": "new"})
        await client.wait_for("pods", rv, WAIT_S)
        found = client.statistics()
        assert (found["snapshots"], found["resumes"], found["connects"]) == (1, 1, 2)
        assert found["bytes_received"] - before < 400
        assert typha_server.hellos[1].resume["pods"] == m.ResumeTopic(100, 100, "fake/1")
        assert "the server closed the connection" in found["last_error"] or "lost" in found["last_error"]


async def test_reconcile_deletes_what_went_away_unseen(typha_server: FakeServer) -> None:
    typha_server.add_topic("pods", {"a": 1, "b": 2})
    async with client_of(typha_server) as client:
        await client.wait_synced(WAIT_S)
        typha_server.refuse("draining")
        typha_server.drop()
        typha_server.delete("pods", "a")
        typha_server.forget_deletions("pods")
        rv = typha_server.put("pods", "c", 3)
        typha_server.accept()
        await client.wait_for("pods", rv, WAIT_S)
        assert set(client.topic("pods").keys()) == {"b", "c"}
        assert client.statistics()["reconciles"] == 1


async def test_reset_is_one_diff_for_the_reader(typha_server: FakeServer) -> None:
    typha_server.add_topic("pods", {"a": 1, "b": 2})
    async with client_of(typha_server) as client:
        await client.wait_synced(WAIT_S)
        changes = client.changes(include_held=False)
        typha_server.reset("pods", {"a": 1, "c": 3}, "fake-cluster/2")
        async with asyncio.timeout(WAIT_S):
            seen = [await anext(changes), await anext(changes)]
        assert {(change.op, change.key) for change in seen} == {("delete", "b"), ("put", "c")}
        typha_server.drop()
        await client.wait_for("pods", typha_server.put("pods", "d", 4), WAIT_S)
        assert typha_server.hellos[-1].resume_cluster == "fake-cluster/2"


async def test_all_servers_are_tried() -> None:
    with FakeServer({"pods": {"a": 1}}) as dead, FakeServer({"pods": {"a": 1}}) as alive:
        dead_address = dead.address
        dead.refuse("overloaded")
        async with client_of(f"{dead_address},{alive.address}") as client:
            await client.wait_synced(WAIT_S)
            assert client.statistics()["connects"] == 1


async def test_goaway_moves_without_losing_a_change() -> None:
    with FakeServer({"pods": {"a": 1}}) as old, FakeServer({"pods": {"a": 1}}) as new:
        async with client_of(old) as client:
            await client.wait_synced(WAIT_S)
            new.put("pods", "b", 2)
            rv = new.put("pods", "c", 3)
            old.go_away([new.address])
            await client.wait_for("pods", rv, WAIT_S)
            await until(lambda: not old.sockets)
            found = client.statistics()
            assert (found["moves"], found["connects"], found["resumes"]) == (1, 2, 1)
            assert m.Close("moved") in old.received
            assert client.is_synced


async def test_goaway_refused_elsewhere_stays() -> None:
    with FakeServer({"pods": {"a": 1}}) as old, FakeServer({"pods": {"a": 1}}) as new:
        new.refuse("draining")
        async with client_of(old) as client:
            await client.wait_synced(WAIT_S)
            old.refuse("draining")
            old.go_away([new.address], after_s=0.1)
            await until(lambda: client.statistics()["refused"] >= 2)
            await client.wait_for("pods", old.put("pods", "b", 2), WAIT_S)
            assert client.is_synced
            new.accept()
            new.put("pods", "x", 0)
            new.put("pods", "b", 2)
            old.go_away([new.address])
            await until(lambda: bool(new.sockets) and not old.sockets)


@pytest.mark.parametrize("code", ["unknown_topic", "forbidden", "unauthenticated", "bad_hello", "protocol_version"])
async def test_final_refusal_is_raised_at_once_and_retried_in_the_background(
    typha_server: FakeServer, code: str
) -> None:
    typha_server.add_topic("pods")
    typha_server.refuse(code, "ask your operator")
    async with client_of(typha_server) as client:
        with pytest.raises(RefusedError, match="ask your operator") as caught:
            await client.wait_synced(WAIT_S)
        assert caught.value.code == code
        assert client.last_error == caught.value or isinstance(client.last_error, RefusedError)


async def test_refusals_keep_state_and_mark_it_stale(typha_server: FakeServer) -> None:
    typha_server.add_topic("pods", {"a": 1})
    async with client_of(typha_server) as client:
        reports: list[StatusReport] = []
        client.on_status("pods", reports.append)
        await client.wait_synced(WAIT_S)
        assert not client.topic("pods").is_stale
        typha_server.refuse("not_ready", "behind you", retry_after_s=0.01)
        typha_server.drop()
        await until(lambda: client.statistics()["refused"] >= 3)
        assert client.topic("pods").is_stale
        assert client.get("pods", "a") == 1
        assert client.topic("pods").cursor == 1
        typha_server.accept()
        await client.wait_synced(WAIT_S)
        assert all(hello.resume["pods"].cursor == 1 for hello in typha_server.hellos[1:])
        await until(lambda: len(reports) >= 3)
        assert [report.state for report in reports] == [TopicState.IN_SYNC, TopicState.STALE, TopicState.IN_SYNC]


async def test_state_age_and_status(typha_server: FakeServer) -> None:
    typha_server.add_topic("pods", {"a": 1})
    async with client_of(typha_server) as client:
        await client.wait_synced(WAIT_S)
        view = client.topic("pods")
        assert client.topic("pods").state is TopicState.IN_SYNC
        typha_server.bookmark("pods", age_ms=500_000)
        assert view.age_s is not None
        assert view.age_s < 60  # the older word does not make the copy older
        typha_server.status("pods", "stale", "403 Forbidden")
        await until(lambda: view.state is TopicState.STALE)
        assert (view.message, view.is_stale, client.is_synced) == ("403 Forbidden", True, False)
        with pytest.raises(TimeoutError, match=r"not in sync: pods \(stale\); no error seen"):
            await client.wait_synced(0.01)


async def test_wait_for_says_where_it_stands(typha_server: FakeServer) -> None:
    typha_server.add_topic("pods", {"a": 1})
    async with client_of(typha_server) as client:
        await client.wait_synced(WAIT_S)
        with pytest.raises(TimeoutError, match="topic pods is at 1, waited for 99"):
            await client.wait_for("pods", 99, 0.01)


async def test_changes_start_with_what_is_held(typha_server: FakeServer) -> None:
    typha_server.add_topic("pods", {"a": 1, "b": 2})
    async with client_of(typha_server) as client:
        await client.wait_synced(WAIT_S)
        changes = client.changes("pods")
        typha_server.put("pods", "a", 3)
        seen: list[tuple[str, Any, Any]] = []
        async with asyncio.timeout(WAIT_S):
            async for change in changes:
                seen.append((change.key, change.old_value, change.value))
                if change.value == 3:
                    break
        assert seen[-1] == ("a", 1, 3) or seen[-1] == ("a", None, 3)
        assert ("b", None, 2) in seen


async def test_changes_end_with_the_client(typha_server: FakeServer) -> None:
    typha_server.add_topic("pods", {"a": 1})
    async with client_of(typha_server) as client:
        await client.wait_synced(WAIT_S)
        changes = client.changes()
    assert [change.key async for change in changes] == ["a"]


async def test_handlers_of_all_kinds_and_applied_in_pong(typha_server: FakeServer) -> None:
    typha_server.add_topic("pods", {"a": 1})
    gate = asyncio.Event()
    seen: list[tuple[str, str]] = []
    async with client_of(typha_server) as client:

        @client.on_add("pods")
        async def added(change: Change) -> None:
            seen.append(("add", change.key))
            await gate.wait()

        @client.on_update
        def updated(change: Change) -> None:
            seen.append(("update", change.key))

        @client.on_delete()
        def deleted(change: Change) -> None:
            seen.append(("delete", change.key))

        @client.on_bookmark("pods")
        def bookmarked(bookmark: Bookmarked) -> None:
            seen.append(("bookmark", str(bookmark.cursor)))

        await client.wait_synced(WAIT_S)
        typha_server.ping(5)
        await until(lambda: m.Pong(5) in typha_server.received)
        gate.set()
        await until(lambda: ("bookmark", "1") in seen)
        typha_server.put("pods", "a", 2)
        await until(lambda: ("update", "a") in seen)
        rv = typha_server.delete("pods", "a")
        await until(lambda: ("delete", "a") in seen)
        await until(lambda: client.statistics()["topics"]["pods"]["applied"] == rv)
        typha_server.ping(6)
        await until(lambda: m.Pong(6, ((0, rv),)) in typha_server.received)
    assert seen == [("add", "a"), ("bookmark", "1"), ("update", "a"), ("delete", "a")]


async def test_garbage_from_a_server_is_an_error_and_a_reconnect(typha_server: FakeServer) -> None:
    typha_server.add_topic("pods", {"a": 1})
    async with client_of(typha_server) as client:
        await client.wait_synced(WAIT_S)
        typha_server.send_raw(b"\xff\xff\xff\xff")
        await until(lambda: client.statistics()["connects"] == 2)
        assert "frame of 4294967295 bytes" in str(client.last_error)
        assert any(isinstance(message, m.Close) for message in typha_server.received)


async def test_half_open_connection_is_noticed_by_silence() -> None:
    with FakeServer({"pods": {"a": 1}}, ping_interval_s=0.1) as server:
        server.answer_pings = False
        async with client_of(server) as client:
            await client.wait_synced(WAIT_S)
            await until(lambda: client.statistics()["connects"] >= 2)
            assert "nothing received for" in str(client.last_error)
            assert client.statistics()["snapshots"] == 1


async def test_a_token_is_read_anew_and_its_failure_is_survived(typha_server: FakeServer) -> None:
    typha_server.add_topic("pods", {"a": 1})
    tokens: Iterator[str | OSError] = iter(["one", OSError("no token file"), "two"])

    def token() -> str:
        found = next(tokens)
        if isinstance(found, OSError):
            raise found
        return found

    async with client_of(typha_server, token=token) as client:
        await client.wait_synced(WAIT_S)
        typha_server.drop()
        await client.wait_for("pods", typha_server.put("pods", "b", 1), WAIT_S)
    assert [hello.token for hello in typha_server.hellos] == ["one", "two"]


async def test_leaving_ends_every_task_and_socket(typha_server: FakeServer) -> None:
    typha_server.add_topic("pods", {"a": 1})
    tasks = asyncio.all_tasks()
    async with client_of(typha_server) as client:
        client.on_add("pods", lambda change: None)
        await client.wait_synced(WAIT_S)
    assert asyncio.all_tasks() == tasks
    await until(lambda: not typha_server.sockets)
    assert m.Close("done") in typha_server.received
    assert client.get("pods", "a") == 1  # the copy stays readable
    with pytest.raises(RuntimeError, match="the client is closed"):
        await client.wait_for("pods", 99)
    gc.collect()


async def test_leaving_while_nobody_answers() -> None:
    with FakeServer({"pods": {}}) as server:
        address = server.address
    async with client_of(address) as client:
        with pytest.raises(TimeoutError, match="pods"):
            await client.wait_synced(0.05)
        assert isinstance(client.last_error, OSError)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({}, ValueError, "nothing to subscribe to"),
        ({"feed": "f", "node": ""}, ValueError, "node is empty"),
        ({"feed": "f", "where": {"pods": {"node": 5}}}, TypeError, r"where\['pods'\] must be a map of strings"),
        ({"feed": "f", "max_backoff_s": 0}, ValueError, "it must be above 0"),
        ({"feed": "f", "servers": "a:b"}, ValueError, "port 'b' is not a number"),
    ],
)
def test_connect_says_which_argument_is_wrong(arguments: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        connect(**{"servers": "a:1", "node": "n1", **arguments})
