"""The manifests fit each other and the configuration that they carry."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from tests.deploy.manifests import BASE, configuration_text, container, find, load
from typha.config.calico_kinds import BUILT_IN_FEEDS
from typha.feeds import Feeds
from typha.feeds.calico import calico_feeds
from typha.upstream.resources import ResourceName

DOCKERFILE = BASE.parent / "Dockerfile"
# Time for the last Close to reach agents after the drain (typha.downstream.server).
FAREWELL_S = 5


@pytest.fixture
def configuration() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load(configuration_text())
    return parsed


def test_every_file_is_listed() -> None:
    listed = set(yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"])
    assert listed == {path.name for path in BASE.glob("*.yaml")} - {"kustomization.yaml"}
    assert len({(manifest["kind"], manifest["metadata"]["name"]) for manifest in load()}) == len(load())


def test_configuration_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "typha.yaml"
    file.write_text(configuration_text())
    authority = trustme.CA()
    pair = authority.issue_cert("typha.typha-system.svc")
    settings = {"CERT": tmp_path / "tls.crt", "KEY": tmp_path / "tls.key", "CLIENT_CA": tmp_path / "ca.crt"}
    pair.cert_chain_pems[0].write_to_path(settings["CERT"])
    pair.private_key_pem.write_to_path(settings["KEY"])
    authority.cert_pem.write_to_path(settings["CLIENT_CA"])
    done = subprocess.run(
        [sys.executable, "-m", "typha", "serve", "--check-config", "--config", str(file)],
        env=os.environ | {f"TYPHA_TLS_{name}": str(path) for name, path in settings.items()},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "the configuration is valid" in done.stderr


def needed_rights(feeds: Feeds) -> set[tuple[str, str, str, str]]:
    """(group, plural, name, verb) of everything that the topics of the feeds are made of, under either name."""
    needed = {("", "namespaces", "kube-system", "get")}
    for source in feeds.sources():
        name: ResourceName | None = source.resource
        while name is not None:
            needed |= {(name.group, name.plural, "", verb) for verb in ("list", "watch")}
            name = name.otherwise
    return needed


def test_rights_are_those_that_the_feeds_need(configuration: dict[str, Any]) -> None:
    """Not one resource more, not one verb more: list and watch of each resource, get of kube-system."""
    granted: list[tuple[str, str, str, str]] = []
    for rule in find("ClusterRole")["rules"]:
        assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"]
        granted += [
            (group, resource, name, verb)
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for name in rule.get("resourceNames", [""])
            for verb in rule["verbs"]
        ]
    assert len(granted) == len(set(granted))
    assert set(granted) == needed_rights(calico_feeds(configuration["calico"]["feeds"]))


def test_the_same_rights_do_for_host_local_addresses() -> None:
    """With `calico.use_pod_cidr` nothing is needed that is not granted already."""
    assert needed_rights(calico_feeds(use_pod_cidr=True)) < needed_rights(calico_feeds())


def test_all_built_in_feeds_are_served(configuration: dict[str, Any]) -> None:
    assert tuple(configuration["calico"]["feeds"]) == BUILT_IN_FEEDS
    assert not {"topics", "feeds"} & configuration.keys()


def test_the_role_is_bound_to_the_pods_account() -> None:
    binding, account = find("ClusterRoleBinding"), find("ServiceAccount")
    assert binding["roleRef"]["name"] == find("ClusterRole")["metadata"]["name"]
    (subject,) = binding["subjects"]
    assert (subject["name"], subject["namespace"]) == (account["metadata"]["name"], account["metadata"]["namespace"])
    pod = find("Deployment")["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == account["metadata"]["name"]
    assert pod["automountServiceAccountToken"] is True


def test_ports_match(configuration: dict[str, Any]) -> None:
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert ports == {
        "agents": int(configuration["listen"].rpartition(":")[2]),
        "health": int(configuration["health"].rpartition(":")[2]),
    }
    # What answers questions about agents stays inside the pod.
    assert configuration["admin"].startswith("127.0.0.1:")
    service = find("Service")["spec"]
    assert service["clusterIP"] == "None"
    assert {port["targetPort"]: port["port"] for port in service["ports"]} == ports
    exposed = [line.split()[1:] for line in DOCKERFILE.read_text().splitlines() if line.startswith("EXPOSE")]
    assert exposed == [[str(port) for port in ports.values()]]
    for probe, path in (("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
        assert container()[probe]["httpGet"] == {"path": path, "port": "health"}


def test_selectors_name_the_pods() -> None:
    deployment = find("Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    (spread,) = deployment["template"]["spec"]["topologySpreadConstraints"]
    selectors = [
        deployment["selector"]["matchLabels"],
        spread["labelSelector"]["matchLabels"],
        find("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        find("Service")["spec"]["selector"],
    ]
    assert all(selector == labels for selector in selectors)


def test_there_is_time_to_drain(configuration: dict[str, Any]) -> None:
    pod = find("Deployment")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > configuration["timing"]["drain_grace_s"] + FAREWELL_S
    assert "lifecycle" not in container()


def test_the_pod_is_locked_down() -> None:
    """The Pod Security Standard `restricted`, which the namespace enforces, and a read-only root."""
    pod = find("Deployment")["spec"]["template"]["spec"]
    assert find("Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    user = next(line for line in DOCKERFILE.read_text().splitlines() if line.startswith("USER"))
    assert user.split()[1].split(":")[0] == str(pod["securityContext"]["runAsUser"])


def test_files_are_mounted_where_the_configuration_looks(configuration: dict[str, Any]) -> None:
    mounts = {mount["name"]: mount for mount in container()["volumeMounts"]}
    assert all(mount["readOnly"] for mount in mounts.values())
    assert container()["args"] == ["serve", "--config", f"{mounts['config']['mountPath']}/typha.yaml"]
    assert {str(Path(path).parent) for path in configuration["tls"].values()} == {mounts["tls"]["mountPath"]}
    volumes = {volume["name"]: volume for volume in find("Deployment")["spec"]["template"]["spec"]["volumes"]}
    assert volumes.keys() == mounts.keys()
    assert volumes["config"]["configMap"]["name"] == find("ConfigMap")["metadata"]["name"]


def test_a_drain_of_a_node_is_never_blocked_for_good() -> None:
    budget = find("PodDisruptionBudget")["spec"]
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "IfHealthyBudget")
    assert "minAvailable" not in budget
    assert find("Deployment")["spec"]["replicas"] > 1
