"""Documents: metadata as Calico's client stores it."""

from __future__ import annotations

import json

from typha.simulation.calico.documents import calico, kubernetes


def test_labels_stand_in_the_annotation() -> None:
    made = calico("networksets", "a", {"nets": []}, space="shop", labels={"role": "x"})
    assert (made.resource, made.key) == ("crd.projectcalico.org/v1/networksets", "shop/a")
    metadata = made.obj["metadata"]
    assert "labels" not in metadata
    assert json.loads(metadata["annotations"]["projectcalico.org/metadata"])["labels"] == {"role": "x"}
    assert calico("tiers", "t", {}).key == "t"


def test_other_fields_stand_beside_the_spec() -> None:
    made = kubernetes("kubevirt.io/v1/x", "a", {"b": 1}, space="s", status={"phase": "Running"})
    assert made.obj == {"metadata": {"name": "a", "namespace": "s"}, "spec": {"b": 1}, "status": {"phase": "Running"}}
