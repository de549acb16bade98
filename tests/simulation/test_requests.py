"""Requests: paths of resources, options that contradict each other."""

from __future__ import annotations

import pytest

from typha.simulation.discovery import Resource
from typha.simulation.requests import Options, Target, check_list, parse_options, parse_path
from typha.simulation.status import StatusError
from typha.simulation.store import Store


@pytest.mark.parametrize(
    ("path", "plural", "namespace", "name", "subresource"),
    [
        ("/api/v1/pods", "pods", "", "", ""),
        ("/api/v1/namespaces/shop/pods", "pods", "shop", "", ""),
        ("/api/v1/namespaces/shop/pods/web", "pods", "shop", "web", ""),
        ("/api/v1/namespaces/shop/pods/web/status", "pods", "shop", "web", "status"),
        ("/api/v1/namespaces", "namespaces", "", "", ""),
        ("/api/v1/namespaces/shop", "namespaces", "", "shop", ""),
        ("/api/v1/namespaces/shop/status", "namespaces", "", "shop", "status"),
        ("/api/v1/nodes/n1", "nodes", "", "n1", ""),
        ("/apis/discovery.k8s.io/v1/endpointslices", "endpointslices", "", "", ""),
        ("/apis/example.com/v1/certs", "certs", "", "", ""),
    ],
)
def test_paths(store: Store, path: str, plural: str, namespace: str, name: str, subresource: str) -> None:
    store.register(Resource("example.com", "v1", "certs", "Cert"))
    target = parse_path(store, path)
    assert target == Target(store.table(plural), namespace, name, subresource)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/v1",
        "/api/v2/pods",
        "/apis/example.com/v1/certs",
        "/api/v1/namespaces/shop/nodes",
        "/api/v1/pods/web",
        "/api/v1/namespaces/shop/pods/web/log",
        "/apis/discovery.k8s.io/v1/pods",
    ],
)
def test_paths_of_nothing(store: Store, path: str) -> None:
    assert parse_path(store, path) is None


def options(store: Store, **query: str) -> Options:
    return parse_options(Target(store.table("pods")), {name.rstrip("_"): value for name, value in query.items()})


def test_verbs(store: Store) -> None:
    watch = {"watch": "true"}
    assert options(store).verb == "list"
    assert options(store, continue_="x").verb == "continue"
    assert options(store, **watch).verb == "watch"
    initial = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    assert options(store, **watch, **initial).verb == "watchlist"


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ({"limit": "-1"}, 400, "limit"),
        ({"resourceVersion": "abc"}, 400, "resourceVersion"),
        ({"watch": "perhaps"}, 400, "watch"),
        ({"watch": "1", "sendInitialEvents": "true"}, 422, "requires setting resourceVersionMatch to NotOlderThan"),
        ({"watch": "1", "resourceVersionMatch": "NotOlderThan"}, 422, "unless sendInitialEvents is provided"),
        ({"sendInitialEvents": "true"}, 422, "forbidden for list"),
        ({"resourceVersionMatch": "Exact"}, 422, "unless resourceVersion is provided"),
        ({"resourceVersionMatch": "Exact", "resourceVersion": "0"}, 422, "exact"),
        ({"resourceVersionMatch": "Roughly", "resourceVersion": "1"}, 422, "Roughly"),
        ({"continue": "x", "resourceVersion": "5"}, 400, "when using continue"),
    ],
)
def test_contradictions(store: Store, query: dict[str, str], code: int, message: str) -> None:
    with pytest.raises(StatusError, match=message) as caught:
        parse_options(Target(store.table("pods")), query)
    assert caught.value.code == code


def test_lists_not_older_than_the_future(store: Store) -> None:
    assert check_list(options(store), 7) is None
    assert check_list(options(store, resourceVersion="0"), 7) is None
    assert check_list(options(store, resourceVersion="7", resourceVersionMatch="NotOlderThan"), 7) is None
    assert check_list(options(store, resourceVersion="5", resourceVersionMatch="Exact"), 7) == 5
    with pytest.raises(StatusError, match="Too large resource version: 8, current: 7") as caught:
        check_list(options(store, resourceVersion="8", resourceVersionMatch="NotOlderThan"), 7)
    assert (caught.value.code, caught.value.reason) == (504, "Timeout")
