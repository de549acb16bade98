"""Typha's parameters -> our `Config`, and `DropIn` for what it has no place for. Pure but for looking at files.

Place: between `load` and `app`; `command` and `typha serve` in Typha's mode call `settings_of`.

1. Typha's own defaults hold: all addresses, port 5473, plain text unless its TLS parameters are set, nothing served
   beside the agents unless it is switched on.
2. Any one TLS parameter of the agents' port that is given, even as a file that is not there, demands all of them: a
   mistake never becomes plain text.
3. What an operator set of our own (`own`: a `Loaded` of our variables alone) goes before what Typha's parameters say.
4. A value beyond the range of our own setting is a warning and the default.
"""

from __future__ import annotations

import dataclasses
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

from typha.config import Config, HostPort, Loaded, Problem
from typha.config.calico_kinds import FirstInterfacePrefix
from typha.config.contradictions import find_contradictions
from typha.config.kinds import WrongValueError
from typha.config.load import DEFAULT, Source
from typha.config.load import settings_of as our_settings
from typha.config.show import value_at
from typha.downstream.tls import TlsFiles
from typha.drop_in import datastore
from typha.drop_in.addresses import every_address
from typha.drop_in.kinds import BadValueError, Bool
from typha.drop_in.load import Parameters
from typha.drop_in.parameters import ENSURE_INITIALIZED
from typha.drop_in.settings import AgentTls, ClientAuth, DropIn, MetricsPort, MetricsTls, Rebalancing
from typha.drop_in.tls import parse_cipher_suites, parse_minimum_version, wanted_names

DEFAULT_PORT: Final = 5473
PLAIN_TEXT: Final = (
    "agents are served in PLAIN TEXT and without asking who they are: whoever reaches the port reads the cluster's "
    "network policy. Set TYPHA_SERVERKEYFILE, TYPHA_SERVERCERTFILE, TYPHA_CAFILE and TYPHA_CLIENTCN (or ...URISAN)"
)
_TLS_FILES: Final = ("ServerKeyFile", "ServerCertFile", "CAFile")
_TLS_IDENTITY: Final = ("ClientCN", "ClientURISAN")
_LEVELS: Final = {
    "DEBUG": "debug",
    "INFO": "info",
    "WARNING": "warning",
    "ERROR": "error",
    "CRITICAL": "error",
    "": "error",
}
# What Typha's server takes where a parameter is zero or below (its own package defaults).
_INSTEAD_OF_ZERO: Final = {
    "ServerPingIntervalSecs": 10.0,
    "ServerHandshakeTimeoutSecs": 10.0,
    "ServerWriteTimeoutSecs": 120.0,
    "ConnectionDropIntervalSecs": 1.0,
    "ShutdownTimeoutSecs": 300.0,
    "ShutdownConnectionDropIntervalMaxSecs": 1.0,
    "K8sServicePollIntervalSecs": 30.0,
    "ServerMaxMessageSize": 100.0,
    "MaxConnectionsUpperLimit": 2.0**31 - 1,
}
_TYPHAS: Final = Source("typha", "Typha's parameters")
_PONG_RATIO: Final = 6
# Typha refuses nobody, and sheds one a second. Files and memory have an end here: it is far above what shedding leaves.
_HARD_LIMIT_RATIO: Final = 2
_MOST_CONNECTIONS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class DropInSettings:
    """What a server in Typha's mode runs with, and what there is to say about it. Nothing runs with ``problems``."""

    loaded: Loaded
    drop_in: DropIn
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def config(self) -> Config:
        """Of ``loaded``, which also has the source of each value (``--print-config``)."""
        return self.loaded.config


def settings_of(parameters: Parameters, environment: Mapping[str, str], own: Loaded | None = None) -> DropInSettings:
    """The settings. ``environment`` for the variables that are no parameters (`datastore`); ``own`` see above."""
    mapping = _Mapping(parameters, environment)
    config = mapping.config()
    drop_in = mapping.drop_in(config)
    if own is not None:
        config = _overlaid(config, own)
    loaded = Loaded(config, _sources(config, own))
    mapping.judge(loaded, drop_in)
    return DropInSettings(
        loaded, drop_in, tuple(parameters.notes), (*parameters.warnings, *mapping.warnings), tuple(mapping.problems)
    )


class _Mapping:
    def __init__(self, parameters: Parameters, environment: Mapping[str, str]) -> None:
        self._parameters = parameters
        self._environment = environment
        self.warnings: list[str] = []
        self.problems: list[Problem] = list(parameters.problems)

    # --- our own configuration

    def config(self) -> Config:
        """`Config` with Typha's defaults and what its parameters say."""
        given, base = self._parameters, Config()
        ping_s = self._positive("ServerPingIntervalSecs", "timing.ping_interval_s")
        files = self._agent_files()
        debug = self._debug()
        return dataclasses.replace(
            base,
            listen=HostPort(given.text("ServerHost") or every_address(), given.whole("ServerPort") or DEFAULT_PORT),
            # Typha's own ports are served instead (`DropIn`); ours only where an operator asks for them.
            health=None,
            admin=debug,
            insecure=files is None or (debug is not None and not debug.is_loopback),
            tls=dataclasses.replace(
                base.tls,
                cert=files.cert if files else None,
                key=files.key if files else None,
                client_ca=files.ca if files else None,
            ),
            limits=dataclasses.replace(
                base.limits,
                # Typha has no limit for one address.
                max_per_address=0,
                max_connections=min(_HARD_LIMIT_RATIO * self._upper_limit(), _MOST_CONNECTIONS),
                handshake_timeout_s=self._positive("ServerHandshakeTimeoutSecs", "limits.handshake_timeout_s"),
            ),
            timing=dataclasses.replace(
                base.timing,
                ping_interval_s=ping_s,
                bookmark_interval_s=min(base.timing.bookmark_interval_s, ping_s),
                stuck_timeout_s=self._positive("ServerWriteTimeoutSecs", "timing.stuck_timeout_s"),
                # Typha moves nobody by age.
                max_age_s=0.0,
                # Nor does it wait before it closes the first connection.
                drain_wait_s=0.0,
                drain_grace_s=self._positive("ShutdownTimeoutSecs", "timing.drain_grace_s"),
            ),
            calico=dataclasses.replace(
                base.calico, use_pod_cidr=self._use_pod_cidr(), interface_prefix=self._interface_prefix()
            ),
            log=dataclasses.replace(base.log, level=_LEVELS[given.text("LogSeverityScreen")]),
        )

    def _debug(self) -> HostPort | None:
        port = self._parameters.whole("DebugPort")
        # Unlike asyncio's, the observers' ports take no empty host; their `::` has both families.
        return HostPort(self._parameters.text("DebugHost") or every_address() or "::", port) if port else None

    def _use_pod_cidr(self) -> bool:
        text = datastore.read(self._environment, "USE_POD_CIDR")
        try:
            return bool(text) and Bool().parse(text)
        except BadValueError as error:
            self.warnings.append(f"environment USE_POD_CIDR = {text!r}: {error}; Calico's IPAM blocks are used")
            return False

    def _interface_prefix(self) -> str:
        text = datastore.read(self._environment, "FELIX_INTERFACEPREFIX")
        default = Config().calico.interface_prefix
        try:
            return str(FirstInterfacePrefix().read(text, text=True)) if text else default
        except WrongValueError as error:
            self.warnings.append(f"environment FELIX_INTERFACEPREFIX = {text!r}: {error}; {default} is taken")
            return default

    # --- what it has no place for

    def drop_in(self, config: Config) -> DropIn:
        """`DropIn`, beside the ``config`` of before."""
        given, timing = self._parameters, config.timing
        pong_s = given.number("ServerPongTimeoutSecs")
        health = HostPort(given.text("HealthHost") or every_address(), given.whole("HealthPort"))
        return DropIn(
            health=health if given.switch("HealthEnabled") else None,
            metrics=self._metrics() if given.switch("PrometheusMetricsEnabled") else None,
            agent_tls=self._agent_tls(),
            ping_interval_s=timing.ping_interval_s,
            pong_timeout_s=pong_s if pong_s > 2 * timing.ping_interval_s else _PONG_RATIO * timing.ping_interval_s,
            max_message_kvs=int(self._or_default("ServerMaxMessageSize")),
            upper_limit=self._upper_limit(),
            rebalancing=self._rebalancing(),
            drop_interval_s=self._or_default("ConnectionDropIntervalSecs"),
            shutdown_timeout_s=timing.drain_grace_s,
            shutdown_drop_interval_max_s=self._or_default("ShutdownConnectionDropIntervalMaxSecs"),
            ensure_initialized=self._ensure_initialized(),
        )

    def _upper_limit(self) -> int:
        return int(self._or_default("MaxConnectionsUpperLimit"))

    def _rebalancing(self) -> Rebalancing | None:
        given = self._parameters
        if given.text("ConnectionRebalancingMode") != "kubernetes":
            return None
        return Rebalancing(
            namespace=given.text("K8sNamespace"),
            service=given.text("K8sServiceName"),
            port_name=given.text("K8sPortName"),
            poll_interval_s=self._or_default("K8sServicePollIntervalSecs"),
            lower_limit=given.whole("MaxConnectionsLowerLimit"),
        )

    def _ensure_initialized(self) -> bool:
        text = self._environment.get(ENSURE_INITIALIZED, "")
        try:
            return bool(text) and Bool().parse(text)
        except BadValueError as error:
            self.warnings.append(f"environment {ENSURE_INITIALIZED} = {text!r}: {error}; nothing is written")
            return False

    def _metrics(self) -> MetricsPort | None:
        given = self._parameters
        if missing := self._missing_for_metrics():
            # Typha goes on without its metrics, and so does whoever swaps the image.
            self.warnings.append(f"metrics are not served: HTTPS needs {' and '.join(missing)}")
            return None
        return MetricsPort(
            HostPort(given.text("PrometheusMetricsHost") or every_address(), given.whole("PrometheusMetricsPort")),
            runtime=given.switch("PrometheusGoMetricsEnabled"),
            process=given.switch("PrometheusProcessMetricsEnabled"),
            tls=self._metrics_tls(),
        )

    def _missing_for_metrics(self) -> list[str]:
        given = self._parameters
        cert, key, ca = (f"PrometheusMetrics{each}File" for each in ("Cert", "Key", "CA"))
        if not given.text(cert) and not given.text(key):
            return []
        needed = [cert, key] + ([ca] if self._client_auth() != "NoClientCert" else [])
        return [name for name in needed if not given.text(name)]

    def _metrics_tls(self) -> MetricsTls | None:
        cert, key, ca = (self._parameters.text(f"PrometheusMetrics{each}File") for each in ("Cert", "Key", "CA"))
        return (
            MetricsTls(Path(cert), Path(key), Path(ca) if ca else None, self._client_auth()) if cert and key else None
        )

    def _client_auth(self) -> ClientAuth:
        wanted = self._parameters.text("PrometheusMetricsClientAuth")
        return next((name for name in get_args(ClientAuth) if name == wanted), "NoClientCert")

    # --- TLS of the agents' port

    def _agent_files(self) -> TlsFiles | None:
        key, cert, ca = (self._parameters.text(name) for name in _TLS_FILES)
        return TlsFiles(Path(cert), Path(key), Path(ca)) if key and cert and ca else None

    def _agent_tls(self) -> AgentTls | None:
        given, files = self._parameters, self._agent_files()
        # A file that was given and does not exist has become its default, which is none: `bad` remembers it.
        named = [name for name in (*_TLS_FILES, *_TLS_IDENTITY) if given.text(name) or name in given.bad]
        if not named:
            return None
        why = f"{named[0]} is set, and TLS needs all of {', '.join(_TLS_FILES)} and one of {', '.join(_TLS_IDENTITY)}"
        for name in _TLS_FILES:
            if not given.text(name):
                self._missing(name, why)
        wanted = wanted_names(given.text("ClientCN"), given.text("ClientURISAN"))
        if not wanted:
            self._missing("ClientCN", why)
        minimum, ciphers = self._versions()
        return None if files is None else AgentTls(files, wanted, minimum, ciphers)

    def _versions(self) -> tuple[ssl.TLSVersion, str]:
        minimum, ciphers = ssl.TLSVersion.TLSv1_2, ""
        try:
            minimum = parse_minimum_version(self._environment.get("TLS_MIN_VERSION", ""))
        except ValueError as error:
            self.problems.append(Problem("TLS_MIN_VERSION", "environment", "", str(error)))
        try:
            choice = parse_cipher_suites(self._environment.get("TLS_CIPHER_SUITES", ""))
            ciphers = choice.openssl
            minimum = ssl.TLSVersion.TLSv1_3 if choice.is_tls13_only else minimum
        except ValueError as error:
            self.problems.append(Problem("TLS_CIPHER_SUITES", "environment", "", str(error)))
        return minimum, ciphers

    # --- judging

    def judge(self, loaded: Loaded, drop_in: DropIn) -> None:
        """What is wrong with the whole."""
        config, sources = loaded
        is_told = any(problem.key == "DatastoreType" for problem in self.problems)
        if self._parameters.text("DatastoreType") != "kubernetes" and not is_told:
            place = self._parameters.given.get("DatastoreType", "not set, and Typha's default is etcdv3")
            reason = "there is no client for an etcd of Calico's own here; the Kubernetes API server is read"
            self.problems.append(Problem("DatastoreType", place, "'etcdv3'", reason, "TYPHA_DATASTORETYPE=kubernetes"))
        self.problems.extend(datastore.problems_of(self._environment))
        self.warnings.extend(datastore.warnings_of(self._environment))
        for name in ("LogFilePath", "LogSeverityFile", "LogSeveritySys"):
            if name in self._parameters.given and self._parameters.text(name):
                place = self._parameters.given[name]
                self.warnings.append(f"{place}: {name}: logs go to standard error only; `none` says so too")
        self._judge_ports(config, drop_in)
        if self.problems:
            return
        self.problems.extend(find_contradictions(config, lambda path: str(sources.get(path, _TYPHAS))))
        if config.tls.cert is None and not config.listen.is_loopback:
            self.warnings.append(PLAIN_TEXT)

    def _judge_ports(self, config: Config, drop_in: DropIn) -> None:
        taken: list[tuple[str, HostPort]] = []
        for name, address in (
            ("ServerPort", config.listen),
            ("HealthPort", drop_in.health),
            ("PrometheusMetricsPort", drop_in.metrics.listen if drop_in.metrics else None),
            ("health", config.health),
            ("admin", config.admin),
        ):
            if address is None:
                continue
            for other, used in taken:
                if address.port == used.port != 0 and address.shares_host_with(used):
                    place = self._parameters.given.get(name, "default")
                    reason = f"is the port of {other} ({used}) too"
                    self.problems.append(Problem(name, place, str(address), reason, "a port of its own"))
            taken.append((name, address))

    def _missing(self, name: str, why: str) -> None:
        place = self._parameters.given.get(name, "not set")
        self.problems.append(Problem(name, place, "", f"is missing or cannot be read: {why}"))

    def _or_default(self, name: str) -> float:
        value = self._parameters.number(name)
        return value if value > 0 else _INSTEAD_OF_ZERO[name]

    def _positive(self, name: str, path: str) -> float:
        """The value within the range of our own setting at ``path``."""
        value = self._or_default(name)
        kind = next(setting.kind for at, setting, _ in our_settings() if at == path)
        try:
            kind.read(value, text=False)
        except WrongValueError:
            default = _INSTEAD_OF_ZERO[name]
            self.warnings.append(
                f"{name} = {value:g}: `{path}` allows {kind.allowed}; the default is taken: {default:g}"
            )
            return default
        return value


def _sources(config: Config, own: Loaded | None) -> dict[str, Source]:
    """Where each value is from; what differs from our own default and nobody set is Typha's."""
    ours = {} if own is None else {path: source for path, source in own.sources.items() if source.kind != DEFAULT.kind}
    return {
        path: ours.get(path) or (DEFAULT if value_at(config, path) == default else _TYPHAS)
        for path, _, default in our_settings()
    }


def _overlaid(config: Config, own: Loaded) -> Config:
    """``config`` with what an operator set of our own."""
    for path, source in own.sources.items():
        if source.kind != DEFAULT.kind:
            stage, _, name = path.rpartition(".")
            value: Any = value_at(own.config, path)
            if stage:
                inner = dataclasses.replace(getattr(config, stage), **{name: value})
                config = dataclasses.replace(config, **{stage: inner})
            else:
                config = dataclasses.replace(config, **{name: value})
    return config
