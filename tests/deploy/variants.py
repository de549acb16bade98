"""Every way to deploy that is checked: the base, each overlay, combinations of components, the chart by its values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from tests.deploy.generated import DEPLOY
from tests.deploy.rendering import Manifest, chart, kustomized, kustomized_with

CERTIFICATES: Final = {"resource": "example.com/v1/certs"}
"""A resource of nobody's, in the configuration with topics of its own."""

CUSTOM: Final[Mapping[str, Any]] = {
    "config": {
        "calico": {"feeds": "none"},
        "topics": {
            "pods": {"resource": "v1/pods", "filters": {"node": "spec.nodeName"}},
            "pods-of-kube-system": {"resource": "pods", "namespace": "kube-system"},
            "certs": CERTIFICATES,
            "maps": {"resource": "v1/configmaps", "namespace": "default"},
            "quotas": {"resource": "resourcequotas", "namespace": "default"},
        },
        "feeds": {"agent": ["pods", "certs"]},
        "replicas": {"service": "typha"},
    }
}

CHART_VALUES: Final[Mapping[str, Mapping[str, Any]]] = {
    "defaults": {},
    "small": {"nodes": 49},
    "ha": {"replicas": 3, "spread": {"hosts": "DoNotSchedule", "zones": True}},
    "5,000 nodes": {"nodes": 5000},
    "policy-only": {"config": {"calico": {"feeds": ["felix"], "use_pod_cidr": True}}},
    "tokens": {"config": {"tokens": {"audience": "typha"}}},
    "hostnetwork": {"hostNetwork": True},
    "topics": CUSTOM,
    "autoscale": {"autoscaling": {"enabled": True}},
    "cert-manager": {"tls": {"certManager": {"enabled": True}}},
    "an issuer": {"tls": {"certManager": {"enabled": True, "issuerRef": {"kind": "ClusterIssuer", "name": "house"}}}},
    "private-registry": {
        "image": {"registry": "registry.example.com/infrastructure", "digest": "sha256:" + "0" * 64},
        "imagePullSecrets": [{"name": "typha-registry"}],
    },
    "monitoring": {"monitoring": {name: {"enabled": True} for name in ("podMonitor", "rules", "dashboard")}},
    "plain": {"tls": {"enabled": False}, "calicoDefaultPool": {"create": True}},
    "everything": {
        "nodes": 2500,
        "fullnameOverride": "agents-server",
        "hostNetwork": True,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "podAnnotations": {"example.com/a": "b"},
        "podLabels": {"example.com/team": "network"},
        "extraEnv": [{"name": "TYPHA_LOG_LEVEL", "value": "debug"}],
        "serviceAccount": {"annotations": {"example.com/a": "b"}},
        "autoscaling": {"enabled": True},
        "tls": {"certManager": {"enabled": True}},
        "spread": {"zones": True},
        "resources": {"requests": {"memory": "1Gi"}},
    },
}

COMBINATIONS: Final = (
    ("networking", "ha", "monitoring", "cert-manager"),
    ("policy-only", "small", "private-registry"),
    ("networking", "small", "default-pool"),
    ("ha", "autoscale"),
)


def variants() -> dict[str, Callable[[], list[Manifest]]]:
    """Name -> what renders it."""
    overlays = sorted(path.parent.name for path in (DEPLOY / "overlays").glob("[a-z]*/kustomization.yaml"))
    found: dict[str, Callable[[], list[Manifest]]] = {"base": partial(kustomized, "base")}
    # Calico's own Deployment with our image needs the Calico that is there; tests/drop_in look at it.
    found |= {f"overlay {name}": partial(kustomized, f"overlays/{name}") for name in overlays if name != "calico-typha"}
    found |= {f"base + {' + '.join(names)}": partial(kustomized_with, names) for names in COMBINATIONS}
    found |= {f"chart, {name}": partial(chart, values) for name, values in CHART_VALUES.items()}
    return found
