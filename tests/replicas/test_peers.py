from typha.replicas.peers import NAMED, Peer, PeerState, PeerTable

A, B, C = "10.0.0.1:5473", "10.0.0.2:5473", "10.0.0.3:5473"


def test_what_does_not_take_agents_is_never_named() -> None:
    table = PeerTable()
    table.looked([Peer(A, PeerState.GOING), Peer(B, PeerState.READY, 7), Peer(C, PeerState.UNREACHABLE, 0, "refused")])
    assert (table.has_ready, table.next_addresses()) == (True, (B,))
    assert table.counts() == {"ready": 1, "going": 1, "not_ready": 0, "unreachable": 1}
    table.looked([Peer(B, PeerState.GOING)])
    assert (table.has_ready, table.next_addresses()) == (False, ())


def test_a_crowd_that_goes_at_once_spreads() -> None:
    table = PeerTable()
    table.looked([Peer(A, PeerState.READY, 10), Peer(B, PeerState.READY, 0), Peer(C, PeerState.READY, 5)])
    sent = [table.next_addresses()[0] for _ in range(30)]
    assert {address: sent.count(address) for address in (A, B, C)} == {A: 5, B: 15, C: 10}


def test_only_some_are_named() -> None:
    table = PeerTable()
    table.looked([Peer(f"10.0.0.{n}:1", PeerState.READY, n) for n in range(9)])
    assert table.next_addresses() == tuple(f"10.0.0.{n}:1" for n in range(NAMED))


def test_a_look_tells_what_is_another_than_before() -> None:
    table = PeerTable()
    assert len(table.looked([Peer(A, PeerState.READY), Peer(B, PeerState.READY)])) == 2
    assert table.looked([Peer(A, PeerState.READY, 5), Peer(B, PeerState.GOING)]) == [Peer(B, PeerState.GOING)]
