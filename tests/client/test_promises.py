"""The client's half of the protocol's promises; each test is a history that broke an earlier version of the rules."""

from __future__ import annotations

import pytest

from tests.client.scripted import ScriptedServer, bookmark, bucket, digest, entries, index, put
from typha.wire import messages as m
from typha.wire.codec import encode_message
from typha.wire.states import CloseCode, Mode
from typha_client import events as e
from typha_client.replica import Replicas
from typha_client.session import Session, Subscription
from typha_client.topic_stream import Phase


def test_first_snapshot_is_handed_over_at_the_bookmark() -> None:
    server = ScriptedServer()
    server.welcome(Mode.SNAPSHOT)
    server.say(entries([put("b", 3)]), entries([put("a", 1)]), entries([put("c", 9)], through=9))
    assert server.take_seen() == []
    assert server.cursor() is None
    server.say(bookmark(10))
    assert server.take_seen() == [("put", "a", 1), ("put", "b", 3), ("put", "c", 9)]
    assert (server.cursor(), server.replica.seen) == (10, 9)


def test_snapshot_over_state_is_one_diff() -> None:
    """Case 11: shared frames of R < cursor; handlers see neither R's past nor a restart."""
    server = ScriptedServer()
    server.snapshot(10, put("a", 1), put("b", 10, "new"), put("gone", 4))
    server.connect()
    server.welcome(Mode.SNAPSHOT, form="f2")
    assert server.cursor() is None  # void from Welcome on
    server.say(entries([put("a", 1), put("b", 5, "old")]))  # the shared frames, older than what is held
    server.say(entries([put("b", 10, "new"), put("d", 12)]))  # what changed since they were built
    assert server.take_seen() == []
    assert server.held == {"a": 1, "b": 10, "gone": 4}
    server.say(bookmark(12))
    assert server.take_seen() == [("delete", "gone", 12), ("put", "d", 12)]
    assert server.held == {"a": 1, "b": 10, "d": 12}
    assert (server.cursor(), server.replica.format) == (12, "f2")


def test_rejoin_of_interrupted_first_snapshot() -> None:
    """Case 10: no cursor, and nothing that handlers saw could be newer than the next snapshot."""
    server = ScriptedServer()
    server.welcome(Mode.SNAPSHOT)
    server.say(entries([put("a", 9)]))
    hello = server.connect()
    assert hello.resume == {}
    server.welcome(Mode.SNAPSHOT)
    server.say(entries([put("a", 5)]), bookmark(5))
    assert server.take_seen() == [("put", "a", 5)]


def test_rejoin_of_interrupted_second_snapshot_keeps_seen() -> None:
    server = ScriptedServer()
    server.snapshot(10, put("a", 9))
    server.connect()
    server.welcome(Mode.SNAPSHOT, form="f2")
    server.say(entries([put("a", 12)]))
    hello = server.connect()
    assert hello.resume["pods"] == m.ResumeTopic(None, 9, "f1")
    assert server.held == {"a": 9}


def test_resume_is_handed_over_at_through() -> None:
    server = ScriptedServer()
    server.snapshot(10, put("a", 1), put("b", 2))
    assert server.connect().resume["pods"] == m.ResumeTopic(10, 2, "f1")
    server.welcome(Mode.RESUME)
    server.say(entries([put("c", 11)], [m.Delete("a", 12)]))
    assert server.take_seen() == []
    server.say(entries([put("d", 13)], through=14))
    assert server.take_seen() == [("put", "c", 11), ("delete", "a", 12), ("put", "d", 13)]
    assert server.cursor() == 14


def test_cut_after_each_frame_of_a_catch_up() -> None:
    """Case 3: after any prefix the state is that of the old cursor or of the new one, and the Hello says which."""
    catch_up: list[m.Message] = [
        entries([put("a", 11)], [m.Delete("b", 12)]),
        entries([put("d", 13)]),
        entries([put("e", 14)], through=14),
        bookmark(15),
    ]
    before, after = {"a": 1, "b": 2, "c": 3}, {"a": 11, "c": 3, "d": 13, "e": 14}
    for mode in (Mode.RESUME, Mode.RECONCILE, Mode.SNAPSHOT):
        for count in range(len(catch_up) + 1):
            server = ScriptedServer()
            server.snapshot(10, put("a", 1), put("b", 2), put("c", 3))
            server.connect()
            server.welcome(mode)
            frames = list(catch_up)
            if mode is Mode.SNAPSHOT:
                frames.insert(0, entries([put("b", 2), put("c", 3)]))
            server.say(*frames[:count])
            offered = server.hello_topic().cursor
            done = {Mode.RESUME: count >= 3, Mode.RECONCILE: False, Mode.SNAPSHOT: count >= 5}[mode]
            assert server.held == (after if done else before), (mode, count)
            if mode is Mode.SNAPSHOT:
                assert offered == (15 if done else None)
            else:
                assert offered == ((15 if count == 4 else 14) if done else 10)


def test_disconnect_between_digest_and_index() -> None:
    """Case 5: live frames and Bookmarks in between do not move the cursor; the next resume reconciles."""
    server = ScriptedServer()
    server.snapshot(10, put("a", 1), put("b", 2))
    server.connect()
    server.welcome(Mode.RECONCILE)
    server.say(entries([put("c", 20)]), digest(20, ["a", "c"]))
    assert server.said() == [m.KeyRequest(0, 20, [bucket("b")])]
    server.say(entries([put("d", 21)], through=21), bookmark(22))
    assert server.take_seen() == []
    assert server.connect().resume["pods"].cursor == 10
    assert server.held == {"a": 1, "b": 2}


def test_nothing_commits_between_welcome_and_digest() -> None:
    server = ScriptedServer()
    server.snapshot(10, put("a", 1))
    server.connect()
    server.welcome(Mode.RECONCILE)
    server.say(entries([put("c", 20)], through=20), bookmark(21))
    assert server.take_seen() == []
    assert server.cursor() == 10


def test_reconcile_is_one_diff_at_the_bookmark() -> None:
    server = ScriptedServer()
    server.snapshot(10, put("a", 1), put("b", 2))
    server.connect()
    server.welcome(Mode.RECONCILE)
    server.say(entries([put("c", 20)]), digest(20, ["a", "c"]))
    server.said()
    server.say(index(25, [bucket("b")], ["a", "c"]))
    assert server.take_seen() == []
    server.say(entries([put("e", 26)], through=26))  # live, and still before the Bookmark
    assert server.cursor() == 10
    server.say(bookmark(27))
    assert server.take_seen() == [("put", "c", 20), ("delete", "b", 25), ("put", "e", 26)]
    assert server.cursor() == 27


def test_reconcile_without_a_difference_still_answers() -> None:
    server = ScriptedServer()
    server.snapshot(10, put("a", 1))
    server.connect()
    server.welcome(Mode.RECONCILE)
    server.say(digest(20, ["a"]))
    assert server.said() == [m.KeyRequest(0, 20, [])]
    server.say(bookmark(20))
    assert server.cursor() == 20


def test_live_put_between_digest_and_index() -> None:
    """Case 6: a key that is newer than the index survives, one at or below ``at`` goes."""
    server = ScriptedServer()
    server.snapshot(10, put("a", 1), put("b", 2))
    server.connect()
    server.welcome(Mode.RECONCILE)
    server.say(digest(20, ["a"]))
    server.said()
    server.say(entries([put("b", 31)], through=31))
    server.say(index(30, [bucket("b")], ["a"]), bookmark(31))
    assert server.held == {"a": 1, "b": 31}
    assert server.take_seen() == [("put", "b", 31)]


def test_second_digest_while_first_is_open() -> None:
    """Case 6: the answer to the first digest does not end the second reconcile."""
    server = ScriptedServer()
    server.snapshot(10, put("a", 1), put("b", 2), put("c", 3))
    server.connect()
    server.welcome(Mode.RECONCILE)
    server.say(digest(20, ["a", "c"]))
    server.say(digest(30, ["a"]))
    assert server.said() == [
        m.KeyRequest(0, 20, [bucket("b")]),
        m.KeyRequest(0, 30, sorted([bucket("b"), bucket("c")])),
    ]
    server.say(index(25, [bucket("b")], ["a", "c"]), bookmark(29))
    assert server.cursor() == 10
    server.say(index(30, [bucket("b"), bucket("c")], ["a"]), bookmark(30))
    assert server.held == {"a": 1}
    assert sorted(server.take_seen()) == [("delete", "b", 30), ("delete", "c", 30)]


def test_index_in_parts_is_complete_with_its_last_bucket() -> None:
    server = ScriptedServer()
    server.snapshot(10, put("a", 1), put("b", 2), put("c", 3))
    server.connect()
    server.welcome(Mode.RECONCILE)
    server.say(digest(20, ["a"]), index(20, [bucket("b")], ["a"], 0, 2), bookmark(20))
    assert server.session.streams["pods"].phase is Phase.INDEXING
    server.say(index(21, [bucket("c")], ["a"], 1, 2), bookmark(21))
    assert server.take_seen() == [("delete", "b", 20), ("delete", "c", 21)]


def test_index_touches_only_buckets_that_were_asked_for() -> None:
    server = ScriptedServer()
    server.snapshot(10, put("a", 1), put("b", 2))
    server.connect()
    server.welcome(Mode.RECONCILE)
    server.say(digest(20, ["a"]), m.KeyIndex(0, 20, 0, 1, [bucket("a"), bucket("b")], []), bookmark(20))
    assert server.held == {"a": 1}


def test_more_buckets_than_a_frame_holds_asks_for_all() -> None:
    server = ScriptedServer()
    server.snapshot(10, put("a", 1))
    server.connect()
    server.welcome(Mode.RECONCILE)
    server.say(m.KeyDigest(0, 20, b"saltsalt", 16, [1] * 65536))
    assert server.said() == [m.KeyRequest(0, 20, None)]


def test_horizon_overtakes_live_subscriber() -> None:
    """Case 4: a digest at any time; a connected, lagging subscriber is reconciled in place."""
    server = ScriptedServer()
    server.snapshot(10, put("a", 1), put("c", 3))
    server.say(entries([put("d", 20)]), digest(20, ["a", "d"]))
    assert server.said() == [m.KeyRequest(0, 20, [bucket("c")])]
    server.say(entries([put("e", 21)], through=21))
    assert server.cursor() == 10
    server.say(index(21, [bucket("c")], ["a", "d", "e"]), bookmark(21))
    assert server.take_seen() == [("put", "d", 20), ("delete", "c", 21), ("put", "e", 21)]


def test_horizon_overtakes_slow_snapshot_reader() -> None:
    """Case 4: the snapshot's own keys are compared, what was held before does not count."""
    server = ScriptedServer()
    server.snapshot(10, put("a", 1), put("z", 2))
    server.connect()
    server.welcome(Mode.SNAPSHOT, form="f2")
    server.say(entries([put("a", 1), put("gone", 5)]), digest(20, ["a"]))
    assert server.said() == [m.KeyRequest(0, 20, [bucket("gone")])]
    server.say(index(20, [bucket("gone")], ["a"]))
    assert server.held == {"a": 1, "z": 2}
    server.say(bookmark(20))
    assert server.held == {"a": 1}
    assert server.take_seen() == [("delete", "z", 20)]


def test_delete_recreate_in_one_frame() -> None:
    """Case 18: merged by rv, at one rv deletes first; net per key."""
    server = ScriptedServer()
    server.snapshot(1, put("a", 1))
    server.say(entries([put("a", 3)], [m.Delete("a", 2)], through=3))
    assert server.held == {"a": 3}
    assert server.take_seen() == [("put", "a", 3)]
    server.say(entries([put("a", 5, "moved")], [m.Delete("a", 5)], through=5))
    assert server.replica.get("a") == "moved"


def test_ip_reuse_order() -> None:
    """Case 18: pod deleted @5, its address reused @6: handlers see 5 before 6, from one frame and from several."""
    for frames in (
        [entries([put("new", 6, {"ip": "10.0.0.1"})], [m.Delete("old", 5)], through=6)],
        [entries([put("new", 6, {"ip": "10.0.0.1"})]), entries([], [m.Delete("old", 5)], through=6)],
    ):
        server = ScriptedServer()
        server.snapshot(1, put("old", 1, {"ip": "10.0.0.1"}))
        server.say(*frames)
        assert server.take_seen() == [("delete", "old", 5), ("put", "new", 6)]


def test_no_version_twice() -> None:
    server = ScriptedServer()
    server.snapshot(5, put("a", 1, "same"))
    server.say(entries([put("a", 9, "same")], through=9))
    assert server.take_seen() == []
    assert server.held == {"a": 9}
    server.say(entries([put("a", 9, "other")], through=9))  # a version that is held already
    assert server.take_seen() == []


def test_quiet_topic_moves_without_refusal() -> None:
    """Case 9: a bookmark ran ahead; a resume at a server that is behind does not pull the cursor back."""
    server = ScriptedServer()
    server.snapshot(51, put("a", 1))
    assert server.connect().resume["pods"] == m.ResumeTopic(51, 1, "f1")
    server.welcome(Mode.RESUME)
    server.say(bookmark(3))
    assert server.cursor() == 51
    server.say(entries([put("b", 60)], through=60))
    assert (server.cursor(), server.replica.seen) == (60, 60)


def test_reset_in_mid_session_is_one_diff() -> None:
    """Case 7: a new life: ``seen`` starts again, staged and cursor are void, handlers see one diff."""
    server = ScriptedServer()
    server.snapshot(100, put("a", 90), put("b", 100))
    events = server.say(entries([put("x", 101)]), m.Reset(0, "c/2", "f1"))
    assert events == [e.WasReset("pods", "c/2")]
    assert server.cursor() is None
    assert server.replicas.cluster == "c/1"  # until something of the new life is committed
    server.say(entries([put("a", 40, "older")]), bookmark(50))
    assert server.take_seen() == [("put", "a", 40), ("delete", "b", 50)]
    assert server.connect().resume_cluster == "c/2"
    assert server.hello_topic() == m.ResumeTopic(50, 50, "f1")


def test_new_cluster_at_welcome() -> None:
    server = ScriptedServer()
    server.snapshot(100, put("a", 90))
    server.connect()
    server.welcome(Mode.SNAPSHOT, cluster="c/2")
    server.say(entries([put("a", 3, "new life")]), bookmark(4))
    assert (server.replica.cluster, server.cursor(), server.replica.seen) == ("c/2", 4, 3)


def test_topics_of_two_lives_offer_only_the_new_one() -> None:
    replicas = Replicas()
    for name, cluster in (("pods", "c/1"), ("nodes", "c/1"), ("nodes", "c/2")):
        replica = replicas.ensure(name)
        replica.commit_snapshot({}, 5, cluster, "f")
        replicas.cluster = cluster
    assert list(replicas.resume()) == ["nodes"]


def test_upgrade_changes_values_at_same_rv() -> None:
    """Case 8: another form is a snapshot; values that differ at the same rv reach handlers, the others do not."""
    server = ScriptedServer()
    server.snapshot(10, put("a", 4, "old form"), put("b", 5, "same"))
    server.connect()
    server.welcome(Mode.SNAPSHOT, form="f2")
    server.say(entries([put("a", 4, "new form"), put("b", 5, "same")]), bookmark(10))
    assert server.take_seen() == [("put", "a", 4)]


def test_where_change() -> None:
    """A cursor belongs to topic and filter; the Hello says under which it was taken."""
    server = ScriptedServer(wheres={"pods": {"node": "n1"}})
    server.snapshot(10, put("a", 1))
    hello = server.connect()
    assert hello.where == {"pods": {"node": "n1"}}
    assert hello.resume["pods"].where == {"node": "n1"}


@pytest.mark.parametrize("answer", ["welcome", "refused", "lost"])
def test_goaway_old_stream_after_hello(answer: str) -> None:
    """Case 14: what the old server sends after our Hello to the new one is dropped at Welcome, applied at Refused."""
    server = ScriptedServer()
    server.snapshot(1, put("a", 1))
    old = server.session
    assert server.say(m.GoAway("rebalance", 10.0, ("b:1",)))[0] == e.MoveRequested(
        m.GoAway("rebalance", 10.0, ("b:1",))
    )
    old.hold()
    new = Session(server.replicas, Subscription("n1", topics=("pods",)), 0.0)
    assert old.receive_data(encode_message(entries([put("a", 3)], through=3)), 1.0) == []
    assert old.held_bytes > 0
    if answer == "welcome":
        topics = (m.WelcomeTopic("pods", 4, Mode.RESUME, "f1"),)
        server.note(new.receive_data(encode_message(m.Welcome("t", "s2", "c/1", topics)), 1.0))
        server.note(old.close(CloseCode.MOVED))
        assert server.held == {"a": 1}
        server.note(new.receive_data(encode_message(m.Entries(4, 2, [put("a", 2)], [])), 1.0))
        server.note(new.receive_data(encode_message(m.Entries(4, 3, [put("a", 3)], [])), 1.0))
        assert server.take_seen() == [("put", "a", 2), ("put", "a", 3)]
        assert encode_message(m.Close("moved")) in old.data_to_send()
    else:
        if answer == "refused":
            new.receive_data(encode_message(m.Refused("draining", "me too")), 1.0)
        else:
            new.receive_eof(1.0)
        assert new.is_closed
        server.note(old.release(1.0))
        assert server.take_seen() == [("put", "a", 3)]
        assert not old.is_closed
    assert not old.is_held


def test_old_stream_that_ends_while_held_ends_at_release() -> None:
    server = ScriptedServer()
    server.snapshot(1, put("a", 1))
    server.session.hold()
    server.say(entries([put("b", 2)], through=2))
    assert server.session.receive_eof(1.0) == []
    events = server.session.release(1.0)
    server.note(events)
    assert server.take_seen() == [("put", "b", 2)]
    assert isinstance(events[-1], e.Closed)
