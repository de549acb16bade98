from __future__ import annotations

import pytest

from typha.cache.errors import OutOfOrderError, RestoredError
from typha.upstream import errors
from typha.upstream.recovery import RECOVERIES, Backoff, Recoveries, Recovery, Step, recovery_for


def leaves(kind: type[Exception]) -> list[type[Exception]]:
    found = [] if kind in {errors.UpstreamError, errors.RequestError} else [kind]
    return found + [leaf for below in kind.__subclasses__() for leaf in leaves(below)]


def test_every_error_has_exactly_one_recovery() -> None:
    assert set(leaves(errors.UpstreamError)) | {OutOfOrderError, RestoredError} == set(RECOVERIES)


def request_error(kind: type[errors.RequestError], **more: float) -> errors.RequestError:
    return kind("watch", "why", **more)  # type: ignore[arg-type]


TABLE = [
    (request_error(errors.ConnectionLostError), Recovery.RESUME),
    (request_error(errors.TlsFailedError), Recovery.REFRESH_CREDENTIALS),
    (errors.StreamSilentError(130.0), Recovery.RESUME),
    (request_error(errors.ListExpiredError), Recovery.RELIST),
    (request_error(errors.WatchExpiredError), Recovery.RELIST),
    (request_error(errors.TooLargeResourceVersionError), Recovery.RELIST),
    (errors.LineTooLongError(5), Recovery.RELIST),
    (request_error(errors.BadStreamError), Recovery.RELIST),
    (errors.InconsistentListError("5", "6"), Recovery.RELIST_CONSISTENT),
    (OutOfOrderError("pods", 3, 5), Recovery.RELIST_CONSISTENT),
    (request_error(errors.UnauthorizedError), Recovery.REFRESH_CREDENTIALS),
    (request_error(errors.ForbiddenError), Recovery.FORBIDDEN),
    (request_error(errors.ResourceNotFoundError), Recovery.ABSENT),
    (request_error(errors.WatchListUnsupportedError), Recovery.PAGES),
    (errors.CredentialsError("why"), Recovery.BACK_OFF),
    (request_error(errors.ListFailedError), Recovery.BACK_OFF),
    (request_error(errors.WatchFailedError), Recovery.BACK_OFF),
    (request_error(errors.DiscoveryFailedError), Recovery.BACK_OFF),
    (request_error(errors.BadAnswerError), Recovery.BACK_OFF),
    (RestoredError("pods", "the list", 3, 5), Recovery.NEW_LIFE),
]


@pytest.mark.parametrize(("error", "recovery"), TABLE, ids=lambda each: getattr(each, "name", type(each).__name__))
def test_table(error: Exception, recovery: Recovery) -> None:
    assert recovery_for(error) is recovery
    assert Recoveries(Backoff(lambda: 0.0)).after(error, 0.0).recovery is recovery


def test_backoff_doubles_to_its_limit_with_full_jitter() -> None:
    backoff = Backoff(lambda: 1.0)
    assert [backoff.next_delay(float(now)) for now in range(8)] == [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
    assert Backoff(lambda: 0.25).next_delay(0.0) == pytest.approx(0.2)
    assert Backoff(lambda: 0.0).next_delay(0.0) == 0.0


def test_backoff_starts_anew_after_two_healthy_minutes() -> None:
    backoff = Backoff(lambda: 1.0)
    for now in (0.0, 1.0, 2.0):
        backoff.next_delay(now)
    backoff.succeeded(10.0)
    backoff.succeeded(100.0)
    assert backoff.next_delay(129.0) == 6.4  # healthy for 119 s only
    backoff.succeeded(130.0)
    assert backoff.next_delay(250.0) == 0.8


def test_retry_after_is_a_lower_bound_with_a_limit() -> None:
    backoff = Backoff(lambda: 0.5)
    assert backoff.next_delay(0.0, 7.0) == 7.4
    assert backoff.next_delay(0.0, 86_400.0) == 600.8
    step = Recoveries(Backoff(lambda: 0.0)).after(request_error(errors.ListFailedError, retry_after_s=9.0), 0.0)
    assert step == Step(Recovery.BACK_OFF, 9.0)


def test_second_relist_is_consistent_until_a_watch_brings_something() -> None:
    recoveries = Recoveries(Backoff(lambda: 0.0))
    expired = request_error(errors.WatchExpiredError)
    assert recoveries.after(expired, 0.0).recovery is Recovery.RELIST
    recoveries.served(1.0)  # the list succeeds: that proves nothing
    assert recoveries.after(expired, 1.0).recovery is Recovery.RELIST_CONSISTENT
    recoveries.streamed(2.0)
    assert recoveries.after(expired, 3.0).recovery is Recovery.RELIST


def test_what_is_no_failure_of_the_server_hardly_waits() -> None:
    recoveries = Recoveries(Backoff(lambda: 1.0))
    lost = request_error(errors.ConnectionLostError)
    assert [recoveries.after(lost, 0.0).delay_s for _ in range(3)] == [0.8, 1.6, 3.2]
    assert recoveries.after(errors.StreamSilentError(200.0), 1.0) == Step(Recovery.RESUME, 0.0)
    assert recoveries.after(request_error(errors.WatchExpiredError), 1.0) == Step(Recovery.RELIST, 0.8)
    assert recoveries.after(request_error(errors.WatchExpiredError), 1.0) == Step(Recovery.RELIST_CONSISTENT, 6.4)


def test_credentials_are_refreshed_once_per_backoff() -> None:
    recoveries = Recoveries(Backoff(lambda: 1.0))
    refused = request_error(errors.UnauthorizedError)
    assert recoveries.after(refused, 0.0) == Step(Recovery.REFRESH_CREDENTIALS, 0.0)
    assert recoveries.after(refused, 0.0) == Step(Recovery.BACK_OFF, 0.8)
    assert recoveries.after(refused, 1.0) == Step(Recovery.REFRESH_CREDENTIALS, 0.0)
    recoveries.served(2.0)
    assert recoveries.after(refused, 3.0) == Step(Recovery.REFRESH_CREDENTIALS, 0.0)
