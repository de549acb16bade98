"""What agents are sent when an object changes, and what is sent nothing (rules 4.9 order, 4.4.6, 4.4.7)."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.corpus.converters import CALICO
from tests.corpus.garbling import garbled
from tests.corpus.recording import normalised
from tests.corpus.replicas import Source, World
from tests.corpus.resources import Json, name_of

PODS, NODES, SERVICES = ("", "pods"), ("", "nodes"), ("", "services")
KUBERNETES_POLICIES = ("networking.k8s.io", "networkpolicies")
WEB = "/calico/v1/host/n1/workload/k8s/a%2fweb/endpoint/eth0"


def crd(kind: str, name: str, namespace: str = "", **spec: Any) -> Json:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "crd.projectcalico.org/v1", "kind": kind, "metadata": metadata, "spec": spec}


def pod(ip: str = "", phase: str = "Running", **annotations: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "a", "labels": {"app": "web"}, "annotations": annotations},
        "spec": {"nodeName": "n1", "containers": [{"name": "main", "image": "i"}]},
        "status": {"phase": phase, **({"podIP": ip, "podIPs": [{"ip": ip}]} if ip else {})},
    }


def node(**annotations: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": "n1",
            "labels": {"zone": "a"},
            "annotations": {f"projectcalico.org/{name}": value for name, value in annotations.items()},
        },
        "spec": {},
        "status": {"addresses": [{"type": "InternalIP", "address": "192.168.0.1"}], "conditions": []},
    }


class Story:
    """A world in which each step tells what it sent."""

    def __init__(self, source: Source) -> None:
        self.world = World(source)

    def put(self, written: Json) -> dict[str, str]:
        before = self.world.rv
        self.world.put(normalised(written, 1))
        return self.world.watching.since(before)

    def delete(self, written: Json) -> dict[str, str]:
        before = self.world.rv
        self.world.delete(name_of(written))
        return self.world.watching.since(before)

    def value(self, topic: str, key: str) -> Any:
        return msgspec.msgpack.decode(self.world.watching.topics[topic].log.entries[key].value)

    def quarantined(self, topic: str) -> list[str]:
        return self.world.watching.quarantined()[topic]


def test_pod_gets_an_ip_and_completes() -> None:
    story = Story(PODS)
    assert story.put(pod(phase="Pending")) == {}
    assert story.put(pod("10.0.0.7")) == {WEB: "put"}
    assert story.value("workloadendpoints", WEB)["ipv4_nets"] == ["10.0.0.7/32"]
    assert story.put(pod("10.0.0.7", "Succeeded")) == {WEB: "delete"}
    assert story.delete(pod("10.0.0.7", "Succeeded")) == {}


def test_pod_is_deleted() -> None:
    story = Story(PODS)
    story.put(pod("10.0.0.7"))
    assert story.delete(pod("10.0.0.7")) == {WEB: "delete"}


def test_pod_that_never_had_an_endpoint_is_deleted_in_silence() -> None:
    story = Story(PODS)
    story.put(pod(phase="Pending"))
    assert story.delete(pod(phase="Pending")) == {}


def test_pod_status_that_does_not_matter() -> None:
    story = Story(PODS)
    story.put(pod("10.0.0.7"))
    changed = pod("10.0.0.7")
    changed["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    changed["metadata"]["annotations"] = {"example.com/beat": "2"}
    changed["metadata"]["managedFields"] = [{"manager": "kubelet"}]
    assert story.put(changed) == {}


def test_pod_is_quarantined_and_comes_back() -> None:
    story = Story(PODS)
    story.put(pod("10.0.0.7"))
    assert story.put(pod("10.0.0.7", **{"cni.projectcalico.org/floatingIPs": "no JSON"})) == {WEB: "delete"}
    assert story.quarantined("workloadendpoints") == ["a/web"]
    assert story.put(pod("10.0.0.7")) == {WEB: "put"}
    assert story.quarantined("workloadendpoints") == []


def test_quarantined_pod_is_deleted() -> None:
    story = Story(PODS)
    bad = pod("10.0.0.7", **{"cni.projectcalico.org/floatingIPs": "no JSON"})
    assert story.put(bad) == {}
    assert story.delete(bad) == {}
    assert story.quarantined("workloadendpoints") == []


def test_policy_is_edited() -> None:
    story = Story((CALICO, "globalnetworkpolicies"))
    key = "/calico/v1/policy/GlobalNetworkPolicy//p"
    assert story.put(crd("GlobalNetworkPolicy", "p", selector="a == 'b'", order=1)) == {key: "put"}
    assert story.put(crd("GlobalNetworkPolicy", "p", selector="a == 'b'", order=1)) == {}
    assert story.put(crd("GlobalNetworkPolicy", "p", selector="a == 'c'", order=1)) == {key: "put"}
    assert story.put(crd("GlobalNetworkPolicy", "p", selector="a ==", order=1)) == {key: "delete"}
    assert story.quarantined("globalnetworkpolicies") == ["p"]
    assert story.put(crd("GlobalNetworkPolicy", "p", selector="a == 'c'", order=1)) == {key: "put"}
    assert story.delete(crd("GlobalNetworkPolicy", "p")) == {key: "delete"}


def test_labels_of_a_kubernetes_policy_send_nothing() -> None:
    story = Story(KUBERNETES_POLICIES)
    policy: Json = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "p", "namespace": "a"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }
    key = "/calico/v1/policy/KubernetesNetworkPolicy/a/p"
    assert story.put(policy) == {key: "put"}
    assert story.put({**policy, "metadata": {**policy["metadata"], "labels": {"l": "m"}}}) == {}
    assert story.put(garbled(policy, ("spec", "policyTypes"), ["Egress"])) == {key: "put"}


def test_labels_of_a_service_are_sent() -> None:
    story = Story(SERVICES)
    service: Json = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s", "namespace": "a"},
        "spec": {"clusterIP": "None"},
        "status": {"loadBalancer": {}},
    }
    key = "/calico/resources/v3/projectcalico.org/kubernetesservice/a/s"
    assert story.put(service) == {key: "put"}
    assert story.put({**service, "metadata": {**service["metadata"], "labels": {"l": "m"}}}) == {key: "put"}


def test_config_field_is_removed() -> None:
    story = Story((CALICO, "felixconfigurations"))
    mtu, port = "/calico/v1/config/IpInIpMtu", "/calico/v1/config/VXLANPort"
    assert story.put(crd("FelixConfiguration", "default", ipipMTU=1440, vxlanPort=4790)) == {mtu: "put", port: "put"}
    assert story.put(crd("FelixConfiguration", "default", ipipMTU=1440)) == {port: "delete"}
    assert story.put(crd("FelixConfiguration", "default", ipipMTU=1450)) == {mtu: "put"}
    assert story.delete(crd("FelixConfiguration", "default")) == {mtu: "delete"}


def test_heartbeat_of_a_node_sends_nothing() -> None:
    story = Story(NODES)
    story.put(node())
    beating = node()
    beating["status"]["conditions"] = [{"type": "Ready", "lastHeartbeatTime": "2026-01-02T03:04:05Z"}]
    beating["metadata"]["annotations"] = {"example.com/beat": "1"}
    assert story.put(beating) == {}
    assert story.world.watching.topics["nodes"].head == story.world.rv


def test_node_loses_its_tunnel_address_and_goes() -> None:
    story = Story(NODES)
    whole, vxlan = "/calico/resources/v3/projectcalico.org/nodes/n1", "/calico/v1/host/n1/config/IPv4VXLANTunnelAddr"
    assert story.put(node(IPv4VXLANTunnelAddr="10.0.0.1")) == {whole: "put", vxlan: "put"}
    assert story.put(node()) == {whole: "put", vxlan: "delete"}
    assert story.put(node(IPv4VXLANTunnelAddr="10.0.0.2")) == {whole: "put", vxlan: "put"}
    assert story.delete(node()) == {whole: "delete", vxlan: "delete"}


def test_changed_key_is_a_delete_and_a_put() -> None:
    story = Story((CALICO, "hostendpoints"))
    first, second = "/calico/v1/host/n1/endpoint/h", "/calico/v1/host/n2/endpoint/h"
    assert story.put(crd("HostEndpoint", "h", node="n1", interfaceName="eth0")) == {first: "put"}
    assert story.put(crd("HostEndpoint", "h", node="n2", interfaceName="eth0")) == {first: "delete", second: "put"}


def test_pool_of_one_cidr_changes_hands_in_one_put() -> None:
    story = Story((CALICO, "ippools"))
    key = "/calico/v1/ipam/v4/pool/10.0.0.0-16"
    assert story.put(crd("IPPool", "b", cidr="10.0.0.0/16", natOutgoing=True)) == {key: "put"}
    assert story.put(crd("IPPool", "a", cidr="10.0.0.0/16")) == {key: "put"}
    assert (story.value("ippools", key)["masquerade"], story.quarantined("ippools")) == (False, ["b"])
    assert story.delete(crd("IPPool", "a")) == {key: "put"}
    assert (story.value("ippools", key)["masquerade"], story.quarantined("ippools")) == (True, [])
