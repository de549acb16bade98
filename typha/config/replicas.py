"""The settings of section `replicas`; see `model`."""

# ruff: noqa: RUF009 - `setting` is our own `field`

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from typha.config.kinds import File, Number, Switch, Word
from typha.config.setting import setting


@dataclass(frozen=True, slots=True)
class ReplicasConfig:
    """The other servers: where they are, and how shares are kept. They are asked for their load on the agents' port."""

    service: str = setting(
        "",
        Word(),
        "Service whose EndpointSlices hold all servers, this one among them. Empty: those of `advertise`, whose names "
        "are resolved.",
        "In Kubernetes the headless Service that agents use. Needs `list` on endpointslices in its namespace.",
    )
    namespace: str = setting(
        "",
        Word(),
        "Namespace of the Service.",
        "Empty: the pod's own, from its service account.",
    )
    port_name: str = setting(
        "agents",
        Word(),
        "Name of the agents' port in the Service.",
        "As in `deploy/base`.",
    )
    interval_s: float = setting(
        10.0,
        Number(0.1, 3600),
        "Between two looks at the others; jittered by a tenth.",
        "A look is one handshake with each of them: 1 ms for a server in 10 s.",
    )
    rebalance: bool = setting(
        True,
        Switch(),
        "Ask agents to move (GoAway `rebalance`) while this server holds more than its share.",
        "Rollouts leave the last server with nobody; agents move without losing a change.",
    )
    tolerance_percent: float = setting(
        10.0,
        Number(0, 1000),
        "How far above the mean of all ready servers is still even; above that, agents move until the mean.",
        "What random choice alone leaves between two servers of 400 agents; moving for less helps nobody.",
    )
    server_name: str = setting(
        "",
        Word(),
        "Name that the servers' certificates have.",
        "Empty: `<service>.<namespace>.svc`, or the host in `advertise`.",
    )
    ca: Path | None = setting(
        None,
        File(),
        "CA (PEM) of the servers' certificates.",
        "None: `tls.client_ca`, and without that the system's. `tls.cert` is what this server shows to the others.",
    )
    token_file: Path | None = setting(
        None,
        File(),
        "Bearer token that this server shows to the others, read at each look; only over TLS.",
        "None: its certificate says who it is. Where servers take tokens instead, a projected one of their audience.",
    )
