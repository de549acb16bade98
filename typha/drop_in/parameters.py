"""Typha's parameters, all of them: type, default, and what becomes of each here.

Place: `load` reads by this table, `mapping` gives the values their place, `document` prints it.

1. The table is complete: what Typha's binary knows stands here, in the order of its own source.
2. Each parameter has one fate, and a sentence that an operator can act on.
3. Parameters whose bad value ends Typha's start (`is_vital`) end ours.

Source: Calico, typha/pkg/config (state of August 2026).
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from typha.drop_in.kinds import Authority, Bool, EndpointList, File, HostAddress, Int, Kind, OneOf, Seconds, Text

PREFIX: Final = "TYPHA_"
DEFAULT_FILE: Final = Path("/etc/calico/typha.cfg")
"""Where Typha looks for its own file."""
MAX_PORT: Final = 65535


class Fate(StrEnum):
    """What becomes of a parameter."""

    HONOURED = "honoured"
    MAPPED = "mapped"
    WITHOUT_EFFECT = "no effect"
    REFUSED = "refused"


class Parameter(NamedTuple):
    """One parameter. ``default`` is text as an operator would write it; "" is the type's zero."""

    name: str
    kind: Kind
    default: str
    fate: Fate
    here: str
    is_vital: bool = False
    may_be_none: bool = True

    @property
    def variable(self) -> str:
        """TYPHA_HEALTHPORT."""
        return PREFIX + self.name.upper()

    @property
    def default_value(self) -> object:
        """The default as a typed value. A default file need not exist."""
        if not self.default:
            return self.kind.zero
        return self.default if isinstance(self.kind, File) else self.kind.parse(self.default)


_HONOURED, _MAPPED, _NO_EFFECT, _REFUSED = Fate.HONOURED, Fate.MAPPED, Fate.WITHOUT_EFFECT, Fate.REFUSED
_PORT = Int(0, MAX_PORT)
_COUNT = Int(1)
_EXISTING = File(must_exist=True)
_SEVERITY = OneOf("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_CLIENT_AUTH = OneOf("RequireAndVerifyClientCert", "RequireAnyClientCert", "VerifyClientCertIfGiven", "NoClientCert")
_ETCD = "Only the Kubernetes API server is read. Not looked at, as in Typha's own kubernetes mode."
_STDERR = "Logs go to standard error only, one line an event; a container's log is what keeps them."
_LAG = "Nobody is cut for lag: who takes bytes stays, and catches up by key. See ServerWriteTimeoutSecs."

PARAMETERS: Final = (
    Parameter(
        "DatastoreType",
        OneOf("kubernetes", "etcdv3"),
        "etcdv3",
        _REFUSED,
        "`kubernetes` is served. `etcdv3`, also Typha's default, ends the start: there is no etcd client here.",
        is_vital=True,
        may_be_none=False,
    ),
    Parameter("EtcdAddr", Authority(), "127.0.0.1:2379", _NO_EFFECT, _ETCD),
    Parameter("EtcdScheme", OneOf("http", "https"), "http", _NO_EFFECT, _ETCD),
    Parameter("EtcdKeyFile", _EXISTING, "", _NO_EFFECT, _ETCD),
    Parameter("EtcdCertFile", _EXISTING, "", _NO_EFFECT, _ETCD),
    Parameter("EtcdCaFile", _EXISTING, "", _NO_EFFECT, _ETCD),
    Parameter("EtcdEndpoints", EndpointList(), "", _NO_EFFECT, _ETCD),
    Parameter("LogFilePath", File(), "/var/log/calico/typha.log", _NO_EFFECT, _STDERR, is_vital=True),
    Parameter("LogSeverityFile", _SEVERITY, "INFO", _NO_EFFECT, _STDERR),
    Parameter("LogSeverityScreen", _SEVERITY, "INFO", _MAPPED, "`log.level`; CRITICAL and `none` are `error` here."),
    Parameter("LogSeveritySys", _SEVERITY, "INFO", _NO_EFFECT, _STDERR),
    Parameter("HealthEnabled", Bool(), "false", _HONOURED, "Serves /liveness and /readiness."),
    Parameter("HealthHost", HostAddress(), "localhost", _HONOURED, "Where they are served."),
    Parameter("HealthPort", _PORT, "9098", _HONOURED, "Their port; 0 lets the system choose one."),
    Parameter("PrometheusMetricsEnabled", Bool(), "false", _HONOURED, "Serves /metrics with Typha's names."),
    Parameter("PrometheusMetricsHost", HostAddress(), "", _HONOURED, "Where; all addresses by default."),
    Parameter("PrometheusMetricsPort", _PORT, "9093", _HONOURED, "Its port; 0 lets the system choose one."),
    Parameter(
        "PrometheusGoMetricsEnabled",
        Bool(),
        "true",
        _MAPPED,
        "There is no Go here: `python_gc_*` and `python_info` instead of `go_*`.",
    ),
    Parameter("PrometheusProcessMetricsEnabled", Bool(), "true", _HONOURED, "`process_*`, the same names and units."),
    Parameter("PrometheusMetricsCAFile", Text(), "", _HONOURED, "CA of the scraper's certificate, for HTTPS."),
    Parameter("PrometheusMetricsCertFile", Text(), "", _HONOURED, "Certificate; it or the key switches to HTTPS."),
    Parameter("PrometheusMetricsKeyFile", Text(), "", _HONOURED, "Private key of that certificate."),
    Parameter(
        "PrometheusMetricsClientAuth",
        _CLIENT_AUTH,
        "NoClientCert",
        _HONOURED,
        "Client certificates of the metrics port. `RequireAnyClientCert` verifies too: the certificate of a stranger "
        "is refused here.",
    ),
    Parameter(
        "SnapshotCacheMaxBatchSize",
        _COUNT,
        "100",
        _NO_EFFECT,
        "There are no breadcrumbs: a round takes all that changed, and `timing.round_pause_ms` paces it.",
    ),
    Parameter("ServerMaxMessageSize", _COUNT, "100", _HONOURED, "Key-value pairs per message to Calico's agents."),
    Parameter("ServerMaxFallBehindSecs", Seconds(), "300", _NO_EFFECT, _LAG),
    Parameter("ServerNewClientFallBehindGracePeriod", Seconds(), "300", _NO_EFFECT, _LAG),
    Parameter(
        "ServerMinBatchingAgeThresholdSecs",
        Seconds(),
        "0.01",
        _NO_EFFECT,
        "Rounds batch by themselves: one starts when the last has ended, `timing.round_pause_ms` apart at low load.",
    ),
    Parameter(
        "ServerPingIntervalSecs",
        Seconds(),
        "10",
        _HONOURED,
        "To Calico's agents, and `timing.ping_interval_s`. 0 is 10.",
    ),
    Parameter(
        "ServerPongTimeoutSecs",
        Seconds(),
        "60",
        _HONOURED,
        "An agent that answers no ping for so long is cut; at most two ping intervals become six, as in Typha. It does "
        "not run while bytes wait for the agent's socket.",
    ),
    Parameter(
        "ServerHandshakeTimeoutSecs", Seconds(), "10", _HONOURED, "`limits.handshake_timeout_s`, TLS included. 0 is 10."
    ),
    Parameter(
        "ServerWriteTimeoutSecs",
        Seconds(),
        "120",
        _MAPPED,
        "`timing.stuck_timeout_s`: an agent that takes no byte for so long is cut. 0 is 120.",
    ),
    Parameter("ServerPort", _PORT, "0", _MAPPED, "`listen`; 0 is 5473, as in Typha."),
    Parameter("ServerHost", HostAddress(), "", _MAPPED, "`listen`; all addresses by default."),
    Parameter("ServerKeyFile", _EXISTING, "", _HONOURED, "Private key of the agents' port."),
    Parameter("ServerCertFile", _EXISTING, "", _HONOURED, "Certificate of the agents' port."),
    Parameter("CAFile", _EXISTING, "", _HONOURED, "CA of the agents' certificates, which they then must show."),
    Parameter("ClientCN", Text(), "", _HONOURED, "Common name that an agent's certificate must have, or"),
    Parameter("ClientURISAN", Text(), "", _HONOURED, "the URI that must be among its names; either is enough."),
    Parameter("DebugMemoryProfilePath", File(), "", _NO_EFFECT, "A Go heap profile; there is no Go heap here."),
    Parameter("DebugDisableLogDropping", Bool(), "false", _NO_EFFECT, "No log line is ever dropped here."),
    Parameter("DebugHost", HostAddress(), "localhost", _MAPPED, "`admin`, with DebugPort."),
    Parameter("DebugPort", _PORT, "", _MAPPED, "`admin`: /status instead of Go's profiles; 0 is off."),
    Parameter(
        "ConnectionRebalancingMode",
        OneOf("none", "kubernetes"),
        "none",
        _HONOURED,
        "`kubernetes`: counts nodes and Typhas, and sheds connections above the computed limit.",
    ),
    Parameter("ConnectionDropIntervalSecs", Seconds(), "1", _HONOURED, "One connection is shed per interval. 0 is 1."),
    Parameter("ShutdownTimeoutSecs", Seconds(), "300", _MAPPED, "`timing.drain_grace_s`. 0 is 300."),
    Parameter(
        "ShutdownConnectionDropIntervalMaxSecs",
        Seconds(),
        "1",
        _HONOURED,
        "Longest pause between two closes of a drain. 0 is 1.",
    ),
    Parameter(
        "MaxConnectionsUpperLimit",
        _COUNT,
        "10000",
        _HONOURED,
        "Above it connections are shed; none is refused below twice of it (`limits.max_connections`).",
    ),
    Parameter("MaxConnectionsLowerLimit", _COUNT, "400", _HONOURED, "The computed limit is never below it."),
    Parameter("K8sServicePollIntervalSecs", Seconds(), "30", _HONOURED, "How often nodes and Typhas are counted."),
    Parameter("K8sNamespace", Text(), "kube-system", _HONOURED, "Namespace of the Service that has all Typhas."),
    Parameter("K8sServiceName", Text(), "calico-typha", _HONOURED, "Its name."),
    Parameter("K8sPortName", Text(), "calico-typha", _HONOURED, "Its port's name."),
)
"""In the order of Typha's source."""

BY_NAME: Final = {parameter.name.lower(): parameter for parameter in PARAMETERS}
"""Names have no case."""

EARLY_LOG_SEVERITY: Final = "TYPHA_EARLYLOGSEVERITYSCREEN"
"""No parameter, and environment only: Typha's level until its parameters are read."""
EARLY_LOG_SEVERITY_HERE: Final = (
    "What is said about parameters waits until the level is known, and is then written at LogSeverityScreen."
)

ENSURE_INITIALIZED: Final = "TYPHA_ENSUREINITIALIZED"
"""Ours, for the drop-in alone: write ClusterInformation and the default tiers at the start, as Typha always does."""
