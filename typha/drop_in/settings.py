"""What Typha's parameters ask for and our own `Config` has no place for: one frozen dataclass, which `app` wires.

1. Every value is ready for use: zeros that Typha's packages replace are replaced, rules between values are applied.
2. ``None`` is off.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from typha.config import HostPort
from typha.downstream.tls import TlsFiles
from typha.wire.identity import WantedName

ClientAuth = Literal["RequireAndVerifyClientCert", "RequireAnyClientCert", "VerifyClientCertIfGiven", "NoClientCert"]


@dataclass(frozen=True, slots=True)
class AgentTls:
    """The agents' port with TLS; ``wanted``: who an agent must be."""

    files: TlsFiles
    wanted: tuple[WantedName, ...]
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    ciphers: str = ""


@dataclass(frozen=True, slots=True)
class MetricsTls:
    """HTTPS of the metrics port. ``ca`` None: no client certificate is asked for."""

    cert: Path
    key: Path
    ca: Path | None = None
    client_auth: ClientAuth = "NoClientCert"


@dataclass(frozen=True, slots=True)
class MetricsPort:
    """Where /metrics is served, and which collectors beside Typha's own names."""

    listen: HostPort
    runtime: bool = True
    process: bool = True
    tls: MetricsTls | None = None


@dataclass(frozen=True, slots=True)
class Rebalancing:
    """Mode `kubernetes`: count nodes and Typhas, and shed above the limit that follows (`rebalancing`)."""

    namespace: str = "kube-system"
    service: str = "calico-typha"
    port_name: str = "calico-typha"
    poll_interval_s: float = 30.0
    lower_limit: int = 400


@dataclass(frozen=True, slots=True)
class DropIn:
    """Times in seconds. ``upper_limit`` holds in every mode: above it connections are shed, never refused."""

    health: HostPort | None = None
    metrics: MetricsPort | None = None
    agent_tls: AgentTls | None = None
    ping_interval_s: float = 10.0
    """To Calico's agents; `Config` has the same for our own."""
    pong_timeout_s: float = 60.0
    max_message_kvs: int = 100
    upper_limit: int = 10_000
    rebalancing: Rebalancing | None = None
    drop_interval_s: float = 1.0
    shutdown_timeout_s: float = 300.0
    shutdown_drop_interval_max_s: float = 1.0
    ensure_initialized: bool = False
