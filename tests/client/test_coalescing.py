from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.client.scripted import packed
from typha_client.changes import Change
from typha_client.coalescing import PendingChanges
from typha_client.replica import Replica, Staged


def change(key: str, rv: int, new: bytes | None, old: bytes | None = None) -> Change:
    return Change("pods", "delete" if new is None else "put", key, rv, new, old)


def test_newest_wins_and_moves_to_its_place() -> None:
    pending = PendingChanges()
    pending.push([change("a", 1, b"1"), change("b", 2, b"1")], 2)
    pending.push([change("a", 3, b"2", b"1")], 3)
    assert pending.take() == change("b", 2, b"1")
    assert pending.take() == change("a", 3, b"2")
    assert pending.take() is None
    assert pending.coalesced == 1


def test_add_and_delete_vanish_together() -> None:
    pending = PendingChanges()
    pending.push([change("a", 1, b"1")], 1)
    pending.push([change("a", 2, None, b"1")], 2)
    assert pending.take() is None
    assert pending.applied == 2


def test_applied_waits_for_what_was_taken() -> None:
    pending = PendingChanges()
    pending.push([change("a", 1, b"1"), change("b", 2, b"1")], 2)
    pending.take()
    pending.finish()
    assert pending.applied is None
    pending.take()
    assert pending.applied is None
    pending.push([], 5)
    pending.finish()
    assert pending.applied == 5


def test_applied_does_not_pass_a_key_that_was_coalesced() -> None:
    pending = PendingChanges()
    pending.push([change("a", 1, b"1"), change("b", 2, b"1")], 2)
    pending.push([change("a", 3, b"2", b"1")], 3)
    pending.take()  # b
    pending.finish()
    assert pending.applied is None  # a@1 was never handed over, a@3 not yet
    pending.take()
    pending.finish()
    assert pending.applied == 3


steps = st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 2), st.integers(0, 2)), max_size=40)


@given(steps)
def test_a_consumer_of_any_speed_sees_each_key_forward_only(moves: list[tuple[str, int | None, int]]) -> None:
    """take() now and then: what was taken, replayed, is the replica once the consumer catches up."""
    replica, pending = Replica("pods"), PendingChanges()
    seen: dict[str, bytes] = {}
    newest: dict[str, int] = {}
    applied = 0

    def take() -> bool:
        taken = pending.take()
        if taken is None:
            return False
        assert seen.get(taken.key) == taken.old_encoded != taken.encoded
        assert newest.get(taken.key, 0) < taken.rv
        newest[taken.key] = taken.rv
        if taken.encoded is None:
            del seen[taken.key]
        else:
            seen[taken.key] = taken.encoded
        return True

    for rv, (key, value, takes) in enumerate(moves, 1):
        staged = {key: Staged(rv, None if value is None else packed(value))}
        pending.push(replica.commit(staged, rv), rv)
        for _ in range(takes):
            take()
        assert applied <= (pending.applied or 0) <= rv
        applied = pending.applied or 0
        assert len(pending) <= 3
    while take():
        pass
    assert seen == {key: held.encoded for key, held in replica.entries.items()}
    assert pending.applied == (len(moves) or None)
