from typha.downstream.connection_limits import ADDRESS, CONNECTIONS, UNHEARD, ConnectionLimits
from typha.downstream.settings import DownstreamSettings
from typha.wire.states import RefusalCode


def limit_of(limits: ConnectionLimits, connection: int, host: str = "10.0.0.1") -> str:
    refusal = limits.enter(connection, host, 2.5)
    if refusal is None:
        return ""
    assert (refusal.code, refusal.retry_after_s) == (RefusalCode.OVERLOADED, 2.5)
    return refusal.limit


def test_connections_in_all() -> None:
    limits = ConnectionLimits(DownstreamSettings(max_connections=2))
    assert [limit_of(limits, number) for number in range(3)] == ["", "", CONNECTIONS]
    for connection in (2, 0):
        limits.leave(connection, "10.0.0.1")
    assert limit_of(limits, 3) == ""


def test_connections_of_one_address_but_not_of_loopback() -> None:
    limits = ConnectionLimits(DownstreamSettings(max_per_address=2))
    assert [limit_of(limits, number) for number in range(3)] == ["", "", ADDRESS]
    assert limit_of(limits, 3, "10.0.0.2") == ""
    for connection in (2, 1):
        limits.leave(connection, "10.0.0.1")
    assert limit_of(limits, 4) == ""
    for host in ("127.0.0.1", "::1", ""):
        assert [limit_of(limits, hash((host, number)), host) for number in range(3)] == ["", "", ""]


def test_no_limit_of_one_address() -> None:
    limits = ConnectionLimits(DownstreamSettings(max_per_address=0))
    assert not any(limit_of(limits, number) for number in range(500))


def test_connections_that_have_not_said_hello() -> None:
    limits = ConnectionLimits(DownstreamSettings(max_unheard=2))
    assert [limit_of(limits, number) for number in range(3)] == ["", "", UNHEARD]
    assert limits.unheard == 2
    limits.heard(0)
    assert limit_of(limits, 4) == ""
    limits.leave(1, "10.0.0.1")
    assert limits.unheard == 1


def test_what_is_refused_is_not_awaited() -> None:
    limits = ConnectionLimits(DownstreamSettings(max_connections=1, max_unheard=2))
    assert [limit_of(limits, number) for number in range(2)] == ["", CONNECTIONS]
    assert limits.unheard == 1
