"""What went wrong and what came back, read off one picture after the other."""

from __future__ import annotations

from dataclasses import replace

from tests.observe.pictures import PODS, picture
from typha.observe.recoveries import KEPT, Recoveries
from typha.observe.status import ReflectorStatus, Status, TopicStatus
from typha.wire.states import TopicState

WATCH = ReflectorStatus(resource="v1/pods", state="watch", topics=("pods",), contact_s=0.1)
STALE = replace(PODS, state=TopicState.STALE, message="no contact with the API server for 181 s", since_s=1.0)


def of(*topics: TopicStatus, watch: ReflectorStatus = WATCH, lives: int = 0) -> Status:
    made = picture(*topics)
    return replace(made, upstream=replace(made.upstream, reflectors=(watch,), lives_total=lives))


def told(*statuses: Status) -> list[tuple[str, tuple[str, ...], str]]:
    recoveries = Recoveries()
    for second, status in enumerate(statuses):
        recoveries.compare(status, 100.0 + second)
    return [(event.kind, event.what, event.text) for event in recoveries.events]


def test_nothing_happens() -> None:
    assert told(of(PODS), of(replace(PODS, puts_total=90, head=2000))) == []


def test_stale_and_in_sync_again() -> None:
    assert told(of(PODS), of(STALE), of(replace(STALE, since_s=40.0)), of(PODS)) == [
        ("bad", ("pods",), "stale: no contact with the API server for 181 s"),
        ("good", ("pods",), "in sync after 41 s stale"),
    ]


def test_one_event_for_all_to_which_the_same_happened() -> None:
    def all_of(topic: TopicStatus) -> Status:
        return of(*(replace(topic, name=name) for name in ("a", "b", "c")))

    assert [event[:2] for event in told(all_of(PODS), all_of(STALE))] == [("bad", ("a", "b", "c"))]


def test_a_first_list_is_told_when_it_is_done() -> None:
    waiting = TopicStatus(name="pods", state=TopicState.WAITING, since_s=3.0)
    syncing = replace(waiting, state=TopicState.SYNCING, since_s=0.0)
    assert told(of(waiting), of(syncing), of(PODS)) == [("good", ("pods",), "in sync after 1 s syncing")]


def test_a_resource_that_comes_and_goes() -> None:
    absent = replace(PODS, state=TopicState.ABSENT, message="404")
    assert told(of(PODS), of(absent), of(PODS)) == [
        ("note", ("pods",), "absent, was in sync: 404"),
        ("note", ("pods",), "in sync, was absent"),
    ]


def test_a_watch_that_fails_and_is_served_again() -> None:
    failing = replace(WATCH, last_error="refused", last_error_s=0.5, errors_total={"ListFailedError": 1})
    later = replace(failing, last_error_s=199.0, errors_total={"ListFailedError": 9})
    after = replace(later, last_error_s=None, relists_total=1)
    assert told(of(PODS), of(PODS, watch=failing), of(PODS, watch=later), of(PODS, watch=after)) == [
        ("bad", ("v1/pods",), "fails: refused"),
        ("good", ("v1/pods",), "served again after 3 min"),
        ("note", ("v1/pods",), "listed again: the watch could not go on where it was"),
    ]


def test_a_failure_between_two_pictures_is_told_too() -> None:
    after = replace(WATCH, last_error="connection lost", errors_total={"WatchFailedError": 1})
    assert told(of(PODS), of(PODS, watch=after)) == [
        ("note", ("v1/pods",), "failed and recovered at once: connection lost")
    ]


def test_a_new_life() -> None:
    ((kind, what, text),) = told(of(PODS), of(PODS, lives=1))
    assert (kind, what) == ("bad", ("cluster",))
    assert "etcd was restored" in text


def test_the_newest_are_kept() -> None:
    statuses = [of(PODS if number % 2 else replace(STALE, message=str(number))) for number in range(2 * KEPT)]
    events = told(*statuses)
    assert len(events) == KEPT
    assert events[-1][0] == "good"
