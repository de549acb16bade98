"""Alerts and dashboard: every expression parses, names metrics that a real server has, and fires when it should."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.controlplane.go_program import BUILD_TIMEOUT_S
from tests.deploy.alert_cases import CASES, promtool_tests
from tests.deploy.cluster import Cluster
from tests.deploy.generated import CHART, DEPLOY
from tests.deploy.promtool import check_expressions, check_rules, promtool
from tests.deploy.rendering import chart, every, find, kustomized
from tests.deploy.serving import serving
from typha.wire import states

# promtool is built by the first test that uses it.
pytestmark = pytest.mark.timeout(BUILD_TIMEOUT_S + 120)

ALERTS: Final = CHART / "files" / "alerts.yaml"
RUNBOOKS: Final = DEPLOY.parent / "docs" / "runbooks.md"
# Ours, the process's and Python's: names of metrics begin with nothing else, and no label does.
METRIC: Final = re.compile(r"\b(?:typha|process|python)_[a-z_]+\b")
MATCHED: Final = re.compile(r'\b([a-z]+)(?:=|!=|=~)"([^"]*)"')

# Known where there is another server only.
OF_SEVERAL: Final = {"typha_share"}


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((CHART / "files" / "dashboard.json").read_text())
    return parsed


def panel_expressions() -> Iterator[str]:
    """Of all panels, with values for Grafana's variables."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield re.sub(r"\$(namespace|job|pod)\b", "x", target["expr"].replace("$__rate_interval", "5m"))


def test_rules_are_accepted(tmp_path: Path) -> None:
    check_rules(yaml.safe_load(ALERTS.read_text()), tmp_path)


def test_alerts_fire_when_they_should_and_not_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "cases.yaml"
    tests = {"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": list(promtool_tests())}
    file.write_text(yaml.safe_dump(tests))
    assert "SUCCESS" in promtool("test", "rules", file)


def test_a_wrong_rule_is_noticed(tmp_path: Path) -> None:
    """What the test above is worth: each alert that never fires, or always does, fails its cases."""
    for expression, firing in (("vector(0) > 1", True), ("vector(1)", False)):
        rules = yaml.safe_load(ALERTS.read_text())
        for rule in rules["groups"][0]["rules"]:
            rule["expr"] = expression
            rule.pop("for", None)
        (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
        tests = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": list(promtool_tests())}
        (tmp_path / "cases.yaml").write_text(yaml.safe_dump(tests))
        with pytest.raises(AssertionError) as failed:
            promtool("test", "rules", tmp_path / "cases.yaml")
        for case in CASES:
            assert (case.fires is None) is firing or f'alertname=\\"{case.alert}\\"' in str(failed.value)


def test_every_alert_has_cases_of_both_kinds() -> None:
    firing = {case.alert for case in CASES if case.fires is not None}
    quiet = {case.alert for case in CASES if case.fires is None}
    assert firing == quiet == {alert["alert"] for alert in alerts()}


def test_annotations_say_what_they_should(tmp_path: Path) -> None:
    """Their templates, by one alert with a label and one with a figure."""

    def expected(name: str, labels: dict[str, str], summary: str) -> dict[str, Any]:
        (alert,) = (each for each in alerts() if each["alert"] == name)
        texts = alert["annotations"] | {"summary": summary}
        return {"exp_labels": labels | alert["labels"], "exp_annotations": texts}

    own = {"namespace": "n", "job": "j"}
    told = expected("TyphaTopicNotInSync", own | {"topic": "pods", "state": "stale"}, "Topic pods is stale")
    counted = expected("TyphaNoContact", own, "A server has not heard from the API server for 5m 0s")
    tests = {
        "rule_files": [str(ALERTS)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": 'typha_topic_state{namespace="n",job="j",topic="pods",state="stale"}', "values": "1x10"},
                    {"series": 'typha_upstream_contact_age_seconds{namespace="n",job="j"}', "values": "300x10"},
                ],
                "alert_rule_test": [
                    {"eval_time": "5m", "alertname": "TyphaTopicNotInSync", "exp_alerts": [told]},
                    {"eval_time": "5m", "alertname": "TyphaNoContact", "exp_alerts": [counted]},
                ],
            }
        ],
    }
    (tmp_path / "cases.yaml").write_text(yaml.safe_dump(tests))
    promtool("test", "rules", tmp_path / "cases.yaml")


def test_every_alert_has_a_severity_and_a_page_in_the_runbooks() -> None:
    anchors = {
        heading.lower(): heading for heading in re.findall(r"^## (Typha\w+)$", RUNBOOKS.read_text(), re.MULTILINE)
    }
    for alert in alerts():
        assert alert["labels"]["severity"] in {"critical", "warning", "info"}
        page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
        assert DEPLOY.parent / page == RUNBOOKS
        assert anchors.pop(anchor) == alert["alert"]
    assert not anchors, "pages without an alert"


def test_the_operators_documentation_lists_the_alerts() -> None:
    listed = re.findall(r"\(runbooks\.md#(typha\w+)\)", (DEPLOY.parent / "docs" / "operations.md").read_text())
    assert sorted(listed) == sorted(alert["alert"].lower() for alert in alerts())


def test_panels_parse(tmp_path: Path) -> None:
    expressions = list(panel_expressions())
    assert len(expressions) > 30
    check_expressions(expressions, tmp_path)


def test_panels_fit_the_page() -> None:
    """Ids are unique, nothing lies upon another, each panel asks the chosen data source."""
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == "${datasource}"


def test_chart_and_component_carry_the_same() -> None:
    rules = find(kustomized("overlays/monitoring"), "PrometheusRule")["spec"]
    assert rules == yaml.safe_load(ALERTS.read_text())
    values: dict[str, Any] = {name: {"enabled": True} for name in ("podMonitor", "rules", "dashboard")}
    of_chart = chart({"monitoring": values})
    assert find(of_chart, "PrometheusRule")["spec"] == rules
    boards = [
        yaml.safe_load(text)
        for manifests in (of_chart, kustomized("overlays/monitoring"))
        for each in every(manifests, "ConfigMap")
        for name, text in each["data"].items()
        if name == "typha.json"
    ]
    assert boards == [dashboard(), dashboard()]
    values["rules"]["runbooks"] = "https://docs.example.com/runbooks"
    links = {
        rule["annotations"]["runbook_url"].partition("#")[0]
        for rule in find(chart({"monitoring": values}), "PrometheusRule")["spec"]["groups"][0]["rules"]
    }
    assert links == {"https://docs.example.com/runbooks"}


@pytest.mark.e2e
def test_a_real_server_has_every_metric_and_value_that_is_asked_for(cluster: Cluster, tmp_path: Path) -> None:
    base = kustomized("base")
    with cluster.applied(base), serving(base, cluster.kubeconfig_of("typha"), tmp_path) as server:
        server.wait_ready()
        code, text = server.page("/metrics")
    assert code == 200
    families = list(text_string_to_metric_families(text))
    sampled = {sample.name for family in families for sample in family.samples}
    # Codes and modes that have not occurred have no sample, but a name in the protocol.
    words = {value for family in families for sample in family.samples for value in sample.labels.values()}
    words |= {word.value for kind in StrEnum.__subclasses__() if kind.__module__ == states.__name__ for word in kind}
    # A counter without a sample yet has its name all the same.
    served = sampled | {f"{family.name}_total" for family in families if family.type == "counter"}
    expressions = [alert["expr"] for alert in alerts()] + list(panel_expressions())
    unknown = {name for each in expressions for name in METRIC.findall(each)} - served
    assert unknown <= OF_SEVERAL
    sources = (DEPLOY.parent / "typha" / "observe" / "metrics.py").read_text()
    assert all(f'"{name}"' in sources for name in unknown)
    for each in expressions:
        assert METRIC.search(each), each
        for label, pattern in MATCHED.findall(each):
            if label not in {"namespace", "job", "pod"}:  # Prometheus' own
                assert set(pattern.split("|")) <= words, each
