"""Label selectors of Kubernetes: the reasons, which no topic shows. What becomes of them is in the corpus."""

from __future__ import annotations

import pytest

from typha.convert.calico.text.label_selector import LabelSelector, Requirement, namespace_selector, pod_selector
from typha.convert.converter import ConversionError

POD = "projectcalico.org/orchestrator == 'k8s'"


def test_everything() -> None:
    assert pod_selector(None, "f") == pod_selector(LabelSelector(), "f") == POD
    assert namespace_selector(None, "f") == ""
    assert namespace_selector(LabelSelector(), "f") == "all()"


def test_labels_by_key_then_expressions_as_written() -> None:
    selector = LabelSelector(
        {"b": "2", "a": ""},
        [
            Requirement("d", "NotIn", ["y", "x", "y"]),
            Requirement("c", "In", ["z"]),
            Requirement("f", "DoesNotExist"),
            Requirement("e", "Exists", []),
        ],
    )
    text = "a == '' && b == '2' && d not in { 'y', 'x', 'y' } && c in { 'z' } && ! has(f) && has(e)"
    assert namespace_selector(selector, "f") == text
    assert pod_selector(selector, "f") == f"{POD} && {text}"


@pytest.mark.parametrize(
    ("selector", "reason"),
    [
        (LabelSelector({"a b": "x"}), "f.matchLabels: a key is no name of a label"),
        (LabelSelector({"a": "it's"}), "f.matchLabels: a value has a quote in it; no label has such a value"),
        (LabelSelector(None, [Requirement("", "Exists")]), "f.matchExpressions[0].key: a key is no name of a label"),
        (
            LabelSelector(None, [Requirement("a", "Exists"), Requirement("a", "In")]),
            "f.matchExpressions[1].values: In needs values",
        ),
        (
            LabelSelector(None, [Requirement("a", "NotIn", ["x", "'"])]),
            "f.matchExpressions[0].values: a value has a quote in it; no label has such a value",
        ),
        (
            LabelSelector(None, [Requirement("a", "Exists", ["x"])]),
            "f.matchExpressions[0].values: Exists takes no values",
        ),
        (
            LabelSelector(None, [Requirement("a", "exists")]),
            "f.matchExpressions[0].operator: expected one of In, NotIn, Exists, DoesNotExist",
        ),
    ],
)
def test_what_would_select_something_else_is_refused(selector: LabelSelector, reason: str) -> None:
    for make in (pod_selector, namespace_selector):
        with pytest.raises(ConversionError) as caught:
            make(selector, "f")
        assert caught.value.reason == reason
