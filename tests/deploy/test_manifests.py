"""What every way to deploy has in common, and that each fits the configuration that it carries."""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
import yaml

from tests.deploy.cluster import FOREIGN, NEWEST, OLDEST, problems_of
from tests.deploy.generated import DEPLOY, NAMESPACE, files
from tests.deploy.rendering import (
    Manifest,
    configuration,
    configuration_text,
    container_of,
    every,
    find,
    kustomized,
    kustomized_with,
    pod_of,
)
from tests.deploy.variants import variants
from typha.config import Config, load
from typha.config.calico_kinds import BUILT_IN_FEEDS
from typha.feeds.rights import Right, rights_of

DOCKERFILE = DEPLOY / "Dockerfile"
# Time for the last Close to reach agents after the drain (typha.downstream.server).
FAREWELL_S = 5


@pytest.fixture(params=variants())
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return variants()[request.param]()


def config_of(manifests: list[Manifest], folder: Path) -> Config:
    file = folder / "typha.yaml"
    file.write_text(configuration_text(manifests))
    return load(file=file, open_files=False).config


def granted(roles: list[Manifest]) -> set[Right]:
    """Every right of the roles. Fails where one is given twice, or to everything."""
    found: list[Right] = []
    for role in roles:
        for rule in role["rules"]:
            assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"]
            found += [
                Right(group, resource, verb, role["metadata"].get("namespace", ""), name)
                for group in rule["apiGroups"]
                for resource in rule["resources"]
                for name in rule.get("resourceNames", [""])
                for verb in rule["verbs"]
            ]
    assert len(found) == len(set(found))
    return set(found)


def test_generated_files_are_as_their_sources_say() -> None:
    differing = [str(path) for path, text in files() if path.read_text() != text]
    assert not differing, "run `python -m tests.deploy.generated`"


def test_every_file_is_used() -> None:
    """A manifest that no kustomization names would be applied by nobody."""
    for kustomization in DEPLOY.glob("**/kustomization.yaml"):
        named = kustomization.read_text()
        for path in kustomization.parent.iterdir():
            assert path.name in named or path == kustomization, path


@pytest.mark.parametrize("release", [OLDEST, NEWEST])
def test_schemas(manifests: list[Manifest], release: str) -> None:
    assert problems_of(manifests, release) == []


def test_a_wrong_field_is_noticed() -> None:
    manifests = kustomized("base")
    pod_of(manifests)["securitycontext"] = {}
    (problem,) = problems_of(manifests, NEWEST)
    assert "Deployment typha" in problem
    assert "securitycontext" in problem


def test_names_are_unique(manifests: list[Manifest]) -> None:
    assert len(
        {(each["kind"], each["metadata"]["name"], each["metadata"].get("namespace")) for each in manifests}
    ) == len(manifests)
    foreign = {kind for _, _, kind, *_ in FOREIGN}
    cluster_wide = {"Namespace", "ClusterRole", "ClusterRoleBinding", "PriorityClass", "IPPool"}
    for each in manifests:
        assert ("namespace" in each["metadata"]) is (each["kind"] not in cluster_wide), each["kind"]
        assert each["apiVersion"].split("/")[0] in {group for group, *_ in FOREIGN} or each["kind"] not in foreign


def test_configuration_is_valid(manifests: list[Manifest], tmp_path: Path) -> None:
    """Judged by the server itself, with certificates where the Secret would be mounted."""
    file = tmp_path / "typha.yaml"
    file.write_text(configuration_text(manifests))
    if "tls" in configuration(manifests):
        assert {str(Path(path).parent) for path in configuration(manifests)["tls"].values()} == {"/etc/typha/tls"}
        authority = trustme.CA()
        pair = authority.issue_cert("typha.typha-system.svc")
        pair.cert_chain_pems[0].write_to_path(tmp_path / "tls.crt")
        pair.private_key_pem.write_to_path(tmp_path / "tls.key")
        authority.cert_pem.write_to_path(tmp_path / "ca.crt")
        file.write_text(configuration_text(manifests).replace("/etc/typha/tls", str(tmp_path)))
    config = load(file=file).config
    assert config.log.format == "json"
    # What answers questions about agents stays inside the pod (or on its node).
    assert config.admin is not None
    assert config.admin.is_loopback


def test_check_config_takes_the_base(tmp_path: Path) -> None:
    file = tmp_path / "typha.yaml"
    file.write_text(configuration_text(kustomized("base")))
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


def test_rights_are_those_that_the_configuration_needs(manifests: list[Manifest], tmp_path: Path) -> None:
    """Not one resource more, not one verb more."""
    roles = every(manifests, "ClusterRole") + every(manifests, "Role")
    assert granted(roles) == rights_of(config_of(manifests, tmp_path), NAMESPACE)


def test_policy_only_needs_less(tmp_path: Path) -> None:
    """Felix' feed alone; and with host-local addresses nothing of Calico's IPAM."""
    base, less = (
        rights_of(config_of(kustomized(each), tmp_path), NAMESPACE) for each in ("base", "overlays/policy-only")
    )
    assert less < base
    gone = {right.plural for right in base - less}
    assert gone == {"bgpfilters", "blockaffinities", "ipamblocks", "caliconodestatuses"}


def test_all_built_in_feeds_are_served() -> None:
    served = configuration(kustomized("base"))
    assert tuple(served["calico"]["feeds"]) == BUILT_IN_FEEDS
    assert not {"topics", "feeds"} & served.keys()


def test_roles_are_bound_to_the_pods_account(manifests: list[Manifest]) -> None:
    account = find(manifests, "ServiceAccount")["metadata"]
    for role, binding in (("ClusterRole", "ClusterRoleBinding"), ("Role", "RoleBinding")):
        names = {(each["metadata"]["name"], each["metadata"].get("namespace")) for each in every(manifests, role)}
        bound = {(each["roleRef"]["name"], each["metadata"].get("namespace")) for each in every(manifests, binding)}
        assert names == bound
        for each in every(manifests, binding):
            (subject,) = each["subjects"]
            assert (subject["name"], subject["namespace"]) == (account["name"], account["namespace"])
            assert each["roleRef"]["kind"] == role
    pod = pod_of(manifests)
    assert pod["serviceAccountName"] == account["name"]
    assert pod["automountServiceAccountToken"] is True
    assert find(manifests, "ServiceAccount")["automountServiceAccountToken"] is False


def test_ports_match(manifests: list[Manifest], tmp_path: Path) -> None:
    ports = {port["name"]: port["containerPort"] for port in container_of(manifests)["ports"]}
    config = config_of(manifests, tmp_path)
    assert config.health is not None
    assert ports == {"agents": config.listen.port, "health": config.health.port}
    service = find(manifests, "Service")["spec"]
    assert service["clusterIP"] == "None"
    assert {port["targetPort"]: port["port"] for port in service["ports"]} == ports
    exposed = [line.split()[1:] for line in DOCKERFILE.read_text().splitlines() if line.startswith("EXPOSE")]
    assert exposed == [[str(port) for port in ports.values()]]
    for probe, path in (("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
        assert container_of(manifests)[probe]["httpGet"] == {"path": path, "port": "health"}
    for monitor in every(manifests, "PodMonitor"):
        assert [endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]] == ["health"]
    for policy in every(manifests, "NetworkPolicy"):
        (let_in,) = policy["spec"]["ingress"]
        assert [port["port"] for port in let_in["ports"]] == list(ports)


def test_servers_are_told_of_each_other(manifests: list[Manifest], tmp_path: Path) -> None:
    """By the Service's name, which their certificate has, or by its EndpointSlices."""
    service, config = find(manifests, "Service")["metadata"], config_of(manifests, tmp_path)
    if config.replicas.service:
        assert config.replicas.service == service["name"]
        assert config.replicas.port_name in {port["name"] for port in find(manifests, "Service")["spec"]["ports"]}
        return
    (address,) = config.advertise
    assert (address.host, address.port) == (f"{service['name']}.{NAMESPACE}.svc", config.listen.port)


def test_selectors_name_the_pods(manifests: list[Manifest]) -> None:
    deployment = find(manifests, "Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    selectors = [deployment["selector"]["matchLabels"], find(manifests, "Service")["spec"]["selector"]]
    for spread in deployment["template"]["spec"]["topologySpreadConstraints"]:
        selectors.append(spread["labelSelector"]["matchLabels"])
        assert spread["matchLabelKeys"] == ["pod-template-hash"]
    selectors += [each["spec"]["selector"]["matchLabels"] for each in every(manifests, "PodDisruptionBudget")]
    selectors += [each["spec"]["selector"]["matchLabels"] for each in every(manifests, "PodMonitor")]
    for each in every(manifests, "NetworkPolicy"):
        selectors.append(each["spec"]["podSelector"]["matchLabels"])
        selectors += [to["podSelector"]["matchLabels"] for rule in each["spec"]["egress"] for to in rule.get("to", ())]
    assert all(selector == selectors[0] and selector.items() <= labels.items() for selector in selectors)


def test_there_is_time_to_drain(manifests: list[Manifest], tmp_path: Path) -> None:
    grace_s = config_of(manifests, tmp_path).timing.drain_grace_s
    assert pod_of(manifests)["terminationGracePeriodSeconds"] > grace_s + FAREWELL_S
    assert "lifecycle" not in container_of(manifests)


def test_the_pod_is_locked_down(manifests: list[Manifest]) -> None:
    """The Pod Security Standard `restricted` but for the node's network where that is asked for; a read-only root."""
    pod = pod_of(manifests)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container_of(manifests)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    user = next(line for line in DOCKERFILE.read_text().splitlines() if line.startswith("USER"))
    assert user.split()[1].split(":")[0] == str(pod["securityContext"]["runAsUser"])
    host_network = pod.get("hostNetwork", False)
    for namespace in every(manifests, "Namespace"):
        level = namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        assert level == ("privileged" if host_network else "restricted")
    # A policy that governs nothing would only look like protection.
    assert bool(every(manifests, "NetworkPolicy")) is not host_network
    assert pod.get("dnsPolicy", "ClusterFirst") == ("ClusterFirstWithHostNet" if host_network else "ClusterFirst")


def test_files_are_mounted_where_the_configuration_looks(manifests: list[Manifest]) -> None:
    mounts = {mount["name"]: mount for mount in container_of(manifests)["volumeMounts"]}
    assert all(mount["readOnly"] for mount in mounts.values())
    assert container_of(manifests)["args"] == ["serve"]
    # What `kubectl exec` starts in the container reads the same configuration.
    variables = {each["name"]: each["value"] for each in container_of(manifests)["env"]}
    assert variables["TYPHA_CONFIG"] == f"{mounts['config']['mountPath']}/typha.yaml"
    tls = configuration(manifests).get("tls")
    assert ("tls" in mounts) is (tls is not None)
    if tls is not None:
        assert {str(Path(path).parent) for path in tls.values()} == {mounts["tls"]["mountPath"]}
    volumes = {volume["name"]: volume for volume in pod_of(manifests)["volumes"]}
    assert volumes.keys() == mounts.keys()
    for certificate in every(manifests, "Certificate"):
        if not certificate["spec"].get("isCA"):
            assert certificate["spec"]["secretName"] == volumes["tls"]["secret"]["secretName"]
            service = find(manifests, "Service")["metadata"]["name"]
            assert f"{service}.{NAMESPACE}.svc" in certificate["spec"]["dnsNames"]


def test_a_drain_of_a_node_is_never_blocked_for_good(manifests: list[Manifest]) -> None:
    """A budget where there are several servers, none where there is one."""
    deployment = find(manifests, "Deployment")["spec"]
    autoscaled = every(manifests, "HorizontalPodAutoscaler")
    # An autoscaler and a number in the Deployment would fight at each apply.
    assert ("replicas" in deployment) is not bool(autoscaled)
    replicas = autoscaled[0]["spec"]["minReplicas"] if autoscaled else deployment["replicas"]
    budgets = every(manifests, "PodDisruptionBudget")
    assert len(budgets) == (replicas > 1)
    for budget in budgets:
        assert (budget["spec"]["maxUnavailable"], budget["spec"]["unhealthyPodEvictionPolicy"]) == (
            1,
            "IfHealthyBudget",
        )
        assert "minAvailable" not in budget["spec"]


def test_a_rollout_never_stands_still(manifests: list[Manifest]) -> None:
    """One server more comes first; where its node's ports may all be taken, one of the old may go first."""
    deployment = find(manifests, "Deployment")["spec"]
    unavailable = 1 if pod_of(manifests).get("hostNetwork") else 0
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": unavailable}


def test_a_changed_configuration_rolls_the_servers(tmp_path: Path) -> None:
    """kustomize names the ConfigMap by its content; the chart's checksum is in tests of the chart."""
    names = {
        next(each["configMap"]["name"] for each in pod_of(kustomized(folder))["volumes"] if each["name"] == "config")
        for folder in ("base", "overlays/policy-only")
    }
    assert len(names) == 2


def test_the_default_pool() -> None:
    """Where a manifest needs a pool of pod addresses it is Calico's default; no overlay applies one by itself."""
    pool = find(kustomized_with(["networking", "default-pool"]), "IPPool")["spec"]
    assert ipaddress.ip_network(pool["cidr"]) == ipaddress.ip_network("192.168.0.0/16")
    for overlay in DEPLOY.glob("overlays/*/kustomization.yaml"):
        assert "default-pool" not in overlay.read_text()


def test_images_are_one_release() -> None:
    """The tag that the manifests ask for is the one that the Dockerfile's first line builds."""
    tag = container_of(kustomized("base"))["image"]
    assert f"-t {tag} " in DOCKERFILE.read_text().splitlines()[0]
    chart = yaml.safe_load((DEPLOY / "chart/typha/Chart.yaml").read_text())
    assert tag == f"typha:{chart['appVersion']}"
    private = container_of(kustomized("overlays/private-registry"))["image"]
    assert private == f"registry.example.com/infrastructure/{tag}"
