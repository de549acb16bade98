"""Who a round is handed to, when sockets fill and drain while it waits for its turn."""

from __future__ import annotations

from collections.abc import Callable

from tests.downstream.talk import session_of, synced_server
from tests.kit.client import Outlet
from typha.downstream.encodings import PLAIN
from typha.downstream.group import Group
from typha.downstream.statistics import Traffic
from typha.downstream.streams import Subscriber

ROUND = b"round"


class Partial(Outlet):
    """Takes so many bytes of a send."""

    def __init__(self, room: int) -> None:
        super().__init__(is_slow=True)
        self.room = room

    def send(self, data: bytes) -> int:
        if not self.room:
            raise BlockingIOError
        self.buffer += data[: self.room]
        return min(self.room, len(data))


class Scene:
    """A group of so many, in steps of one send; those who were demoted."""

    def __init__(self, *outlets: Outlet) -> None:
        self.server = synced_server()
        self.group = Group(frozenset(), PLAIN, 0.0)
        self.demoted: list[Subscriber] = []
        self.members = [Subscriber(session_of(self.server), outlet, Traffic()) for outlet in outlets]
        for member, outlet in zip(self.members, outlets, strict=True):
            outlet.paused = member.pause
            member.join(self.group)
        self.outlets = outlets
        self.time = 0.0

    def demote(self, subscriber: Subscriber) -> None:
        self.demoted.append(subscriber)
        subscriber.part(self.group)

    def clock(self) -> float:
        """Each look is a second later, so that each chunk of sends is a turn."""
        self.time += 1.0
        return self.time

    def serve(self, between: Callable[[], object] = lambda: None, data: bytes | None = ROUND) -> int:
        """One round; ``between`` happens at its first yield."""
        round_of_sends = self.group.serve(data, self.clock, 0.5, self.demote)
        is_first = True
        while True:
            try:
                next(round_of_sends)
            except StopIteration as end:
                return int(end.value)
            if is_first:
                between()
            is_first = False

    @property
    def handed(self) -> list[bytes]:
        return [bytes(outlet.buffer) for outlet in self.outlets]


def crowd(**kwargs: bool) -> tuple[Outlet, ...]:
    """More than are served between two looks at the clock."""
    return tuple(Outlet(**kwargs) for _ in range(40))


def test_everybody_gets_a_round_once_and_it_is_counted() -> None:
    scene = Scene(*crowd())
    assert scene.serve() == 40
    assert scene.handed == [ROUND] * 40
    assert {(member.bytes_sent, member.frames_sent) for member in scene.members} == {(5, 1)}
    scene.demote(scene.members[0])
    assert (scene.members[0].bytes_sent, scene.members[0].frames_sent) == (5, 1)
    scene.members[0].join(scene.group)
    scene.serve()
    assert (scene.members[0].bytes_sent, scene.members[0].frames_sent) == (10, 2)


def test_the_rest_of_a_partial_send_waits_and_the_next_round_demotes() -> None:
    scene = Scene(Partial(2), Partial(0), Partial(5))
    assert scene.serve() == 3
    assert scene.handed == [ROUND] * 3
    for number in (0, 1):
        assert scene.members[number] in scene.group.undrained
    assert scene.demoted == []
    scene.serve()
    assert scene.demoted == scene.members[:2]
    assert scene.handed[:2] == [ROUND] * 2


def test_who_drained_again_gets_the_next_round_with_the_others() -> None:
    scene = Scene(Partial(2))
    scene.serve()
    scene.outlets[0].buffer.clear()
    scene.group.resume(scene.members[0])
    scene.serve()
    assert (scene.handed, scene.demoted) == ([ROUND], [])


def test_who_fills_while_a_round_waits_is_demoted_and_not_sent_past_its_bytes() -> None:
    scene = Scene(*crowd(is_slow=True))
    assert scene.serve(lambda: scene.outlets[-1].write(b"pong")) == 39
    assert scene.handed[-1] == b"pong"
    assert scene.demoted == [scene.members[-1]]


def test_who_fills_and_drains_while_a_round_waits_gets_it() -> None:
    scene = Scene(*crowd(is_slow=True))

    def pause_and_resume() -> None:
        scene.outlets[-1].write(b"pong")
        scene.outlets[-1].buffer.clear()
        scene.group.resume(scene.members[-1])

    assert scene.serve(pause_and_resume) == 40
    assert scene.handed == [ROUND] * 40
    assert scene.demoted == []


def test_who_leaves_while_a_round_waits_gets_nothing() -> None:
    scene = Scene(*crowd())
    scene.serve(lambda: scene.members[-1].part(scene.group))
    assert scene.handed[-2:] == [ROUND, b""]


def test_resuming_one_that_was_given_more_meanwhile_changes_nothing() -> None:
    scene = Scene(Outlet(is_slow=True))
    scene.outlets[0].write(b"slice")
    scene.group.resume(scene.members[0])
    assert list(scene.group.undrained) == scene.members
    assert not scene.group.sends


def test_too_large_for_one_piece_demotes_everybody_in_turns() -> None:
    scene = Scene(*crowd())
    assert scene.serve(lambda: scene.members[-1].part(scene.group), data=None) == 0
    assert scene.demoted == scene.members[:-1]
    assert scene.handed == [b""] * 40
