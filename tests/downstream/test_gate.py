from typha.downstream.gate import ADDRESS, CONNECTIONS, UNHEARD, Gate
from typha.downstream.settings import DownstreamSettings
from typha.wire.states import RefusalCode


def limit_of(gate: Gate, connection: int, host: str = "10.0.0.1") -> str:
    refusal = gate.enter(connection, host, 2.5)
    if refusal is None:
        return ""
    assert (refusal.code, refusal.retry_after_s) == (RefusalCode.OVERLOADED, 2.5)
    return refusal.limit


def test_connections_in_all() -> None:
    gate = Gate(DownstreamSettings(max_connections=2))
    assert [limit_of(gate, number) for number in range(3)] == ["", "", CONNECTIONS]
    for connection in (2, 0):
        gate.leave(connection, "10.0.0.1")
    assert limit_of(gate, 3) == ""


def test_connections_of_one_address_but_not_of_loopback() -> None:
    gate = Gate(DownstreamSettings(max_per_address=2))
    assert [limit_of(gate, number) for number in range(3)] == ["", "", ADDRESS]
    assert limit_of(gate, 3, "10.0.0.2") == ""
    for connection in (2, 1):
        gate.leave(connection, "10.0.0.1")
    assert limit_of(gate, 4) == ""
    for host in ("127.0.0.1", "::1", ""):
        assert [limit_of(gate, hash((host, number)), host) for number in range(3)] == ["", "", ""]


def test_no_limit_of_one_address() -> None:
    gate = Gate(DownstreamSettings(max_per_address=0))
    assert not any(limit_of(gate, number) for number in range(500))


def test_connections_that_have_not_said_hello() -> None:
    gate = Gate(DownstreamSettings(max_unheard=2))
    assert [limit_of(gate, number) for number in range(3)] == ["", "", UNHEARD]
    assert gate.unheard == 2
    gate.heard(0)
    assert limit_of(gate, 4) == ""
    gate.leave(1, "10.0.0.1")
    assert gate.unheard == 1


def test_what_is_refused_is_not_awaited() -> None:
    gate = Gate(DownstreamSettings(max_connections=1, max_unheard=2))
    assert [limit_of(gate, number) for number in range(2)] == ["", CONNECTIONS]
    assert gate.unheard == 1
