"""What `typha dump` prints is what `kubectl get -o json` prints; `typha tail` goes on from there."""

import json
import queue
import subprocess
import sys
import threading
from asyncio import to_thread
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.controlplane.controlplane import ControlPlane
from tests.e2e.house import House
from tests.e2e.objects import (
    POD_FIELDS,
    PODS,
    SERVICES,
    SLICES,
    create_cert,
    create_service,
    create_slice,
    pods_topic,
    relabel,
)
from tests.e2e.truth import Json, contents_of
from tests.e2e.typha_process import TyphaProcess, clean_environment

pytestmark = pytest.mark.e2e

LINE_TIMEOUT_S = 20.0


def fill(control_plane: ControlPlane, namespace: str, group: str) -> str:
    """A few objects of each kind, with values that are easily spoilt on the way; the CRD's resource."""
    rest = control_plane.rest
    certs = rest.create_crd(group, "certs", "Cert")
    for number in range(3):
        rest.create_pod(namespace, f"web-{number}", f"n{number % 2}", ip=f"10.0.0.{number + 1}", labels={"app": "web"})
    rest.create_pod(namespace, "bare", "n1", phase="Pending")
    create_service(rest, namespace, "web")
    create_slice(rest, namespace, "web", "10.0.0.1", "10.0.0.2")
    create_slice(rest, namespace, "empty")
    create_cert(
        rest,
        certs,
        namespace,
        "odd",
        large=2**53 - 1,
        small=-(2**40),
        half=0.5,
        nothing=None,
        empty={},
        none=[],
        text="Grüße \u2028 \U0001f4a1",
        deep={"a.b/c": [{"d": [[], [1, "2", True]]}]},
    )
    return certs


async def test_dump_of_whole_objects_is_what_kubectl_shows(
    house: House, control_plane: ControlPlane, namespace: str
) -> None:
    certs = await to_thread(fill, control_plane, namespace, "whole.example.com")
    resources = {"pods": PODS, "services": SERVICES, "slices": SLICES, "certs": certs}
    topics = {name: {"resource": resource, "namespace": namespace} for name, resource in resources.items()}
    # A version that is left out is discovered.
    topics["certs"]["resource"] = "whole.example.com/certs"
    server = await house.serve(topics)
    lines = await house.dump(server, "--feed", "all")
    assert [(line["topic"], line["key"]) for line in lines] == sorted((line["topic"], line["key"]) for line in lines)
    for name, resource in resources.items():
        listed = await to_thread(control_plane.list_json, resource, namespace)
        dumped = {line["key"]: line["value"] for line in lines if line["topic"] == name}
        assert dumped == contents_of(listed)
        versions = {line["key"]: line["rv"] for line in lines if line["topic"] == name}
        assert versions == {key: int(value["metadata"]["resourceVersion"]) for key, value in dumped.items()}


async def test_dump_of_chosen_fields_is_their_projection(
    house: House, control_plane: ControlPlane, namespace: str
) -> None:
    certs = await to_thread(fill, control_plane, namespace, "chosen.example.com")
    chosen: dict[str, Json] = {
        "pods": pods_topic(namespace),
        "services": {"resource": SERVICES, "fields": ["spec.ports[].targetPort", "spec.selector"]},
        "slices": {"resource": SLICES, "fields": ["endpoints[].addresses", "addressType", "metadata.uid"]},
        "certs": {"resource": certs, "fields": ["spec.deep", "spec.nothing", "metadata.name", "status.never"]},
    }
    server = await house.serve({name: {**topic, "namespace": namespace} for name, topic in chosen.items()})
    for name, topic in chosen.items():
        lines = await house.dump(server, "--topic", name)
        listed = await to_thread(control_plane.list_json, topic["resource"], namespace)
        assert {line["key"]: line["value"] for line in lines} == contents_of(listed, topic["fields"])
    lines = await house.dump(server, "--topic", "pods", "--where", "pods.node=n0")
    assert [line["key"] for line in lines] == [f"{namespace}/web-0", f"{namespace}/web-2"]
    lines = await house.dump(server, "--topic", "pods", "--where", "pods.labels=app notin (web)")
    assert [line["key"] for line in lines] == [f"{namespace}/bare"]


@contextmanager
def tailing(server: TyphaProcess, *arguments: str) -> Iterator["queue.Queue[Json]"]:
    """`typha tail` as a child; its lines as they come."""
    command = [*clean_environment(), sys.executable, "-m", "typha", "tail", "--server", server.address, *arguments]
    lines: queue.Queue[Json] = queue.Queue()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        output = child.stdout

        def read() -> None:
            for line in output:
                lines.put(json.loads(line))

        reader = threading.Thread(target=read)
        reader.start()
        try:
            yield lines
        finally:
            child.kill()
            reader.join()


def next_of(lines: "queue.Queue[Json]", *ops: str) -> Json:
    """The next line with one of these ops."""
    while True:
        line = lines.get(timeout=LINE_TIMEOUT_S)
        if line.get("op") in ops:
            return line


async def test_tail_shows_what_is_held_and_then_each_edit(
    house: House, control_plane: ControlPlane, namespace: str
) -> None:
    rest = control_plane.rest
    await to_thread(rest.create_pod, namespace, "web", "n1", "10.0.0.1", {"app": "web"})
    server = await house.serve({"pods": pods_topic(namespace)})

    def edit() -> None:
        with tailing(server, "--topic", "pods") as lines:
            held = lines.get(timeout=LINE_TIMEOUT_S)
            assert (held["topic"], held["key"]) == ("pods", f"{namespace}/web")
            # A bookmark first: the edit below comes while tail is live.
            mark = next_of(lines, "bookmark")
            assert mark["rv"] >= held["rv"]
            edited = relabel(rest, namespace, "web", app="other")
            put = next_of(lines, "put", "delete")
            assert put["rv"] == int(edited["metadata"]["resourceVersion"])
            assert put["value"] == contents_of(control_plane.list_json(PODS, namespace), POD_FIELDS)[put["key"]]
            # A heartbeat changes no chosen field: no line, and the deletion is the next one.
            rest.patch(PODS, "web", {"metadata": {"annotations": {"beat": "1"}}}, namespace)
            rest.delete(PODS, "web", namespace)
            gone = next_of(lines, "put", "delete")
            assert gone == {"op": "delete", "topic": "pods", "key": f"{namespace}/web", "rv": gone["rv"]}
            assert gone["rv"] > put["rv"]

    await to_thread(edit)
