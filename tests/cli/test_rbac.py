"""`typha rbac`: roles as manifests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Run
from typha.config import Config
from typha.feeds.rights import rights_of

TOPICS = """\
listen: 0.0.0.0:5473
tls: {cert: /nowhere/tls.crt, key: /nowhere/tls.key}
topics:
  pods: {resource: v1/pods, namespace: a}
  certs: {resource: example.com/v1/certs}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "typha.yaml"
    path.write_text(TOPICS)
    return path


def test_roles_of_a_file_whose_certificates_are_elsewhere(run: Run, file: Path) -> None:
    result = run("rbac", "--config", str(file))
    assert result.exit_code == 0, result.output
    cluster_role, role = yaml.safe_load_all(result.stdout)
    assert cluster_role["metadata"] == {"name": "typha"}
    assert cluster_role["rules"] == [
        {"apiGroups": [""], "resources": ["namespaces"], "resourceNames": ["kube-system"], "verbs": ["get"]},
        {"apiGroups": ["example.com"], "resources": ["certs"], "verbs": ["list", "watch"]},
    ]
    assert (role["kind"], role["metadata"]) == ("Role", {"name": "typha", "namespace": "a"})
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}]


def test_bindings_for_an_account(run: Run, file: Path) -> None:
    result = run("rbac", "-c", str(file), "--name", "agents", "--account", "net/server", "-o", "json")
    page = json.loads(result.stdout)
    assert (page["kind"], [each["kind"] for each in page["items"]]) == (
        "List",
        ["ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"],
    )
    assert {each["metadata"]["name"] for each in page["items"]} == {"agents"}
    for role, binding in zip(page["items"][:2], page["items"][2:], strict=True):
        assert binding["metadata"] == role["metadata"]
        assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) == (role["kind"], "agents")
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "server", "namespace": "net"}]


def test_without_a_file_the_built_in_feeds(run: Run) -> None:
    (role,) = yaml.safe_load_all(run("rbac").stdout)
    listed = {
        (group, resource)
        for rule in role["rules"]
        if "list" in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert listed == {(right.group, right.plural) for right in rights_of(Config(), "") if right.verb == "list"}


@pytest.mark.parametrize("account", ["typha", "/typha", "a/", "a/b/c"])
def test_wrong_account_is_2(run: Run, account: str) -> None:
    result = run("rbac", "--account", account)
    assert result.exit_code == 2
    assert f"error: --account {account!r} is no NAMESPACE/NAME" in result.stderr


def test_wrong_configuration_is_2(run: Run, file: Path) -> None:
    file.write_text(TOPICS.replace("v1/pods", "v1/Pods"))
    result = run("rbac", "-c", str(file))
    assert result.exit_code == 2
    assert "topics.pods.resource = 'v1/Pods'" in result.stderr
    assert "nowhere" not in result.stderr


def test_the_other_servers_need_the_own_namespace(run: Run, file: Path) -> None:
    file.write_text(TOPICS + "replicas: {service: typha}\n")
    result = run("rbac", "-c", str(file))
    assert result.exit_code == 2
    assert "hint: --account NAMESPACE/NAME, or replicas.namespace" in result.stderr
    roles = list(yaml.safe_load_all(run("rbac", "-c", str(file), "--account", "net/server").stdout))
    (own,) = (role for role in roles if role["kind"] == "Role" and role["metadata"]["namespace"] == "net")
    assert own["rules"] == [{"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]}]
