"""Pages, answers, positions, names, outages: the pure small modules of upstream, by tables."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import weakref

import pytest

from typha.upstream import errors
from typha.upstream.answers import error_of_answer
from typha.upstream.cluster import cluster_name, next_life
from typha.upstream.loading_pace import CollectorPause
from typha.upstream.outage import Outage
from typha.upstream.pages import parse_page
from typha.upstream.positions import Positions
from typha.upstream.races import first_of
from typha.upstream.recovery import Recovery
from typha.upstream.resources import Resource, ResourceName, Source, parse_resource_name


def test_page() -> None:
    page = parse_page(b'{"kind":"PodList","metadata":{"resourceVersion":"7","continue":"c"},"items":[{"a":1},"odd"]}')
    assert (page.resource_version, page.continue_token) == ("7", "c")
    assert [bytes(item) for item in page.items] == [b'{"a":1}', b'"odd"']
    assert parse_page(b'{"metadata":{"resourceVersion":"7"},"items":null}').items == []


@pytest.mark.parametrize("body", [b"", b"[]", b'{"items":[]}', b'{"metadata":{},"items":[]}', b"\xff"])
def test_page_that_is_none(body: bytes) -> None:
    with pytest.raises(errors.BadAnswerError):
        parse_page(body)


@pytest.mark.parametrize(
    ("phase", "code", "kind"),
    [
        ("list", 401, errors.UnauthorizedError),
        ("watch", 403, errors.ForbiddenError),
        ("list", 404, errors.ResourceNotFoundError),
        ("list", 410, errors.ListExpiredError),
        ("watch", 410, errors.WatchExpiredError),
        ("watch list", 422, errors.WatchListUnsupportedError),
        ("watch list", 400, errors.WatchListUnsupportedError),
        ("watch list", 500, errors.WatchFailedError),
        ("list", 422, errors.ListFailedError),
        ("list", 429, errors.ListFailedError),
        ("watch", 429, errors.WatchFailedError),
        ("discovery", 503, errors.DiscoveryFailedError),
        ("list", 204, errors.BadAnswerError),
        ("list", 302, errors.BadAnswerError),
    ],
)
def test_answers(phase: errors.Phase, code: int, kind: type[errors.RequestError]) -> None:
    error = error_of_answer(phase, code, b"<html>\n  busy </html>", "5")
    assert type(error) is kind
    assert (error.phase, error.code, error.retry_after_s) == (phase, code, 5.0)
    assert error.message == "<html> busy </html>"


def test_retry_after_that_is_a_date_is_ignored() -> None:
    error = error_of_answer("list", 503, b'{"message":"m"}', "Wed, 21 Oct 2026 07:28:00 GMT")
    assert error.retry_after_s is None


def test_ordered_positions() -> None:
    positions = Positions()
    assert positions.number("17") == 17
    with pytest.raises(ValueError, match="not a number"):
        positions.number("17/3")
    with pytest.raises(ValueError, match="not a number"):
        positions.number(str(1 << 64))


def test_unordered_positions_count() -> None:
    positions = Positions()
    assert [positions.number(text) for text in ("9/1", "3/1", "5")] == [1, 2, 3]
    assert positions.is_ordered is False


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("pods", ResourceName("", None, "pods")),
        ("v1/pods", ResourceName("", "v1", "pods")),
        ("apps/deployments", ResourceName("apps", None, "deployments")),
        ("apps/v1/deployments", ResourceName("apps", "v1", "deployments")),
        ("example.com/v1beta1/certs", ResourceName("example.com", "v1beta1", "certs")),
    ],
)
def test_resource_names(text: str, name: ResourceName) -> None:
    assert parse_resource_name(text) == name
    assert str(name) == text


@pytest.mark.parametrize(
    "text", ["", "/", "Pods", "v1/", "/pods", "a/b/c", "a/v1/b/c", "apps/V1/x", "v1 /pods", "é/v1/x"]
)
def test_bad_resource_names(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not|more than"):
        parse_resource_name(text)


def test_paths() -> None:
    pods = Resource("", "v1", "pods", "Pod", namespaced=True)
    certs = Resource("example.com", "v1", "certs", "Cert", namespaced=True)
    assert (pods.path(), pods.path("a"), pods.api_version) == ("/api/v1/pods", "/api/v1/namespaces/a/pods", "v1")
    assert certs.path("a/b") == "/apis/example.com/v1/namespaces/a/b/certs"
    assert certs.api_version == "example.com/v1"
    source = Source(parse_resource_name("v1/pods"), namespace="a", label_selector="x=y")
    assert str(source) == "v1/pods namespace=a labelSelector=x=y"


def test_outage_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage("v1/pods", quiet_s=120.0)
    error = errors.ListFailedError("list", "busy", code=503)
    with caplog.at_level(logging.INFO, logger="typha.upstream.outage"):
        for now in range(5):
            outage.failed(error, Recovery.BACK_OFF, 0.5, float(now))
        outage.failed(errors.ForbiddenError("list", "no", code=403), Recovery.FORBIDDEN, 0.5, 5.0)
        outage.served(8.0)
        outage.failed(error, Recovery.BACK_OFF, 0.5, 9.0)  # the same story
        outage.served(10.0)
        outage.failed(error, Recovery.BACK_OFF, 0.5, 130.0)  # news again
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "INFO", "WARNING"]
    assert caplog.records[0].getMessage() == "v1/pods: list: 503: busy; back off in 0.5 s"
    assert caplog.records[2].getMessage() == "v1/pods: served again after 8.0 s, 6 failures"
    assert outage.failures == {"ListFailedError": 7, "ForbiddenError": 1}


class Watched:
    """Something to refer to weakly."""


def test_collector_is_off_while_any_list_loads() -> None:
    pause = CollectorPause()
    assert gc.isenabled()
    with pause:
        with pause:
            assert not gc.isenabled()
            pause.loaded(5)
        assert not gc.isenabled()
    assert gc.isenabled()
    try:
        gc.unfreeze()
        with pause:
            pause.loaded(100_000)
            cycle: list[object] = []
            cycle.append(cycle)
            watched = Watched()
            cycle.append(watched)
            reference = weakref.ref(watched)
            del cycle, watched
        assert gc.get_freeze_count() > 0
        assert reference() is None, "garbage was frozen"
    finally:
        gc.unfreeze()


async def test_first_of_gives_the_work_or_what_the_guard_raises() -> None:
    gone: list[str] = []

    async def for_ever(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            gone.append(name)

    async def give() -> int:
        return 7

    async def raise_error() -> None:
        raise LookupError("guard")

    async def just_end() -> None:
        return

    assert await first_of(give(), for_ever("guard")) == 7
    with pytest.raises(LookupError):
        await first_of(for_ever("work"), raise_error())
    assert gone == ["guard", "work"]
    assert await first_of(give(), just_end()) == 7


async def test_first_of_leaves_nothing_that_only_the_collector_frees() -> None:
    """What failed had half a list in hand; the collector is off while lists load, and may not come for hours."""
    held: list[weakref.ref[Watched]] = []

    async def fail() -> None:
        in_hand = Watched()
        held.append(weakref.ref(in_hand))
        await asyncio.sleep(0)
        raise LookupError("work")

    gc.disable()
    try:
        with contextlib.suppress(LookupError):
            await first_of(fail(), asyncio.sleep(60))
        await asyncio.sleep(0)  # the loop still has what woke this test in hand
        assert held[0]() is None
    finally:
        gc.enable()


def test_life_after_a_restore() -> None:
    assert cluster_name("uid", next_life("1", 0xABC)) == "uid/1.00000abc"
