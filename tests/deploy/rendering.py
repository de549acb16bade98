"""Manifests as operators' own tools render them: kustomize by kubectl, the chart by Helm's library; both offline.

Invariants
1. Nothing here interprets a manifest: what is returned is what the tool printed, parsed.
2. The kubectl is the wheel's, beside this interpreter: another on PATH may be older.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import helm_python
import yaml

from tests.deploy.generated import CHART, DEPLOY, NAMESPACE

Manifest = dict[str, Any]
KUBECTL: Final = Path(sys.executable).parent / "kubectl"


@cache
def _kustomized(folder: Path) -> str:
    return subprocess.run([KUBECTL, "kustomize", folder], capture_output=True, text=True, check=True, timeout=60).stdout


def kustomized(folder: str | Path) -> list[Manifest]:
    """`kubectl kustomize deploy/FOLDER`."""
    return list(yaml.load_all(_kustomized(DEPLOY / folder), yaml.CSafeLoader))


def kustomized_with(components: Sequence[str]) -> list[Manifest]:
    """The base with several components, as an overlay of an operator's own would have it."""
    # Beside the overlays: paths of components are relative.
    with tempfile.TemporaryDirectory(dir=DEPLOY / "overlays", prefix=".") as folder:
        text = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": ["../../base"],
            "components": [f"../../components/{name}" for name in components],
        }
        (Path(folder) / "kustomization.yaml").write_text(yaml.safe_dump(text))
        return kustomized(folder)


@cache
def _chart_output(values: str, release: str) -> tuple[str, ...]:
    with helm_python.Chart.load(CHART) as chart:
        files = chart.render(json.loads(values), name=release, namespace=NAMESPACE)
    return tuple(text for path, text in sorted(files.items()) if path.endswith((".yaml", ".yml")))


def chart(values: Mapping[str, Any] | None = None, release: str = "typha") -> list[Manifest]:
    """`helm template RELEASE deploy/chart/typha` with these values. Raises HelmError with Helm's own words."""
    texts = _chart_output(json.dumps(values or {}), release)
    return [manifest for text in texts for manifest in yaml.load_all(text, yaml.CSafeLoader) if manifest]


def find(manifests: Sequence[Manifest], kind: str) -> Manifest:
    """The one manifest of that kind."""
    found = every(manifests, kind)
    assert len(found) == 1, f"{len(found)} of kind {kind}"
    return found[0]


def every(manifests: Sequence[Manifest], kind: str) -> list[Manifest]:
    """All of that kind."""
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def pod_of(manifests: Sequence[Manifest]) -> dict[str, Any]:
    """The Deployment's pod."""
    spec: dict[str, Any] = find(manifests, "Deployment")["spec"]["template"]["spec"]
    return spec


def container_of(manifests: Sequence[Manifest]) -> dict[str, Any]:
    """The Deployment's one container."""
    (only,) = pod_of(manifests)["containers"]
    spec: dict[str, Any] = only
    return spec


def configuration_text(manifests: Sequence[Manifest]) -> str:
    """The configuration file of the ConfigMap that the Deployment mounts."""
    name = next(volume for volume in pod_of(manifests)["volumes"] if volume["name"] == "config")["configMap"]["name"]
    (found,) = (each for each in every(manifests, "ConfigMap") if each["metadata"]["name"] == name)
    text: str = found["data"]["typha.yaml"]
    return text


def configuration(manifests: Sequence[Manifest]) -> dict[str, Any]:
    """That file, parsed."""
    parsed: dict[str, Any] = yaml.safe_load(configuration_text(manifests))
    return parsed
