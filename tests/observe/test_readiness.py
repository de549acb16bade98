"""When the process counts as alive and as ready."""

from __future__ import annotations

from dataclasses import replace

from tests.observe.pictures import CERTS, PODS, picture
from typha.observe.readiness import HEARTBEAT_LIMIT_S, liveness, readiness, render
from typha.observe.status import Published, Status, TopicStatus
from typha.wire.states import TopicState


def ready(status: Status | None) -> bool:
    return all(check.holds for check in readiness(Published(status, 0.0, 0.0)))


def test_synced_and_absent_topics_are_ready() -> None:
    assert ready(picture(PODS, CERTS))


def test_nothing_published_is_not_ready() -> None:
    assert not ready(None)


def test_draining_is_not_ready() -> None:
    assert not ready(picture(draining=True))


def test_a_stale_topic_stays_ready() -> None:
    assert ready(picture(replace(PODS, state=TopicState.STALE, message="no contact for 200 s")))


def test_a_topic_that_never_synced_is_not_ready() -> None:
    topic = TopicStatus(name="pods", state=TopicState.WAITING, since_s=3.2, message="403: pods is forbidden")
    assert not ready(picture(topic))
    assert ready(picture(PODS, replace(topic, required=False)))
    body = render(readiness(Published(picture(topic), 0.0, 0.0)), verbose=False)
    assert body == "[-] topic pods: waiting for 3 s: 403: pods is forbidden\nfailed: 1 of 2 checks\n"


def test_liveness_is_the_heartbeat_and_nothing_else() -> None:
    published = Published(None, 0.0, 10.0)
    assert all(check.holds for check in liveness(published, 10.0 + HEARTBEAT_LIMIT_S))
    assert not any(check.holds for check in liveness(published, 10.1 + HEARTBEAT_LIMIT_S))


def test_verbose_lists_what_holds() -> None:
    body = render(readiness(Published(picture(), 0.0, 0.0)), verbose=True)
    assert body.splitlines() == [
        "[+] accepting: accepting connections",
        "[+] topic pods: in_sync for 12 s",
        "[+] topic certs: absent for 30 s: 404: no such resource",
        "ok",
    ]
