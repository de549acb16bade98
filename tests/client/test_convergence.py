"""Random histories in memory: a pure topic for the truth, a pure core for the client, cut anywhere.

The real server's session meets this core in the downstream's own state machine; here the server's half is the
fake topic, so what fails here is the client's.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.client.scripted import packed
from typha.wire import messages as m
from typha.wire.codec import decode_message, encode_message
from typha.wire.frames import SERVER_INBOUND_LIMIT_BYTES, FrameDecoder
from typha_client import events as e
from typha_client.fake_topic import FakeTopic
from typha_client.replica import Replicas
from typha_client.session import Session, Subscription

KEYS = st.sampled_from(["a", "b", "c", "d", "e", "f"])


class Convergence(RuleBasedStateMachine):
    """Truth changes, frames trickle, connections break, deletions are forgotten, lives begin."""

    @initialize()
    def start(self) -> None:
        self.rv = 0
        self.life = 1
        self.topic = FakeTopic({})
        self.replicas = Replicas(verify=True)
        self.truths: dict[tuple[int, int], dict[str, bytes]] = {(1, 0): {}}
        self.handlers: dict[str, bytes] = {}
        self.last_rv = 0
        self.connect()

    def connect(self) -> None:
        self.session = Session(self.replicas, Subscription("n1", topics=("pods",), compression=()), 0.0)
        self.inbound = FrameDecoder(SERVER_INBOUND_LIMIT_BYTES)
        self.queue: list[m.Message] = []
        self.reconciling = False
        (hello,) = self.said()
        assert isinstance(hello, m.Hello)
        cluster = f"c/{self.life}"
        held = hello.resume.get("pods") if hello.resume_cluster == cluster else None
        mode, frames = self.topic.catch_up(0, held, {})
        self.reconciling = isinstance(frames[-1], m.KeyDigest)
        self.queue = [m.Welcome("t", "s", cluster, (m.WelcomeTopic("pods", 0, mode, self.topic.format),)), *frames]

    def said(self) -> list[m.Message]:
        self.inbound.receive_data(self.session.data_to_send())
        found = []
        while (frame := self.inbound.next_frame()) is not None:
            message = decode_message(frame)
            assert message is not None
            found.append(message)
        return found

    def note_truth(self) -> None:
        self.truths[self.life, self.rv] = {key: packed(value) for key, (_, value) in self.topic.values.items()}

    def change(self, key: str, value: int | None) -> None:
        self.rv += 1
        before = self.topic.values.get(key)
        if value is None:
            self.topic.delete(key, self.rv)
        else:
            self.topic.put(key, self.rv, value)
        self.note_truth()
        self.queue.append(m.Entries(0, self.rv, *self.topic.seen_through({}, key, self.rv, before)))

    @rule(key=KEYS, value=st.integers(0, 2))
    def put(self, key: str, value: int) -> None:
        self.change(key, value)

    @rule(key=KEYS)
    def delete_unseen(self, key: str) -> None:
        """Gone while the horizon passed: only a comparison of keys can tell."""
        self.rv += 1
        self.topic.delete(key, self.rv)
        self.topic.forget_deletions()
        self.note_truth()
        self.digest_now()

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        self.change(key, None)

    @precondition(lambda self: not self.reconciling)
    @rule()
    def bookmark(self) -> None:
        self.queue.append(m.Bookmark((m.BookmarkTopic(0, self.topic.head, 0),)))

    @rule()
    def forget_deletions(self) -> None:
        self.topic.forget_deletions()

    @rule()
    def digest_at_any_time(self) -> None:
        """The horizon passed a connected subscriber."""
        self.digest_now()

    def digest_now(self) -> None:
        _, frames = self.topic.catch_up(0, m.ResumeTopic(-1, 0, self.topic.format), {})
        if isinstance(frames[-1], m.KeyDigest):
            self.queue.append(frames[-1])
            self.reconciling = True

    @rule(dice=st.integers(0, 5))
    def new_life(self, dice: int) -> None:
        if dice:
            return
        self.life += 1
        self.rv = max(0, self.rv - 3)
        values = {key: value for key, (_, value) in self.topic.values.items() if key != "a"}
        self.topic = FakeTopic({})
        for key, value in values.items():
            self.rv += 1
            self.topic.put(key, self.rv, value)
        self.topic.head = self.rv
        self.note_truth()
        _, frames = self.topic.catch_up(0, None, {})
        self.queue += [m.Reset(0, f"c/{self.life}", self.topic.format), *frames]
        self.reconciling = False

    @rule(count=st.integers(1, 6))
    def deliver(self, count: int) -> None:
        for _ in range(min(count, len(self.queue))):
            self.receive(self.session.receive_data(encode_message(self.queue.pop(0)), 0.0))
            for message in self.said():
                assert isinstance(message, m.KeyRequest), message
                # Only the answer to the newest digest ends the reconcile; the server ignores the others.
                if not any(isinstance(waiting, m.KeyDigest | m.Reset) for waiting in self.queue):
                    bookmark = m.Bookmark((m.BookmarkTopic(0, self.topic.head, 0),))
                    self.queue += [self.topic.index(message, {}), bookmark]
                    self.reconciling = False

    @rule(dice=st.integers(0, 3))
    def cut(self, dice: int) -> None:
        if not dice:
            self.connect()

    def receive(self, events: list[e.Event]) -> None:
        for event in events:
            assert not isinstance(event, e.Closed), event
            if isinstance(event, e.Committed):
                self.committed(event)

    def committed(self, event: e.Committed) -> None:
        rvs = [change.rv for change in event.changes]
        assert rvs == sorted(rvs)
        for change in event.changes:
            assert self.handlers.get(change.key) == change.old_encoded != change.encoded
            if change.encoded is None:
                del self.handlers[change.key]
            else:
                self.handlers[change.key] = change.encoded
        replica = self.replicas.topics["pods"]
        life = int((replica.cluster or "c/0").partition("/")[2])
        truth = self.truths[life, event.cursor]
        assert {key: held.encoded for key, held in replica.entries.items()} == truth == self.handlers

    @invariant()
    def what_handlers_saw_is_what_is_held(self) -> None:
        replica: Any = self.replicas.topics.get("pods")
        if replica is not None:
            assert self.handlers == {key: held.encoded for key, held in replica.entries.items()}

    def teardown(self) -> None:
        """Quiet at last: whatever happened before, one more connection brings the truth."""
        if not hasattr(self, "topic"):
            return
        self.connect()
        while self.queue:
            self.deliver(6)
        assert self.handlers == {key: packed(value) for key, (_, value) in self.topic.values.items()}


TestConvergence = Convergence.TestCase
TestConvergence.settings = settings(max_examples=250, stateful_step_count=60, deadline=None)
