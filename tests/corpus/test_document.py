"""docs/calico.md says what the corpus says: topics, filters, shapes of keys, examples."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.corpus.converters import TOPICS
from tests.corpus.documents import FOLDER, Case, read_cases, read_lines, served_path, uses_pod_cidr, yaml_files
from tests.corpus.holding import held_lines
from tests.corpus.resources import CALICO_CRD, CALICO_V3, Json, name_of
from typha.config.calico_kinds import BUILT_IN_FEEDS
from typha.feeds.calico import calico_feeds
from typha_client.testing import FakeServer

PAGE: Final = (FOLDER.parent.parent / "docs" / "calico.md").read_text()
# The page shows one Node for both topics that it is in.
_WITHOUT_OBJECT: Final = {"hostconfigs": "nodes"}
# A part of a path that stands for many, in the page's shapes of keys: NODE, NAMESPACE, vN.
_PLACEHOLDER: Final = re.compile(r"[A-Z]+(?![a-z])")

TOPIC_SPECS: Final = {**calico_feeds(use_pod_cidr=True).topics, **calico_feeds().topics}
NAMES: Final = sorted(TOPIC_SPECS)
every_topic = pytest.mark.parametrize("topic", NAMES)


def section(topic: str) -> str:
    """What the page says of a kind."""
    found = re.split(r"^#+ ", PAGE, flags=re.MULTILINE)
    (text,) = [each for each in found if each.startswith(f"`{topic}`\n")]
    return text


def blocks(text: str, language: str) -> list[str]:
    """Fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def shapes(topic: str) -> list[str]:
    """The page's shapes of a topic's keys."""
    (paragraph,) = [each for each in section(topic).split("\n\n") if re.match("Keys?:", each)]
    return re.findall(r"`(/calico/[^`]+)`", paragraph)


def expression(shape: str) -> re.Pattern[str]:
    """What a shape matches."""
    parts = _PLACEHOLDER.split(shape)
    return re.compile("[^/]+".join(map(re.escape, parts)))


def cases() -> Iterator[tuple[Path, Case, Json]]:
    """Every case of the corpus, with its object as served."""
    for path in yaml_files():
        for case, served in zip(read_cases(path), read_lines(served_path(path)), strict=True):
            yield path, case, served


CASES: Final = tuple(cases())


def shown_lines(topic: str) -> list[Json]:
    """The page's examples of what a topic holds."""
    found = []
    for block in blocks(section(topic), "json"):
        text = block.strip()
        while text:
            line, end = json.JSONDecoder().raw_decode(text)
            found.append(line)
            text = text[end:].lstrip()
    return found


def shown_objects(topic: str) -> list[Json]:
    """The page's objects that a topic is made of."""
    found = blocks(section(_WITHOUT_OBJECT.get(topic, topic)), "yaml")
    return [yaml.load(block, yaml.CBaseLoader) for block in found]


def marked(value: Any, served: Json) -> Any:
    """`value`, made of `served`, with the page's marks for what no user writes."""
    text = json.dumps(value)
    metadata = value.get("metadata") if isinstance(value, dict) else None
    own = metadata.get("uid") if isinstance(metadata, dict) else None
    for uid in filter(None, (own, served["metadata"]["uid"])):
        text = text.replace(uid, "<uid>")
    return json.loads(text.replace(served["metadata"]["creationTimestamp"], "<time>"))


def is_part_of(shown: Any, written: Any) -> bool:
    """Whether the page shows nothing that the user did not write; lists may lack items, maps keys."""
    if isinstance(shown, dict) and isinstance(written, dict):
        return all(key in written and is_part_of(each, written[key]) for key, each in shown.items())
    if isinstance(shown, list) and isinstance(written, list):
        rest = iter(written)
        return all(any(is_part_of(each, other) for other in rest) for each in shown)
    # As text: the page's YAML is read without types.
    return bool(shown == (json.dumps(written) if isinstance(written, bool | None) else str(written)))


async def test_client_runs(typha_server: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    (endpoint,) = shown_lines("workloadendpoints")
    values = {endpoint["key"]: {**endpoint["value"], "node": "node-0001"}, "elsewhere": {"node": "node-0002"}}
    # Here a filter reads the value; the server knows the node from the pod.
    typha_server.add_topic("workloadendpoints", values, filters={"node": "node"})
    typha_server.add_topic("networkpolicies", {})
    (program,) = blocks(PAGE, "python")
    body, _, last = program.strip().replace("127.0.0.1:5473", typha_server.address).rpartition("\n")
    assert last == "asyncio.run(main())"
    names: dict[str, Any] = {}
    exec(compile(body, "docs/calico.md", "exec"), names)
    await names["main"]()
    assert capsys.readouterr().out.splitlines() == [
        f"{endpoint['key']} cali7cd0e164f1d ['10.244.1.10/32']",
        "0 policies",
    ]


def test_every_topic_is_in_the_table() -> None:
    rows = re.findall(r"^\| \[`([a-z.]+)`\]\(#([a-z]+)\)[^|]*\| ([^|]+) \|([^|]*)\|$", PAGE, flags=re.MULTILINE)
    assert sorted(row[0] for row in rows) == NAMES
    for topic, anchor, resource, filters in rows:
        spec = TOPIC_SPECS[topic]
        name = spec.source.resource
        assert anchor == topic.replace(".", "")
        assert resource == (f"Calico: {name.plural}" if name.group in {CALICO_CRD, CALICO_V3} else str(name)), topic
        assert [each.strip() for each in filters.split(",") if each.strip()] == list(spec.attributes), topic


def test_every_feed_is_in_the_table() -> None:
    feeds = dict(re.findall(r"^\| `([a-z-]+)` \| [^|]+ \| ([^|]+) \|$", PAGE, flags=re.MULTILINE))
    assert sorted(feeds) == sorted(BUILT_IN_FEEDS)
    for feed, members in calico_feeds().feeds.items():
        named = set(re.findall(r"`([a-z.]+)`", feeds[feed]))
        everything = set(calico_feeds().topics)
        assert (everything - named if feeds[feed].startswith("all but") else named) == set(members), feed


def test_page_says_how_many_watches_there_are() -> None:
    watches, with_pod_cidr = len(calico_feeds().sources()), len(calico_feeds(use_pod_cidr=True).sources())
    assert f"{watches} in all ({with_pod_cidr} with `use_pod_cidr`)" in PAGE


@every_topic
def test_shapes_of_keys_match_the_keys_of_the_corpus(topic: str) -> None:
    found = Counter[str]()
    patterns = {shape: expression(shape) for shape in shapes(topic)}
    for path in yaml_files():
        for line in read_lines(path.with_suffix(".lines.jsonl")):
            if line["topic"] == topic and "key" in line:
                matching = [shape for shape, pattern in patterns.items() if pattern.fullmatch(line["key"])]
                assert matching, f"{line['key']} has none of the shapes {shapes(topic)}"
                found.update(matching)
    assert found.keys() == patterns.keys()


@every_topic
def test_example_is_a_case_of_the_corpus(topic: str) -> None:
    lines, objects = shown_lines(topic), shown_objects(topic)
    assert lines, "no example"
    assert len(objects) == 1
    (written,) = objects
    (row,) = [row for row in TOPICS if row.topic == topic]
    found = [
        (path, served)
        for path, case, served in CASES
        if case.kind.plural == row.plural
        and case.kind.kind == written["kind"]
        and case.name == name_of(written)
        and is_part_of(written, case.written)
    ]
    assert found, f"no case of the corpus has {written}"
    assert any(
        lines
        == [
            {"key": line["key"], "value": marked(line["value"], served)}
            for line in held_lines([served], use_pod_cidr=uses_pod_cidr(path))
            if line["topic"] == topic and "key" in line
        ]
        for path, served in found
    ), "the topic does not hold these lines for this object"


def test_reasons_that_are_quoted_are_reasons_of_the_corpus() -> None:
    reasons = {
        line.get("quarantined") for path in yaml_files() for line in read_lines(path.with_suffix(".lines.jsonl"))
    }
    quoted = re.findall(r'reason="([^"]+)"', PAGE) + re.findall(r"`(its key [^`]+)`", PAGE)
    assert len(quoted) == 2
    assert set(quoted) <= reasons
