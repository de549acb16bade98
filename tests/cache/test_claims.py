from __future__ import annotations

import itertools

from tests.cache.entries import item
from typha.cache.claims import Claims, Settlement
from typha.cache.log import Item


def settled(*wants: tuple[str, list[str]]) -> tuple[Claims, list[Settlement]]:
    claims, last = Claims(item), list[Settlement]()
    for name, keys in wants:
        last = claims.settle(name, items(*keys))
    return claims, last


def items(*keys: str) -> list[Item]:
    return [item(key) for key in keys]


def test_object_gives_what_it_wants_and_loses_what_it_wanted() -> None:
    claims, _ = settled(("a", ["x", "y"]))
    assert claims.settle("a", items("y", "z")) == [Settlement("a", tuple(items("y", "z")), ["x"], None)]
    assert claims.settle("a", []) == [Settlement("a", (), ["y", "z"], None)]


def test_weaker_rival_gets_nothing_and_is_told_whom_it_lost_to() -> None:
    _, (loser,) = settled(("a", ["x"]), ("b", ["x", "y"]))
    assert (loser.name, loser.gives) == ("b", ())
    assert loser.reason == "its key x belongs to a"


def test_stronger_rival_takes_over_and_the_weaker_loses_all_its_keys() -> None:
    _, (loser, winner) = settled(("b", ["x", "y"]), ("a", ["x"]))
    assert (loser.name, tuple(loser.loses), loser.reason) == ("b", ("x", "y"), "its key x belongs to a")
    assert (winner.name, winner.gives) == ("a", tuple(items("x")))


def test_loser_is_settled_anew_when_its_key_is_free() -> None:
    claims, _ = settled(("a", ["x"]), ("b", ["x"]), ("c", ["x"]))
    gone, heir = claims.settle("a", [])
    assert (gone.name, tuple(gone.loses)) == ("a", ("x",))
    assert (heir.name, heir.gives) == ("b", tuple(items("x")))


def test_owner_follows_from_the_living_objects_alone() -> None:
    """Every order of events ends with the same owners: replicas decide alike."""
    wants = [("a", ["x"]), ("b", ["x", "y"]), ("c", ["y"]), ("d", ["z", "y"])]
    ends = set()
    for order in itertools.permutations(wants):
        claims = Claims(item)
        owner: dict[str, str] = {}
        for name, keys in order:
            for settlement in claims.settle(name, items(*keys)):
                owner = {key: held for key, held in owner.items() if held != settlement.name}
                owner |= {key: settlement.name for key, _, _ in settlement.gives}
        ends.add(tuple(sorted(owner.items())))
    assert len(ends) == 1


def test_clear_forgets_owners_and_losers() -> None:
    claims, _ = settled(("a", ["x"]), ("b", ["x"]))
    claims.clear()
    (settlement,) = claims.settle("b", items("x"))
    assert settlement.gives == tuple(items("x"))
