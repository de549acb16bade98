"""The two invariants of a topic (design, section 3) against the true history, for its own log and for every filter."""

from __future__ import annotations

from tests.kit.checked_copy import Promise
from tests.kit.server import Server, state_in_form
from tests.kit.truth import Where
from typha.cache.filters import Filter
from typha.cache.log import Log
from typha.cache.topic import Topic


def check_server(server: Server, promises: Promise = Promise.ALL) -> None:
    """All topics, all logs, the order within them included."""
    for topic in server.topics:
        topic.check_invariants()
        if topic.has_synced:
            for wanted, where, log in logs_of(topic):
                if Promise.ENTRY_BOUNDS in promises:
                    check_entry_bounds(server, topic, where, log)
                if Promise.DELETIONS in promises:
                    check_deletions(server, topic, wanted, where, log)


def logs_of(topic: Topic) -> list[tuple[Filter | None, Where, Log]]:
    """Every log that a reader can have, with the ``where`` that leads to it."""
    found: list[tuple[Filter | None, Where, Log]] = [(None, {}, topic.log)]
    for wanted, log in topic.views.logs():
        where = {topic.attributes[place]: text for place, text in wanted.texts}
        for place, requirements in wanted.selectors:
            (requirement,) = requirements
            (value,) = requirement.values or ("",)
            where[topic.attributes[place]] = f"v{'!' * requirement.negated}={value}"
        found.append((wanted, where, log))
    return found


def check_entry_bounds(server: Server, topic: Topic, where: Where, log: Log) -> None:
    """(a) last real change of a key's value <= its entry's rv <= head; and what is held is the truth at head."""
    held = {key: entry.value for key, entry in log.entries.items() if _true(server, topic, key)}
    expected = state_in_form(topic.form, server.life.state(topic.name, topic.head, where))
    assert held == expected, f"{server.name}/{topic.name}{where}: holds {held} at {topic.head}, the truth is {expected}"
    for key, entry in log.entries.items():
        changed = server.life.last_change(topic.name, key, topic.head)
        assert changed <= entry.rv <= topic.head, f"{server.name}/{topic.name}: {key}@{entry.rv} changed at {changed}"


def check_deletions(server: Server, topic: Topic, wanted: Filter | None, where: Where, log: Log) -> None:
    """(b) what existed at cursor c and does not now has a tombstone above c, for every c that is resumable."""
    for cursor in range(topic.head, -1, -1):
        if topic.resumable(cursor, wanted):
            for key in server.life.state(topic.name, cursor, where).keys() - log.entries.keys():
                died_at = log.tombstones.get(key, 0)
                assert died_at > cursor, (
                    f"{server.name}/{topic.name}{where}: cursor {cursor} resumes, but the deletion of {key} "
                    f"is {died_at or 'forgotten'}"
                )


def _true(server: Server, topic: Topic, key: str) -> bytes:
    return state_in_form(topic.form, server.life.state(topic.name, topic.head, {})).get(key, b"?")
