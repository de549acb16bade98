"""What tenants, replicas and sockets can do, for hypothesis to choose from. Checks: tests/kit/client, invariants."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import ClassVar

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.kit.checked_copy import Promise
from tests.kit.invariants import check_server
from tests.kit.server import Server
from tests.kit.small_steps import STEPPED_ROUNDS, small_steps
from tests.kit.truth import BAD, CONVERTERS, Body, Where
from tests.kit.world import World
from typha.wire.states import ZSTD, ZSTD_DICT

NAMES = st.sampled_from(["p1", "p2", "p3", "p4"])
NODES = st.sampled_from(["n0", "n1"])
WHERES: list[Where] = [{}, {"node": "n0"}, {"labels": "v=1"}, {"node": "n1", "labels": "v!=1"}]
SERVERS = st.integers(0, 2)
CLIENTS = st.integers(0, 6)
RARELY = st.integers(0, 3)
TAKES_DICTIONARIES = (ZSTD, ZSTD_DICT)


class Histories(RuleBasedStateMachine):
    """Three replicas; clients of each topic, filtered or not, with dictionaries or not, that lag, drop, move and change
    their filter.

    ``promises``: what a history can break; a subclass looks at one of them alone.
    """

    promises: ClassVar[Promise] = Promise.ALL

    def __init__(self) -> None:
        super().__init__()
        self._patches = ExitStack()
        self._checked: dict[Server, object] = {}

    @initialize(
        tombstones=st.integers(0, 4),
        frame_bytes=st.sampled_from([20, 60, 262_144]),
        budget_s=st.sampled_from([-1.0, 1e9]),
        joiners=st.sampled_from([1, 64]),
        dictionaries=st.sampled_from([1, 4]),
        is_running=st.sampled_from([True, True, True, False]),
    )
    def begin(
        self, tombstones: int, frame_bytes: int, budget_s: float, joiners: int, dictionaries: int, *, is_running: bool
    ) -> None:
        self._patches.enter_context(small_steps(frame_bytes=frame_bytes, dictionaries=dictionaries))
        settings = replace(STEPPED_ROUNDS, round_budget_s=budget_s, max_joiners=joiners)
        self.world = World(tombstones=tombstones, servers="abc", settings=settings)
        for topics, where, compression in (
            (("pods",), {}, ()),
            (("pods",), WHERES[1], TAKES_DICTIONARIES),
            (("hosts", "pods"), {}, TAKES_DICTIONARIES),
            (("pods",), WHERES[2], (ZSTD,)),
            (("pods", "hosts"), WHERES[3], ()),
            (("pools",), {}, TAKES_DICTIONARIES),
            (("pools", "pods"), WHERES[1], TAKES_DICTIONARIES),
        ):
            for copy in self.world.client(*topics, where=where, compression=compression).copies.values():
                copy.promises = self.promises
        if is_running:
            for number in range(1, 4):
                self.world.put(f"p{number}", number % 2, f"n{number % 2}")
            self.world.sync()
            for number, client in enumerate(self.world.clients):
                client.connect(self.world.servers[number % 3])
            self.world.deliver()

    # --- tenants

    @precondition(lambda self: not self.world.truth.is_absent)
    @rule(name=NAMES, value=st.sampled_from([0, 1, BAD]), node=NODES, keys=st.sets(st.sampled_from("xy")))
    def write(self, name: str, value: int, node: str, keys: set[str]) -> None:
        self.world.truth.write(name, Body(value, node, tuple(sorted(keys))))

    @rule(name=NAMES)
    def heartbeat(self, name: str) -> None:
        if name in self.world.truth.objects:
            self.world.beat(name)

    @rule(name=NAMES, dies=st.booleans())
    def there_and_back(self, name: str, *, dies: bool) -> None:
        """A, B, A; deleted and made again: the same bytes, and yet a change."""
        if name in self.world.truth.objects:
            body = self.world.truth.objects[name][1]
            self.world.truth.write(name, None if dies else body._replace(value=1 - body.value % 2))
            self.world.truth.write(name, body)

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        if name in self.world.truth.objects:
            self.world.delete(name)

    @rule()
    def elsewhere(self) -> None:
        self.world.truth.tick()

    @rule(
        kind=st.sampled_from(["restart", "warm", "restore", "resource"]),
        server=SERVERS,
        back=st.integers(1, 6),
        rare=RARELY,
    )
    def disaster(self, kind: str, server: int, back: int, rare: int) -> None:
        """Seldom: what follows a disaster is a short history of its own."""
        truth = self.world.truth
        if kind == "resource" and truth.is_absent:
            truth.create_resource()
        elif rare:
            return
        elif kind == "restart":
            self.world.restart(self.world.servers[server])
        elif kind == "warm":
            self.world.restart(self.world.servers[server], warm=True)
        elif kind == "restore":
            truth.restore(max(1, truth.rv - back))
        else:
            truth.drop_resource()

    @rule(server=SERVERS)
    def keep(self, server: int) -> None:
        """It writes its topics into a file, from which it may start."""
        self.world.servers[server].keep()

    # --- replicas

    @rule(server=SERVERS, count=st.integers(1, 4))
    def watch(self, server: int, count: int) -> None:
        self.world.servers[server].watch(count)

    @rule(server=SERVERS, lag=st.integers(0, 3))
    def bookmark(self, server: int, lag: int) -> None:
        self.world.servers[server].bookmark(lag)

    @rule(server=SERVERS, lag=st.integers(0, 3))
    def relist(self, server: int, lag: int) -> None:
        replica = self.world.servers[server]
        if not replica.is_of_this_life:
            replica.notice_restore()
        replica.relist(max(replica.pods.head, self.world.truth.rv - lag))

    @rule(server=SERVERS, topic=st.sampled_from(sorted(CONVERTERS)))
    def train(self, server: int, topic: str) -> None:
        self.world.servers[server].train(topic)

    @rule(server=SERVERS)
    def round(self, server: int) -> None:
        self.world.servers[server].round()
        self._follow()

    @rule(server=SERVERS, count=st.integers(1, 3))
    def part_of_a_round(self, server: int, count: int) -> None:
        for _ in range(count):
            self.world.servers[server].step()
        self._follow()

    @rule(server=SERVERS)
    def follow_the_api_server(self, server: int) -> None:
        replica = self.world.servers[server]
        if not replica.is_of_this_life:
            replica.notice_restore()
        if self.world.truth.is_absent:
            replica.absent()
        else:
            self.world.sync(replica)
        self._follow()

    # --- clients

    @rule(client=CLIENTS, server=SERVERS)
    def connect(self, client: int, server: int) -> None:
        self.world.clients[client].connect(self.world.servers[server])

    @rule(client=CLIENTS, server=SERVERS)
    def move(self, client: int, server: int) -> None:
        self.connect(client, server)
        self.flow(client)

    @rule(server=SERVERS)
    def everybody_moves(self, server: int) -> None:
        """What a rolling restart of servers does."""
        for number in range(len(self.world.clients)):
            self.move(number, server)

    @rule(client=CLIENTS, where=st.sampled_from(WHERES), server=SERVERS)
    def ask_for(self, client: int, where: Where, server: int) -> None:
        self.world.clients[client].ask_for(where)
        self.world.clients[client].connect(self.world.servers[server])

    @rule(client=CLIENTS)
    def disconnect(self, client: int) -> None:
        self.world.clients[client].disconnect()

    @rule(client=CLIENTS, count=st.one_of(st.none(), st.integers(1, 120)))
    def deliver(self, client: int, count: int | None) -> None:
        self.world.clients[client].deliver(count)

    @rule(client=CLIENTS)
    def flow(self, client: int) -> None:
        reader = self.world.clients[client]
        for _ in range(30):
            if not reader.is_connected or reader.server is None:
                break
            if not reader.outlet.buffer and not reader.server.fan_out.has_work:
                break
            reader.server.round()
            reader.deliver()

    @rule(client=CLIENTS, is_slow=st.booleans())
    def pace(self, client: int, is_slow: bool) -> None:
        self.world.clients[client].pace(is_slow=is_slow)

    @rule()
    def time(self) -> None:
        self.world.time(11)

    @invariant()
    def both_invariants_hold(self) -> None:
        if not hasattr(self, "world"):
            return
        for server in self.world.servers:
            at = [(t.generation, t.log.change_count, t.head, t.history.horizon, *t.history.gaps) for t in server.topics]
            state = (server.starts, server.epoch, [sum(1 for _ in t.views.logs()) for t in server.topics], at)
            if self._checked.get(server) != state:
                self._checked[server] = state
                check_server(server, self.promises)

    def _follow(self) -> None:
        for client in self.world.clients:
            client.follow()

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.world.quiesce(must_hold_truth=Promise.STATE in self.promises)
                self.both_invariants_hold()
        finally:
            self._patches.close()
