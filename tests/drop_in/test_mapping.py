"""Typha's defaults and parameters as our settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kit.pems import authority
from typha.config import Config, ConfigError, HostPort, load
from typha.downstream.tls import TlsFiles
from typha.drop_in.addresses import every_address
from typha.drop_in.load import load_parameters, split_environment
from typha.drop_in.mapping import PLAIN_TEXT, DropInSettings, settings_of
from typha.drop_in.settings import DropIn, MetricsPort, MetricsTls, Rebalancing
from typha.drop_in.tls import wanted_names
from typha.observe.ports import listen

KUBERNETES = {"TYPHA_DATASTORETYPE": "kubernetes"}
# Of Calico's manifest.
MANIFEST = KUBERNETES | {
    "TYPHA_LOGSEVERITYSCREEN": "info",
    "TYPHA_LOGFILEPATH": "none",
    "TYPHA_LOGSEVERITYSYS": "none",
    "TYPHA_CONNECTIONREBALANCINGMODE": "kubernetes",
    "TYPHA_HEALTHENABLED": "true",
    "TYPHA_SHUTDOWNTIMEOUTSECS": "300",
}


def mapped(environment: Mapping[str, str], file: Path | None = None) -> DropInSettings:
    typhas, ours = split_environment(environment)
    own = load(environment=ours) if ours else None
    return settings_of(load_parameters(typhas, file), environment, own)


def valid(environment: dict[str, str]) -> DropInSettings:
    found = mapped(KUBERNETES | environment)
    assert not found.problems
    return found


def test_typhas_defaults_hold() -> None:
    found = valid({})
    config, ours = found.config, Config()
    assert config == replace(
        ours,
        listen=HostPort(every_address(), 5473),
        health=None,
        admin=None,
        insecure=True,
        limits=replace(ours.limits, max_connections=20_000, max_per_address=0),
        timing=replace(ours.timing, ping_interval_s=10.0, max_age_s=0.0, drain_wait_s=0.0, drain_grace_s=300.0),
    )
    assert found.drop_in == DropIn()
    assert found.warnings == (PLAIN_TEXT,)


def test_calicos_manifest() -> None:
    found = mapped(MANIFEST)
    assert not found.problems
    assert found.drop_in.health == HostPort("localhost", 9098)
    assert found.drop_in.rebalancing == Rebalancing()
    assert found.config.log.level == "info"
    assert found.warnings == (PLAIN_TEXT,)


@pytest.mark.parametrize("given", [{}, {"TYPHA_DATASTORETYPE": "etcdv3"}, {"TYPHA_DATASTORETYPE": "mysql"}])
def test_etcd_is_refused_with_the_reason(given: Mapping[str, str]) -> None:
    (problem,) = mapped(given).problems
    assert problem.key == "DatastoreType"
    assert "kubernetes" in problem.allowed


def test_the_datastore_of_calicos_other_variables_must_agree() -> None:
    for environment in (
        {"DATASTORE_TYPE": "etcdv3"},
        {"CALICO_DATASTORE_TYPE": "etcdv3", "DATASTORE_TYPE": "kubernetes"},
        {"ETCD_ENDPOINTS": "http://etcd:2379"},
        {"K8S_CURRENT_CONTEXT": "other"},
    ):
        assert len(mapped(KUBERNETES | environment).problems) == 1, environment
    valid({"ETCD_ENDPOINTS": "http://etcd:2379", "DATASTORE_TYPE": "kubernetes", "ETCD_USERNAME": "x"})


def test_ports_and_times() -> None:
    found = valid(
        {
            "TYPHA_SERVERHOST": "10.0.0.1",
            "TYPHA_SERVERPORT": "5000",
            "TYPHA_SERVERPINGINTERVALSECS": "5",
            "TYPHA_SERVERPONGTIMEOUTSECS": "11",
            "TYPHA_SERVERHANDSHAKETIMEOUTSECS": "3",
            "TYPHA_SERVERWRITETIMEOUTSECS": "60",
            "TYPHA_SERVERMAXMESSAGESIZE": "7",
            "TYPHA_SHUTDOWNTIMEOUTSECS": "30",
            "TYPHA_SHUTDOWNCONNECTIONDROPINTERVALMAXSECS": "0.5",
            "TYPHA_CONNECTIONDROPINTERVALSECS": "2",
            "TYPHA_MAXCONNECTIONSUPPERLIMIT": "100",
            "TYPHA_LOGSEVERITYSCREEN": "critical",
            "TYPHA_DEBUGPORT": "6060",
        }
    )
    config, drop_in = found.config, found.drop_in
    assert config.listen == HostPort("10.0.0.1", 5000)
    assert (config.timing.ping_interval_s, config.timing.bookmark_interval_s) == (5.0, 5.0)
    assert config.limits.handshake_timeout_s == 3.0
    assert config.timing.stuck_timeout_s == 60.0
    assert config.timing.drain_grace_s == drop_in.shutdown_timeout_s == 30.0
    assert config.limits.max_connections == 200
    assert config.log.level == "error"
    assert config.admin == HostPort("localhost", 6060)
    assert (drop_in.ping_interval_s, drop_in.pong_timeout_s) == (5.0, 11.0)
    assert (drop_in.max_message_kvs, drop_in.upper_limit) == (7, 100)
    assert (drop_in.drop_interval_s, drop_in.shutdown_drop_interval_max_s) == (2.0, 0.5)


@pytest.mark.parametrize("pong", ["20", "0", "none", "-1"])
def test_a_pong_timeout_of_two_pings_becomes_six(pong: str) -> None:
    assert valid({"TYPHA_SERVERPONGTIMEOUTSECS": pong}).drop_in.pong_timeout_s == 60.0
    assert (
        valid({"TYPHA_SERVERPINGINTERVALSECS": "11", "TYPHA_SERVERPONGTIMEOUTSECS": pong}).drop_in.pong_timeout_s == 66
    )


def test_zero_is_what_typhas_server_takes_instead() -> None:
    names = ["SERVERPINGINTERVALSECS", "SERVERHANDSHAKETIMEOUTSECS", "SERVERWRITETIMEOUTSECS", "SERVERMAXMESSAGESIZE"]
    names += ("CONNECTIONDROPINTERVALSECS", "SHUTDOWNTIMEOUTSECS", "SHUTDOWNCONNECTIONDROPINTERVALMAXSECS")
    zeros = valid({f"TYPHA_{name}": "none" for name in names})
    assert (zeros.config, zeros.drop_in) == (valid({}).config, valid({}).drop_in)
    assert zeros.warnings == (PLAIN_TEXT,)


def test_no_upper_limit_is_a_million_here() -> None:
    found = valid({"TYPHA_MAXCONNECTIONSUPPERLIMIT": "none"})
    assert found.config.limits.max_connections == 1_000_000
    assert found.drop_in.upper_limit == 2**31 - 1


def test_a_value_beyond_our_range_is_a_warning_and_the_default() -> None:
    found = valid({"TYPHA_SERVERPINGINTERVALSECS": "7200"})
    assert found.config.timing.ping_interval_s == 10.0
    assert len(found.warnings) == 2
    assert "ServerPingIntervalSecs = 7200" in found.warnings[0]


def test_the_variables_that_are_no_parameters() -> None:
    calico = valid({"USE_POD_CIDR": "true", "FELIX_INTERFACEPREFIX": "azv,cali"}).config.calico
    assert (calico.use_pod_cidr, calico.interface_prefix) == (True, "azv")
    assert valid({"CALICO_USE_POD_CIDR": "1", "USE_POD_CIDR": "false"}).config.calico.use_pod_cidr
    bad = valid({"USE_POD_CIDR": "maybe", "FELIX_INTERFACEPREFIX": "/"})
    assert bad.config.calico == Config().calico
    assert len(bad.warnings) == 3


def test_the_switch_of_writing_is_off_unless_it_is_on() -> None:
    assert not valid({}).drop_in.ensure_initialized
    assert valid({"TYPHA_ENSUREINITIALIZED": "true"}).drop_in.ensure_initialized
    bad = valid({"TYPHA_ENSUREINITIALIZED": "on"})
    assert not bad.drop_in.ensure_initialized
    assert len(bad.warnings) == 2


def test_what_an_operator_sets_of_ours_goes_first() -> None:
    found = valid({"TYPHA_TIMING_PING_INTERVAL_S": "20", "TYPHA_ADMIN": "127.0.0.1:9096", "TYPHA_LIFE": "two"})
    assert found.config.timing.ping_interval_s == 20.0
    assert found.config.admin == HostPort("127.0.0.1", 9096)
    assert found.config.life == "two"
    assert found.config.timing.drain_grace_s == 300.0


def test_each_value_has_its_source() -> None:
    sources = valid({"TYPHA_LIFE": "two", "TYPHA_SHUTDOWNTIMEOUTSECS": "30"}).loaded.sources
    assert str(sources["life"]) == "environment TYPHA_LIFE"
    assert str(sources["timing.drain_grace_s"]) == "Typha's parameters"
    assert str(sources["timing.stale_after_s"]) == "default"
    assert sources.keys() == load().sources.keys()


def test_topics_of_our_own_that_are_wrong_end_the_start(tmp_path: Path) -> None:
    file = tmp_path / "typha.yaml"
    file.write_text("feeds: {mine: [pods]}\n")
    with pytest.raises(ConfigError, match=r"typha\.yaml:1"):
        mapped(KUBERNETES | {"TYPHA_CONFIG": str(file)})


def test_ports_that_clash_end_the_start() -> None:
    clash = {"TYPHA_HEALTHENABLED": "1", "TYPHA_HEALTHPORT": "5473"}
    (problem,) = mapped(KUBERNETES | clash).problems
    assert (problem.key, problem.value) == ("HealthPort", "localhost:5473")
    (problem,) = mapped(KUBERNETES | {"TYPHA_DEBUGPORT": "5473"}).problems
    assert problem.key == "admin"


# --- TLS of the agents' port


def tls_environment(files: TlsFiles) -> dict[str, str]:
    given = {"TYPHA_SERVERKEYFILE": files.key, "TYPHA_SERVERCERTFILE": files.cert, "TYPHA_CAFILE": files.ca}
    return {name: str(path) for name, path in given.items()}


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    return authority(tmp_path / "pki").issue("server")


def test_tls(files: TlsFiles) -> None:
    given = tls_environment(files) | {"TYPHA_CLIENTCN": "felix", "TYPHA_CLIENTURISAN": "spiffe://x"}
    found = valid(given | {"TLS_MIN_VERSION": "1.3", "TLS_CIPHER_SUITES": "TLS_AES_128_GCM_SHA256"})
    assert found.drop_in.agent_tls is not None
    assert found.drop_in.agent_tls.files == files
    assert found.drop_in.agent_tls.wanted == wanted_names("felix", "spiffe://x")
    assert found.drop_in.agent_tls.minimum.name == "TLSv1_3"
    assert (found.config.tls.cert, found.config.tls.key, found.config.tls.client_ca) == (
        files.cert,
        files.key,
        files.ca,
    )
    assert not found.config.insecure
    assert not found.warnings


@pytest.mark.parametrize("missing", ["TYPHA_SERVERKEYFILE", "TYPHA_SERVERCERTFILE", "TYPHA_CAFILE", "TYPHA_CLIENTCN"])
@pytest.mark.parametrize("how", ["unset", "no such file"])
def test_one_tls_parameter_demands_all(files: TlsFiles, missing: str, how: str) -> None:
    given = tls_environment(files) | {"TYPHA_CLIENTCN": "felix"}
    if how == "unset":
        del given[missing]
    elif missing == "TYPHA_CLIENTCN":
        given[missing] = "none"
    else:
        given[missing] = "/no/such/file"
    (problem,) = mapped(KUBERNETES | given).problems
    assert problem.key.upper() == missing.removeprefix("TYPHA_")


def test_a_debug_port_beyond_loopback_is_what_it_is_in_typha(files: TlsFiles) -> None:
    debug = {"TYPHA_DEBUGHOST": "0.0.0.0", "TYPHA_DEBUGPORT": "6060"}
    found = valid(tls_environment(files) | {"TYPHA_CLIENTCN": "felix"} | debug)
    assert found.config.admin == HostPort("0.0.0.0", 6060)
    assert found.drop_in.agent_tls is not None


def test_a_debug_host_of_none_is_every_address() -> None:
    """It could not be bound: the observers' ports take no empty host."""
    admin = valid(KUBERNETES | {"TYPHA_DEBUGHOST": "none", "TYPHA_DEBUGPORT": "6060"}).config.admin
    assert admin is not None
    listen("admin", HostPort(admin.host, 0)).close()


def test_files_that_are_all_missing_never_mean_plain_text() -> None:
    given = {f"TYPHA_{name}": "/no/such/file" for name in ("SERVERKEYFILE", "SERVERCERTFILE", "CAFILE")}
    found = mapped(KUBERNETES | given)
    assert {problem.key for problem in found.problems} == {"ServerKeyFile", "ServerCertFile", "CAFile", "ClientCN"}
    assert PLAIN_TEXT not in found.warnings


@pytest.mark.parametrize("bad", [{"TLS_MIN_VERSION": "1.0"}, {"TLS_CIPHER_SUITES": "x"}])
def test_bad_versions_and_suites_end_the_start(files: TlsFiles, bad: dict[str, str]) -> None:
    (problem,) = mapped(KUBERNETES | tls_environment(files) | {"TYPHA_CLIENTCN": "felix"} | bad).problems
    assert problem.key == next(iter(bad))


# --- the metrics port


def test_metrics() -> None:
    found = valid({"TYPHA_PROMETHEUSMETRICSENABLED": "true", "TYPHA_PROMETHEUSGOMETRICSENABLED": "false"})
    assert found.drop_in.metrics == MetricsPort(HostPort(every_address(), 9093), runtime=False)


def test_metrics_over_https(files: TlsFiles) -> None:
    given = {
        "TYPHA_PROMETHEUSMETRICSENABLED": "true",
        "TYPHA_PROMETHEUSMETRICSHOST": "10.0.0.1",
        "TYPHA_PROMETHEUSMETRICSPORT": "9999",
        "TYPHA_PROMETHEUSMETRICSCERTFILE": str(files.cert),
        "TYPHA_PROMETHEUSMETRICSKEYFILE": str(files.key),
        "TYPHA_PROMETHEUSMETRICSCAFILE": str(files.ca),
        "TYPHA_PROMETHEUSMETRICSCLIENTAUTH": "requireandverifyclientcert",
    }
    found = valid(given)
    tls = MetricsTls(files.cert, files.key, files.ca, "RequireAndVerifyClientCert")
    assert found.drop_in.metrics == MetricsPort(HostPort("10.0.0.1", 9999), tls=tls)
    for missing in ("CERTFILE", "KEYFILE", "CAFILE"):
        without = {name: text for name, text in given.items() if not name.endswith(f"METRICS{missing}")}
        found = valid(without)
        assert found.drop_in.metrics is None
        assert any("metrics are not served" in warning for warning in found.warnings)


def test_logs_to_files_are_said_to_go_nowhere() -> None:
    found = valid({"TYPHA_LOGFILEPATH": "/var/log/x", "TYPHA_LOGSEVERITYFILE": "debug", "TYPHA_LOGSEVERITYSYS": "none"})
    assert sum("standard error" in warning for warning in found.warnings) == 2
