"""Which topics are made of which resource, for the pure tests: resource -> (topic, converter).

Road not taken: `typha.feeds`' own table alone. What feeds declare is compared with this one (test_corpus): a topic that
was forgotten there would be missing in both.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, cast

from tests.corpus.documents import CorpusError
from tests.corpus.resources import CALICO_CRD, CALICO_V3, Kind
from typha.convert.converter import Converter


class TopicRow(NamedTuple):
    """A topic: its resource (group "calico" is either of Calico's), the module of its converter, and what decides keys.

    `claims`: keys do not follow from the object's name, and another object could claim one.
    """

    topic: str
    group: str
    plural: str
    module: str
    claims: bool = False
    pod_cidr: bool | None = None
    """Only with (True) or only without (False) the setting use_pod_cidr; None: always."""


CALICO: Final = "calico"

TOPICS: Final = (
    TopicRow("workloadendpoints", "", "pods", "workload_endpoint"),
    TopicRow("profiles.namespaces", "", "namespaces", "profile"),
    TopicRow("profiles.serviceaccounts", "", "serviceaccounts", "profile"),
    TopicRow("kubernetesnetworkpolicies", "networking.k8s.io", "networkpolicies", "kubernetes_network_policy"),
    TopicRow("clusternetworkpolicies", "policy.networking.k8s.io", "clusternetworkpolicies", "cluster_network_policy"),
    TopicRow("networkpolicies", CALICO, "networkpolicies", "network_policy"),
    TopicRow("globalnetworkpolicies", CALICO, "globalnetworkpolicies", "network_policy"),
    TopicRow("stagednetworkpolicies", CALICO, "stagednetworkpolicies", "network_policy"),
    TopicRow("stagedglobalnetworkpolicies", CALICO, "stagedglobalnetworkpolicies", "network_policy"),
    TopicRow("stagedkubernetesnetworkpolicies", CALICO, "stagedkubernetesnetworkpolicies", "network_policy"),
    TopicRow("tiers", CALICO, "tiers", "tier"),
    TopicRow("globalnetworksets", CALICO, "globalnetworksets", "network_set"),
    TopicRow("networksets", CALICO, "networksets", "network_set"),
    TopicRow("hostendpoints", CALICO, "hostendpoints", "host_endpoint", claims=True),
    TopicRow("nodes", "", "nodes", "node"),
    TopicRow("hostconfigs", "", "nodes", "host_config"),
    TopicRow("podcidrblocks", "", "nodes", "pod_cidr_block", claims=True, pod_cidr=True),
    TopicRow("ippools", CALICO, "ippools", "ip_pool", claims=True),
    TopicRow("services", "", "services", "service"),
    TopicRow("endpointslices", "discovery.k8s.io", "endpointslices", "endpoint_slice"),
    TopicRow("felixconfigurations", CALICO, "felixconfigurations", "felix_configuration", claims=True),
    TopicRow("clusterinformations", CALICO, "clusterinformations", "cluster_information", claims=True),
    TopicRow("bgpconfigurations", CALICO, "bgpconfigurations", "bgp"),
    TopicRow("bgppeers", CALICO, "bgppeers", "bgp"),
    TopicRow("bgpfilters", CALICO, "bgpfilters", "bgp"),
    TopicRow("caliconodestatuses", CALICO, "caliconodestatuses", "node_status"),
    TopicRow("blockaffinities", CALICO, "blockaffinities", "block_affinity", claims=True, pod_cidr=False),
    TopicRow("ipamblocks", CALICO, "ipamblocks", "ipam_block", claims=True, pod_cidr=False),
    TopicRow("livemigrations", "kubevirt.io", "virtualmachineinstancemigrations", "live_migration"),
)

_LEADING_TO_NO_TOPIC: Final = frozenset({"ipreservations", "kubecontrollersconfigurations"})


def rows_of(kind: Kind, *, use_pod_cidr: bool = False) -> list[TopicRow]:
    """The topics that an object of that kind can have keys in."""
    group = CALICO if kind.group in {CALICO_CRD, CALICO_V3} else kind.group
    found = [row for row in TOPICS if (row.group, row.plural) == (group, kind.plural)]
    if not found and kind.plural not in _LEADING_TO_NO_TOPIC:
        raise CorpusError(f"{kind.resource} has no topic in tests/corpus/converters.py")
    return [row for row in found if row.pod_cidr is None or row.pod_cidr == use_pod_cidr]


def converter_of(row: TopicRow, group: str, *, use_pod_cidr: bool = False) -> Converter | None:
    """The converter, made for that API group; None where its module does not exist. Raises CorpusError.

    Made anew each time: mutmut must see which tests run a constructor.
    """
    module_name = f"typha.convert.calico.{row.module}"
    if importlib.util.find_spec(module_name) is None:
        return None
    module = importlib.import_module(module_name)
    found = [each for each in _classes(vars(module)) if hasattr(each, "convert")]
    chosen = [each for each in found if each.__name__.lower() in _class_names(row)] or found
    if len(chosen) != 1:
        names = ", ".join(each.__name__ for each in found) or "none"
        raise CorpusError(f"{module_name}: no single converter for topic {row.topic} among: {names}")
    (made,) = chosen
    settings = {"group": group, "use_pod_cidr": use_pod_cidr}
    accepted = inspect.signature(made).parameters
    return cast("Converter", made(**{name: value for name, value in settings.items() if name in accepted}))


def _classes(names: Mapping[str, Any]) -> Iterable[Any]:
    return [each for each in names.values() if inspect.isclass(each)]


def _class_names(row: TopicRow) -> set[str]:
    first, _, second = row.topic.partition(".")
    return {row.topic, f"{second.removesuffix('s')}{first}", f"{first}{second}"}
