"""The plain scene: what an agent of chosen fields should hold of an object."""

from __future__ import annotations

from typing import Any

from typha.cli.demo.plain import RESOURCES, PlainScene, project

PODS, POLICIES = RESOURCES[0], RESOURCES[-1]


def test_projection_of_chosen_fields() -> None:
    item: dict[str, Any] = {
        "metadata": {"name": "a", "namespace": "b", "labels": {"x": "y"}, "managedFields": [1]},
        "spec": {"nodeName": "n", "containers": []},
        "status": {"phase": "Running"},
    }
    assert project(PODS, item) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": {"x": "y"}},
        "spec": {"nodeName": "n"},
        "status": {"phase": "Running"},
    }
    # What is absent is left out, and no empty map stands for it.
    assert project(PODS, {"metadata": {"name": "a"}, "spec": {}}) == {"apiVersion": "v1", "kind": "Pod"}


def test_projection_of_the_whole_object() -> None:
    item = {"metadata": {"name": "a", "managedFields": [1]}, "spec": {"podSelector": {}}}
    assert project(POLICIES, item) == {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "a"},
        "spec": {"podSelector": {}},
    }


def test_what_the_server_is_told_to_serve() -> None:
    scene = PlainScene()
    config = scene.topics_config()
    assert config["topics"].keys() == scene.resources.keys()
    assert config["feeds"] == {scene.role(0, "n").feed: list(scene.role(0, "n").topics)}
