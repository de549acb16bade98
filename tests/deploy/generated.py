"""Files under deploy/ that follow from others: `python -m tests.deploy.generated` writes them, a test compares.

A role follows from the configuration beside it, the chart's table of rights from the built-in feeds, and kustomize's
alerts and dashboard from the chart's, because neither tool reads files beyond its own folder.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from typha.cli.rbac import as_yaml, roles
from typha.config import load
from typha.config.calico_kinds import BUILT_IN_FEEDS
from typha.config.model import CalicoConfig, Config
from typha.feeds.rights import rights_of

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
CHART: Final = DEPLOY / "chart" / "typha"
NAMESPACE: Final = "typha-system"
# Folders with a typha.yaml and the role that it needs.
ROLES: Final = ("base", "components/policy-only")

ROLE_HEAD: Final = """\
# Made from typha.yaml by `typha rbac --config typha.yaml --account typha-system/typha`: list and watch of what feeds
# are made of, and the UID of kube-system, which names the cluster. Rights for what a cluster lacks do no harm.
"""

RULE_HEAD: Final = """\
# Made from deploy/chart/typha/files/alerts.yaml.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: typha
  namespace: typha-system
  labels: {app.kubernetes.io/name: typha}
spec:
"""


def files() -> Iterator[tuple[Path, str]]:
    """Each generated file and what it must hold."""
    for folder in ROLES:
        yield DEPLOY / folder / "cluster_role.yaml", role(DEPLOY / folder / "typha.yaml")
    yield CHART / "files" / "rights.json", chart_rights()
    monitoring = DEPLOY / "components" / "monitoring"
    yield monitoring / "prometheus_rule.yaml", prometheus_rule()
    yield monitoring / "typha.json", (CHART / "files" / "dashboard.json").read_text()


def role(configuration: Path) -> str:
    """The ClusterRole of a configuration file."""
    config = load(file=configuration, open_files=False).config
    return ROLE_HEAD + as_yaml(roles(rights_of(config, NAMESPACE), "typha")).decode()


def prometheus_rule() -> str:
    """The chart's alerts as the Prometheus operator takes them."""
    alerts = (CHART / "files" / "alerts.yaml").read_text()
    return RULE_HEAD + textwrap.indent(alerts, "  ")


def chart_rights() -> str:
    """`group/resource` of what each built-in feed lists and watches, with Calico's IPAM and with pod CIDRs."""
    table = {
        kind: {feed: _reads(CalicoConfig(feeds=(feed,), use_pod_cidr=use_pod_cidr)) for feed in BUILT_IN_FEEDS}
        for kind, use_pod_cidr in (("ipam", False), ("podCidr", True))
    }
    return json.dumps(table, indent=2) + "\n"


def _reads(calico: CalicoConfig) -> list[str]:
    rights = rights_of(replace(Config(), calico=calico), NAMESPACE)
    return sorted({f"{right.group}/{right.plural}" for right in rights if right.verb == "list"})


def main() -> None:
    """Writes what differs, and says so."""
    for path, text in files():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"written: {path.relative_to(DEPLOY.parent)}")


if __name__ == "__main__":
    main()
