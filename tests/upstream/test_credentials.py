"""Where the API server is and who we are: each source, their precedence, and errors that name what is wrong."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme

from typha.upstream.credentials import CredentialSettings, from_environment, load_configuration
from typha.upstream.errors import CredentialsError


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Certificate, key and CA as files."""
    authority = trustme.CA()
    issued = authority.issue_cert("client")
    paths = {name: str(tmp_path / f"{name}.pem") for name in ("cert", "key", "ca")}
    issued.cert_chain_pems[0].write_to_path(paths["cert"])
    issued.private_key_pem.write_to_path(paths["key"])
    authority.cert_pem.write_to_path(paths["ca"])
    return paths


def write_kubeconfig(path: Path, user: dict[str, Any], *, context: str = "c", insecure: bool = False) -> str:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [
            {
                "name": context,
                "cluster": {"server": "https://from-kubeconfig:6443", "insecure-skip-tls-verify": insecure},
            }
        ],
        "users": [{"name": context, "user": user}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
    }
    path.write_text(json.dumps(config))
    return str(path)


def service_account(tmp_path: Path, files: dict[str, str]) -> Path:
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text("pod-token")
    (folder / "ca.crt").write_text(Path(files["ca"]).read_text())
    return folder


IN_POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


async def test_kubeconfig_alone(tmp_path: Path) -> None:
    settings = from_environment({"KUBECONFIG": write_kubeconfig(tmp_path / "k", {"token": "t"})})
    configuration = await load_configuration(settings)
    assert configuration.host == "https://from-kubeconfig:6443"
    assert configuration.api_key["BearerToken"] == "Bearer t"
    assert configuration.connection_pool_maxsize == 0


async def test_each_k8s_variable_overrides_the_kubeconfig(tmp_path: Path, files: dict[str, str]) -> None:
    kubeconfig = write_kubeconfig(tmp_path / "k", {"token": "t"}, insecure=True)
    plain = await load_configuration(from_environment({"KUBECONFIG": kubeconfig}))
    assert plain.verify_ssl is False
    cases: list[tuple[dict[str, str], dict[str, Any]]] = [
        ({"K8S_API_ENDPOINT": "https://elsewhere:1/"}, {"host": "https://elsewhere:1"}),
        (
            {"K8S_CERT_FILE": files["cert"], "K8S_KEY_FILE": files["key"]},
            {"cert_file": files["cert"], "key_file": files["key"]},
        ),
        ({"K8S_CA_FILE": files["ca"]}, {"ssl_ca_cert": files["ca"], "verify_ssl": True}),
        ({"K8S_TOKEN": "mine"}, {"api_key": {"BearerToken": "Bearer mine"}}),
        ({"K8S_API_ENDPOINT": "", "K8S_TOKEN": ""}, {"host": "https://from-kubeconfig:6443"}),
    ]
    for variables, expected in cases:
        configuration = await load_configuration(from_environment({"KUBECONFIG": kubeconfig, **variables}))
        untouched = {
            name: getattr(plain, name)
            for name in ("host", "cert_file", "key_file", "ssl_ca_cert", "verify_ssl", "api_key")
        }
        assert {name: getattr(configuration, name) for name in untouched} == {**untouched, **expected}


async def test_endpoint_is_enough_without_a_kubeconfig(files: dict[str, str]) -> None:
    configuration = await load_configuration(
        from_environment(
            {
                **IN_POD,
                "K8S_API_ENDPOINT": "10.9.8.7:6443",
                "K8S_CERT_FILE": files["cert"],
                "K8S_KEY_FILE": files["key"],
                "K8S_CA_FILE": files["ca"],
                "K8S_TOKEN": "mine",
            }
        )
    )
    assert configuration.host == "https://10.9.8.7:6443"
    assert (configuration.cert_file, configuration.ssl_ca_cert) == (files["cert"], files["ca"])
    assert configuration.api_key == {"BearerToken": "Bearer mine"}


async def test_in_cluster(tmp_path: Path, files: dict[str, str]) -> None:
    folder = service_account(tmp_path, files)
    settings = CredentialSettings(service=IN_POD, service_account=folder)
    configuration = await load_configuration(settings)
    assert configuration.host == "https://10.0.0.1:443"
    assert configuration.api_key == {"BearerToken": "Bearer pod-token"}
    assert configuration.ssl_ca_cert == str(folder / "ca.crt")
    assert configuration.refresh_api_key_hook is not None


async def test_token_and_ca_override_in_cluster_but_no_client_certificate(
    tmp_path: Path, files: dict[str, str]
) -> None:
    settings = CredentialSettings(
        token="mine",
        ca_file=files["ca"],
        cert_file=files["cert"],
        key_file=files["key"],
        service=IN_POD,
        service_account=service_account(tmp_path, files),
    )
    configuration = await load_configuration(settings)
    assert configuration.api_key == {"BearerToken": "Bearer mine"}
    assert configuration.refresh_api_key_hook is None
    assert configuration.ssl_ca_cert == files["ca"]
    assert configuration.cert_file is None


async def test_the_first_of_several_kubeconfigs_names_the_context(tmp_path: Path) -> None:
    first = write_kubeconfig(tmp_path / "1", {"token": "one"}, context="one")
    second = write_kubeconfig(tmp_path / "2", {"token": "two"}, context="two")
    missing = str(tmp_path / "missing")
    configuration = await load_configuration(from_environment({"KUBECONFIG": f"{missing}:{first}:{second}"}))
    assert configuration.api_key["BearerToken"] == "Bearer one"


async def test_a_given_kubeconfig_goes_before_the_variable(tmp_path: Path) -> None:
    given = write_kubeconfig(tmp_path / "1", {"token": "given"})
    settings = from_environment({"KUBECONFIG": str(tmp_path / "missing")}, kubeconfig=given)
    assert (await load_configuration(settings)).api_key["BearerToken"] == "Bearer given"


def exec_plugin(tmp_path: Path, body: str) -> dict[str, Any]:
    script = tmp_path / "plugin"
    script.write_text(f"#!{sys.executable}\nimport json, os, pathlib, sys\n{body}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(script),
            "args": ["--cluster", "x"],
            "env": [{"name": "PLUGIN_SAYS", "value": "hello"}],
            "interactiveMode": "Never",
        }
    }


GIVE_TOKEN = """
count = pathlib.Path(sys.argv[0] + ".count")
number = len(count.read_text()) + 1 if count.exists() else 1
count.write_text("x" * number)
assert json.loads(os.environ["KUBERNETES_EXEC_INFO"])["kind"] == "ExecCredential"
token = f"{os.environ['PLUGIN_SAYS']}-{sys.argv[2]}-{number}"
api_version = "client.authentication.k8s.io/v1"
print(json.dumps({"apiVersion": api_version, "kind": "ExecCredential", "status": {"token": token}}))
"""


async def test_exec_plugin_runs_at_every_load(tmp_path: Path) -> None:
    kubeconfig = write_kubeconfig(tmp_path / "k", exec_plugin(tmp_path, GIVE_TOKEN))
    settings = from_environment({"KUBECONFIG": kubeconfig})
    tokens = [(await load_configuration(settings)).api_key["BearerToken"] for _ in range(2)]
    assert tokens == ["Bearer hello-x-1", "Bearer hello-x-2"]


async def test_exec_plugin_that_fails_is_a_clear_error(tmp_path: Path) -> None:
    plugin = exec_plugin(tmp_path, "print('no ticket', file=sys.stderr); sys.exit(3)")
    settings = from_environment({"KUBECONFIG": write_kubeconfig(tmp_path / "k", plugin)})
    with pytest.raises(CredentialsError, match=r"context c: exec: process returned 3. no ticket"):
        await load_configuration(settings)


@pytest.mark.parametrize("datastore", ["etcdv3", "Kubernetes", "crd"])
def test_another_datastore_is_refused_and_says_why(datastore: str) -> None:
    with pytest.raises(CredentialsError, match=f"DATASTORE_TYPE is '{datastore}'.*etcd.*unset it"):
        from_environment({"DATASTORE_TYPE": datastore})
    assert from_environment({"DATASTORE_TYPE": "kubernetes"}) == from_environment({})


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({}, "no way to an API server: set KUBECONFIG or K8S_API_ENDPOINT"),
        ({"KUBECONFIG": "/nowhere/k"}, "kubeconfig /nowhere/k: no such file"),
        ({"K8S_API_ENDPOINT": "x", "K8S_CERT_FILE": "/c"}, "K8S_CERT_FILE is set but K8S_KEY_FILE is not"),
        ({"K8S_API_ENDPOINT": "x", "K8S_KEY_FILE": "/k"}, "K8S_KEY_FILE is set but K8S_CERT_FILE is not"),
        ({"K8S_API_ENDPOINT": "x", "K8S_CA_FILE": "/nowhere"}, "K8S_CA_FILE names /nowhere, which is not a file"),
    ],
)
async def test_errors_name_the_variable(environ: dict[str, str], says: str) -> None:
    with pytest.raises(CredentialsError) as caught:
        await load_configuration(from_environment(environ))
    assert says in str(caught.value)


async def test_service_account_that_is_not_mounted(tmp_path: Path) -> None:
    settings = CredentialSettings(service=IN_POD, service_account=tmp_path)
    with pytest.raises(CredentialsError, match=r"in-cluster credentials in .*automountServiceAccountToken"):
        await load_configuration(settings)


@pytest.mark.parametrize("text", ["", "[]", "a: [", "current-context: c", "kind: Config"])
async def test_broken_kubeconfigs(tmp_path: Path, text: str) -> None:
    path = tmp_path / "k"
    path.write_text(text)
    with pytest.raises(CredentialsError, match=f"kubeconfig {path}"):
        await load_configuration(from_environment({"KUBECONFIG": str(path)}))


def test_no_secret_in_repr() -> None:
    assert "hidden" not in repr(from_environment({"K8S_TOKEN": "hidden"}))
