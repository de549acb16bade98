"""The table of parameters is complete, and each row says what an operator needs."""

from __future__ import annotations

import pytest

from typha.drop_in.parameters import BY_NAME, PARAMETERS, Parameter

# Every parameter of Typha with its default, copied from its reference and not from our table.
REFERENCE = {
    "DatastoreType": "etcdv3",
    "EtcdAddr": "127.0.0.1:2379",
    "EtcdScheme": "http",
    "EtcdEndpoints": (),
    "EtcdKeyFile": "",
    "EtcdCertFile": "",
    "EtcdCaFile": "",
    "LogFilePath": "/var/log/calico/typha.log",
    "LogSeverityFile": "INFO",
    "LogSeverityScreen": "INFO",
    "LogSeveritySys": "INFO",
    "HealthEnabled": False,
    "HealthHost": "localhost",
    "HealthPort": 9098,
    "PrometheusMetricsEnabled": False,
    "PrometheusMetricsHost": "",
    "PrometheusMetricsPort": 9093,
    "PrometheusGoMetricsEnabled": True,
    "PrometheusProcessMetricsEnabled": True,
    "PrometheusMetricsCertFile": "",
    "PrometheusMetricsKeyFile": "",
    "PrometheusMetricsCAFile": "",
    "PrometheusMetricsClientAuth": "NoClientCert",
    "SnapshotCacheMaxBatchSize": 100,
    "ServerMaxMessageSize": 100,
    "ServerMaxFallBehindSecs": 300.0,
    "ServerNewClientFallBehindGracePeriod": 300.0,
    "ServerMinBatchingAgeThresholdSecs": 0.01,
    "ServerPingIntervalSecs": 10.0,
    "ServerPongTimeoutSecs": 60.0,
    "ServerHandshakeTimeoutSecs": 10.0,
    "ServerWriteTimeoutSecs": 120.0,
    "ServerPort": 0,
    "ServerHost": "",
    "ServerKeyFile": "",
    "ServerCertFile": "",
    "CAFile": "",
    "ClientCN": "",
    "ClientURISAN": "",
    "ConnectionRebalancingMode": "none",
    "ConnectionDropIntervalSecs": 1.0,
    "MaxConnectionsUpperLimit": 10_000,
    "MaxConnectionsLowerLimit": 400,
    "K8sServicePollIntervalSecs": 30.0,
    "K8sNamespace": "kube-system",
    "K8sServiceName": "calico-typha",
    "K8sPortName": "calico-typha",
    "ShutdownTimeoutSecs": 300.0,
    "ShutdownConnectionDropIntervalMaxSecs": 1.0,
    "DebugMemoryProfilePath": "",
    "DebugDisableLogDropping": False,
    "DebugHost": "localhost",
    "DebugPort": 0,
}


def test_none_is_missing_and_each_has_typhas_default() -> None:
    assert len(REFERENCE) == 53
    assert {parameter.name: parameter.default_value for parameter in PARAMETERS} == REFERENCE


def test_names_have_no_case() -> None:
    assert BY_NAME["healthport"].variable == "TYPHA_HEALTHPORT"
    assert len(BY_NAME) == len(PARAMETERS)


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
def test_each_says_what_becomes_of_it(parameter: Parameter) -> None:
    assert parameter.here
    assert parameter.kind.allowed


def test_the_vital_ones_are_typhas() -> None:
    assert {parameter.name for parameter in PARAMETERS if parameter.is_vital} == {"DatastoreType", "LogFilePath"}
    assert [parameter.name for parameter in PARAMETERS if not parameter.may_be_none] == ["DatastoreType"]
