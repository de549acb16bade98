"""Calico's variables for the way to the API server."""

from __future__ import annotations

from pathlib import Path

import pytest

from typha.drop_in.datastore import VARIABLES, credentials_environment, read, warnings_of, way_to_api_server
from typha.upstream.errors import CredentialsError

# Copied from Calico's reference.
REFERENCE = """
    DATASTORE_TYPE KUBECONFIG K8S_API_ENDPOINT K8S_CERT_FILE K8S_KEY_FILE K8S_CA_FILE K8S_INSECURE_SKIP_TLS_VERIFY
    K8S_CURRENT_CONTEXT K8S_CLIENT_QPS K8S_CLIENT_BURST K8S_DISABLE_NODE_POLL USE_POD_CIDR CALICO_API_GROUP
    ETCD_ENDPOINTS ETCD_DISCOVERY_SRV ETCD_USERNAME ETCD_PASSWORD ETCD_KEY_FILE ETCD_CERT_FILE ETCD_CA_CERT_FILE
    KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT FELIX_INTERFACEPREFIX TLS_CIPHER_SUITES TLS_MIN_VERSION
"""


def test_none_is_missing() -> None:
    names = {name for variable in VARIABLES for name in variable.names}
    assert names == {*REFERENCE.split(), "K8SAPITOKEN"}
    assert all(variable.here for variable in VARIABLES)


def test_the_prefix_goes_first() -> None:
    environment = {"CALICO_KUBECONFIG": "one", "KUBECONFIG": "two", "CALICO_K8S_CA_FILE": "", "K8S_CA_FILE": "ca"}
    assert read(environment, "KUBECONFIG") == "one"
    assert read(environment, "K8S_CA_FILE") == "ca"
    assert read({}, "KUBECONFIG") == ""
    seen = credentials_environment(environment)
    assert (seen["KUBECONFIG"], seen["K8S_CA_FILE"]) == ("one", "ca")


def test_the_token_has_typhas_odd_name() -> None:
    assert credentials_environment({"CALICO_K8SAPITOKEN": "x"})["K8S_TOKEN"] == "x"
    assert "K8S_TOKEN" not in credentials_environment({"K8SAPITOKEN": ""})


async def test_the_check_of_the_certificate_is_on_unless_it_is_turned_off(tmp_path: Path) -> None:
    way = {"CALICO_K8S_API_ENDPOINT": "https://10.0.0.1:6443"}
    assert (await way_to_api_server(way)()).verify_ssl is True
    off = way | {"K8S_INSECURE_SKIP_TLS_VERIFY": "true"}
    configuration = await way_to_api_server(off)()
    assert (configuration.verify_ssl, configuration.host) == (False, "https://10.0.0.1:6443")
    assert "not checked" in next(warnings_of(off))
    bad = way | {"K8S_INSECURE_SKIP_TLS_VERIFY": "on"}
    assert (await way_to_api_server(bad)()).verify_ssl is True
    assert "is checked" in next(warnings_of(bad))
    assert list(warnings_of(way)) == []


def test_etcd_is_refused() -> None:
    with pytest.raises(CredentialsError, match="only 'kubernetes'"):
        way_to_api_server({"DATASTORE_TYPE": "etcdv3"})
