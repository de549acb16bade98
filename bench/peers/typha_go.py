"""Calico's Typha, built from its own source by whoever runs this: ``TYPHA_GO_BINARY`` names it."""

from __future__ import annotations

import os

from bench.peers import Listener, PeerMissing
from bench.processes import Simulation


def binary() -> str:
    """Where it is. PeerMissing where nobody said so."""
    found = os.environ.get("TYPHA_GO_BINARY", "")
    if not found:
        raise PeerMissing("no TYPHA_GO_BINARY names Calico's Typha")
    return found


class TyphaGo(Listener):
    """Calico's Typha on the same cluster."""

    def start(self, path: str, simulation: Simulation) -> None:
        """Returns when it listens."""
        kubeconfig = str(simulation.kubeconfig)
        self.spawn(
            [path],
            TYPHA_DATASTORETYPE="kubernetes",
            KUBECONFIG=kubeconfig,
            TYPHA_KUBECONFIG=kubeconfig,
            TYPHA_SERVERPORT=str(self.port),
            TYPHA_SERVERHOST=self.host,
            TYPHA_LOGSEVERITYSCREEN="warning",
            TYPHA_LOGFILEPATH="none",
            TYPHA_CONNECTIONREBALANCINGMODE="none",
            TYPHA_MAXCONNECTIONSLOWERLIMIT="10000",
        )
        self.wait_listening(path)
