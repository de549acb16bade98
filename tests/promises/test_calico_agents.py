"""Calico's agents over random histories: whatever happens, who is in sync holds what the topics hold."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from tests.kit.calico_agent import CalicoAgent, truth_of
from tests.promises.histories import Histories
from tests.promises.test_histories import HISTORIES, settings_for

AGENTS = st.integers(0, 2)


class CalicoHistories(Histories):
    """The replicas, tenants and native clients of Histories, and three Calico agents among them."""

    def __init__(self) -> None:
        super().__init__()
        self.agents = [CalicoAgent(f"felix-{number}", is_snappy=number > 0) for number in range(3)]

    @rule(agent=AGENTS, server=st.integers(0, 2))
    def calico_connects(self, agent: int, server: int) -> None:
        self.agents[agent].connect(self.world.servers[server])

    @rule(agent=AGENTS)
    def calico_disconnects(self, agent: int) -> None:
        self.agents[agent].disconnect()

    @rule(agent=AGENTS, count=st.one_of(st.none(), st.integers(1, 200)))
    def calico_reads(self, agent: int, count: int | None) -> None:
        self.agents[agent].deliver(count)

    @rule(agent=AGENTS, is_slow=st.booleans())
    def calico_sleeps(self, agent: int, is_slow: bool) -> None:
        self.agents[agent].pace(is_slow=is_slow)

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self._calico_agents_catch_up()
        finally:
            super().teardown()

    def _calico_agents_catch_up(self) -> None:
        for agent in self.agents:
            agent.pace(is_slow=False)
        self._flow()  # one that holds a joiner's place would keep the others waiting for a second of real time
        self.world.quiesce(must_hold_truth=False)
        for _ in range(2):  # what is still on its way may end a connection
            for agent in self.agents:
                if not agent.is_connected:
                    agent.connect(self.world.a)
            self._flow()
        for agent in self.agents:
            assert agent.server is not None
            assert agent.is_in_sync, f"{agent.name}: {agent.statuses}"
            wanted = truth_of(agent.server)
            wrong = {key for key in wanted.keys() | agent.held.keys() if wanted.get(key) != agent.held.get(key)}
            assert not wrong, f"{agent.name}: {[(key, wanted.get(key), agent.held.get(key)) for key in sorted(wrong)]}"

    def _flow(self) -> None:
        for _ in range(100):
            for server in self.world.servers:
                server.settle()
            for agent in self.agents:
                agent.deliver()
            if not any(agent.outlet.buffer for agent in self.agents if agent.is_connected):
                return


def test_calico_agents_hold_what_the_topics_hold() -> None:
    run_state_machine_as_test(CalicoHistories, settings=settings_for(HISTORIES // 4))
