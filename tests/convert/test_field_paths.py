from __future__ import annotations

import pytest

from typha.convert.field_paths import FieldPathError, Segment, parse_path, tree_of


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("spec", [("spec", False)]),
        ("spec.nodeName", [("spec", False), ("nodeName", False)]),
        (
            r"metadata.annotations.example\.com/x",
            [("metadata", False), ("annotations", False), ("example.com/x", False)],
        ),
        (r"a\\b.c", [("a\\b", False), ("c", False)]),
        ("spec.containers[].image", [("spec", False), ("containers", True), ("image", False)]),
        ("spec.containers[]", [("spec", False), ("containers", True)]),
        (r"a\[]", [("a[]", False)]),
    ],
)
def test_paths(path: str, segments: list[tuple[str, bool]]) -> None:
    assert parse_path(path) == tuple(Segment(*each) for each in segments)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "is empty"),
        (".spec", "starts with a dot"),
        ("spec.", "empty part"),
        ("spec..x", "empty part"),
        ("spec.[].x", "empty part"),
        ("a.b\\", "ends in a backslash"),
        ("spec.containers[0].image", "no index"),
        (".".join("a" * 33), "33 parts"),
    ],
)
def test_bad_paths(path: str, reason: str) -> None:
    with pytest.raises(FieldPathError) as caught:
        parse_path(path)
    assert reason in caught.value.reason


@pytest.mark.parametrize("paths", [["spec", "spec.x", "spec.y[].z"], ["spec.x", "spec"], ["spec.y[].z", "spec"]])
def test_shorter_path_takes_the_whole_field(paths: list[str]) -> None:
    assert tree_of(paths) == {"spec": (False, {})}


def test_field_used_as_list_and_as_map() -> None:
    with pytest.raises(FieldPathError, match="used as a list"):
        tree_of(["spec.x.a", "spec.x[].b"])
