from __future__ import annotations

import pytest

from typha_client.endpoints import Attempt, Endpoints, Server, Target, is_address, parse_server, parse_servers

A, B = Server("a", 1), Server("b", 2)
A1, A2, B1 = Target(A, "10.0.0.1"), Target(A, "10.0.0.2"), Target(B, "10.0.1.1")
RESOLVED = {A: ["10.0.0.1", "10.0.0.2"], B: ["10.0.1.1"]}


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("typha", Server("typha", 5473)),
        (" typha:80 ", Server("typha", 80)),
        ("10.0.0.1:5473", Server("10.0.0.1", 5473)),
        ("[fd00::1]:80", Server("fd00::1", 80)),
        ("[fd00::1]", Server("fd00::1", 5473)),
        ("fd00::1", Server("fd00::1", 5473)),
    ],
)
def test_parse_server(text: str, server: Server) -> None:
    assert parse_server(text) == server
    assert parse_server(str(server)) == server


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the host is empty"),
        (":80", "the host is empty"),
        ("a:", "the port after ':' is missing"),
        ("a:http", "port 'http' is not a number from 1 to 65535"),
        ("a:0", "is not a number from 1 to 65535"),
        ("a:65536", "is not a number from 1 to 65535"),
        ("a:b:c:1", "is no IPv6 address"),
        ("[fd00::1", "write an IPv6 address as"),
        ("[fd00::1]80", "write an IPv6 address as"),
    ],
)
def test_parse_server_says_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_server(text)


def test_parse_servers_takes_a_list_or_commas_each_once() -> None:
    assert parse_servers("a:1,b:2,a:1") == parse_servers(["a:1", "b:2"]) == (A, B)
    with pytest.raises(ValueError, match="no server given"):
        parse_servers([])


def test_is_address() -> None:
    assert [is_address(host) for host in ("10.0.0.1", "fd00::1", "typha.ns.svc", "localhost")] == [
        True,
        True,
        False,
        False,
    ]


def started(first: float = 0.0) -> Endpoints:
    endpoints = Endpoints((A, B))
    assert endpoints.next_attempt(0.0, 0.5) == Attempt(None, 0.0)
    endpoints.start_round(RESOLVED, first)
    return endpoints


def test_a_round_goes_over_all_addresses_without_a_pause() -> None:
    endpoints = started()
    for target in (A1, A2, B1):
        assert endpoints.next_attempt(0.0, 0.5) == Attempt(target, 0.0)
        endpoints.failed(target)
    assert endpoints.next_attempt(0.0, 0.5) == Attempt(None, 0.5)


def test_agents_start_at_different_servers() -> None:
    assert [started(first).next_attempt(0.0, 0.0).target for first in (0.0, 0.4, 0.9)] == [A1, A2, B1]


def test_backoff_doubles_with_full_jitter_up_to_its_cap_and_never_ends() -> None:
    endpoints = Endpoints((A,))
    delays = []
    for _ in range(40):
        delays.append(endpoints.next_attempt(0.0, 1.0).delay_s)
        endpoints.start_round({A: ["10.0.0.1"]}, 0.0)
        endpoints.next_attempt(0.0, 1.0)
        endpoints.failed(A1)
    assert delays[:8] == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert set(delays[8:]) == {30.0}
    assert endpoints.next_attempt(0.0, 0.0).delay_s == 0.0


def test_names_that_do_not_resolve_end_the_round() -> None:
    endpoints = Endpoints((A,))
    endpoints.next_attempt(0.0, 1.0)
    endpoints.start_round({}, 0.0)
    assert endpoints.next_attempt(0.0, 1.0) == Attempt(None, 1.0)


def test_retry_after_holds_for_that_server_alone() -> None:
    endpoints = started()
    endpoints.next_attempt(0.0, 0.0)
    endpoints.refused(A1, 0.0, 7.0, final=False)
    assert endpoints.next_attempt(0.0, 0.0) == Attempt(A2, 0.0)
    endpoints.failed(A2)
    assert endpoints.next_attempt(0.0, 0.0) == Attempt(B1, 0.0)
    endpoints.failed(B1)
    endpoints.next_attempt(0.0, 0.0)
    endpoints.start_round(RESOLVED, 0.0)
    assert [endpoints.next_attempt(1.0, 0.0) for _ in range(3)] == [
        Attempt(A2, 0.0),
        Attempt(B1, 0.0),
        Attempt(A1, 6.0),
    ]


def test_a_server_cannot_switch_an_agent_off() -> None:
    endpoints = started()
    endpoints.next_attempt(0.0, 0.0)
    endpoints.refused(A1, 0.0, 1e12, final=False)
    endpoints.start_round({A: ["10.0.0.1"]}, 0.0)
    assert endpoints.next_attempt(0.0, 0.0).delay_s == 600.0


def test_final_refusals_back_off_for_long_and_go_on() -> None:
    endpoints = Endpoints((A,))
    endpoints.next_attempt(0.0, 1.0)
    endpoints.start_round({A: ["10.0.0.1"]}, 0.0)
    endpoints.next_attempt(0.0, 1.0)
    endpoints.refused(A1, 0.0, None, final=True)
    assert endpoints.next_attempt(0.0, 1.0) == Attempt(None, 60.0)


def test_goaway_addresses_come_first() -> None:
    endpoints = started()
    endpoints.welcomed(A1)
    endpoints.prefer(["10.0.9.9:5", "b:2", "not a:port:", ""])
    # A bare address is checked against the name that the user gave (TLS).
    assert endpoints.next_attempt(0.0, 0.0).target == Target(Server("a", 5), "10.0.9.9")
    assert endpoints.next_attempt(0.0, 0.0).target == Target(B, "b")


def test_two_servers_that_name_each_other_make_no_loop() -> None:
    endpoints = Endpoints((A,))
    endpoints.next_attempt(0.0, 1.0)
    endpoints.start_round({A: ["10.0.0.1"]}, 0.0)
    tried = 0
    while (attempt := endpoints.next_attempt(0.0, 1.0)).target is not None:
        tried += 1
        endpoints.prefer(["10.0.0.1:1", "10.0.0.2:1"])
        endpoints.refused(attempt.target, 0.0, None, final=False)
    assert tried == 2
    assert attempt.delay_s == 1.0


def test_a_healthy_stay_resets_the_backoff_a_short_one_does_not() -> None:
    endpoints = started()
    endpoints.rounds_failed = 5
    endpoints.lost(1.0)
    assert endpoints.next_attempt(0.0, 1.0) == Attempt(None, 30.0)
    endpoints.lost(31.0)
    assert endpoints.next_attempt(0.0, 1.0) == Attempt(None, 1.0)


def order_of(endpoints: Endpoints) -> list[Target]:
    found = []
    while (target := endpoints.next_attempt(0.0, 0.0).target) is not None:
        found.append(target)
        endpoints.failed(target)
    return found


def test_each_order_is_as_likely_as_any_other() -> None:
    """So that what a dead server leaves spreads over all others."""
    endpoints, orders = Endpoints((A, B)), set()
    for sixth in range(6):
        endpoints.start_round(RESOLVED, (sixth + 0.5) / 6)
        orders.add(tuple(order_of(endpoints)))
    assert len(orders) == 6
    assert all(set(order) == {A1, A2, B1} for order in orders)


def test_servers_of_our_zone_come_first_and_the_one_that_we_leave_last() -> None:
    for tenth in range(10):
        endpoints = Endpoints((A, B))
        endpoints.start_round(RESOLVED, tenth / 10, avoid=A2, near={A2.place, B1.place})
        assert order_of(endpoints) == [B1, A1, A2]


def test_a_rival_is_of_the_same_zone_and_drawn_with_it() -> None:
    endpoints = Endpoints((A, B))
    endpoints.start_round(RESOLVED, 0.0, near={A1.place, B1.place})
    assert endpoints.next_attempt(0.0, 0.0).target == A1
    assert endpoints.rival(A1, 0.0) == B1
    assert endpoints.next_attempt(0.0, 0.0).target == A2
    assert endpoints.rival(A2, 0.0) is None


def test_who_was_spared_is_tried_next() -> None:
    endpoints = started()
    assert endpoints.next_attempt(0.0, 0.0).target == A1
    assert endpoints.rival(A1, 0.0) == A2
    endpoints.put_back(A2)
    endpoints.failed(A1)
    assert order_of(endpoints) == [A2, B1]


def test_a_rival_is_neither_the_one_that_we_leave_nor_one_that_wants_to_be_left_alone() -> None:
    endpoints = Endpoints((A, B))
    endpoints.start_round(RESOLVED, 0.0)
    endpoints.refused(A2, 0.0, 30.0, final=False)
    endpoints.start_round(RESOLVED, 0.0, avoid=B1)
    assert endpoints.next_attempt(0.0, 0.0).target == A1
    assert endpoints.rival(A1, 1.0) is None


def test_after_a_loss_or_a_failed_round_nobody_is_asked() -> None:
    endpoints = started()
    endpoints.welcomed(A1)
    endpoints.lost(100.0)
    endpoints.next_attempt(0.0, 0.0)
    endpoints.start_round(RESOLVED, 0.0)
    endpoints.next_attempt(0.0, 0.0)
    assert endpoints.rival(A1, 0.0) is None
    endpoints.welcomed(A1)
    endpoints.start_round(RESOLVED, 0.0)
    endpoints.next_attempt(0.0, 0.0)
    assert endpoints.rival(A1, 0.0) is not None
    endpoints.rounds_failed = 1
    assert endpoints.rival(A1, 0.0) is None


def test_servers_that_a_server_named_are_compared_with_each_other() -> None:
    endpoints = started()
    endpoints.welcomed(A1)
    endpoints.prefer(["10.0.9.1:5", "10.0.9.2:5"])
    first = endpoints.next_attempt(0.0, 0.0).target
    assert first is not None
    assert first.address == "10.0.9.1"
    other = endpoints.rival(first, 0.0)
    assert other is not None
    assert other.address == "10.0.9.2"


def test_two_that_fail_together_end_a_round_once() -> None:
    endpoints = Endpoints((A,))
    endpoints.start_round({A: ["10.0.0.1", "10.0.0.2"]}, 0.0)
    endpoints.next_attempt(0.0, 0.0)
    endpoints.rival(A1, 0.0)
    endpoints.failed(A1)
    endpoints.failed(A2)
    assert endpoints.rounds_failed == 1
