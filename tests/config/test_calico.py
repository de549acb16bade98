"""The section `calico:`: which built-in feeds, and the two settings that Calico's own variables may hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from typha.config import Config, ConfigError, Problem, load
from typha.config.show import rows

ALL = ("felix", "bgp", "tunnel-ip-allocation", "node-status")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "typha.yaml"


def problem(**sources: object) -> Problem:
    with pytest.raises(ConfigError) as caught:
        load(**sources)  # type: ignore[arg-type]
    [only] = caught.value.problems
    return only


def test_without_topics_of_its_own_all_four_are_served(file: Path) -> None:
    assert Config().calico_feeds == ALL
    file.write_text("tombstones: 7\n")
    assert load(file=file).config.calico_feeds == ALL


def test_who_names_topics_gets_these_and_no_more(file: Path) -> None:
    file.write_text("topics: {pods: {resource: v1/pods}}\n")
    assert load(file=file).config.calico_feeds == ()
    file.write_text("topics: {pods: {resource: v1/pods}}\ncalico: {feeds: [bgp, felix]}\n")
    assert load(file=file).config.calico_feeds == ("felix", "bgp")


def test_none_and_auto(file: Path) -> None:
    for text in ("calico: {feeds: []}", "calico: {feeds: none}"):
        file.write_text(text + "\n")
        assert load(file=file).config.calico_feeds == ()
    environment = {"TYPHA_CALICO_FEEDS": "auto"}
    assert load(file=file, environment=environment).config.calico_feeds == ALL
    assert load(environment={"TYPHA_CALICO_FEEDS": "none"}).config.calico_feeds == ()
    assert load(environment={"TYPHA_CALICO_FEEDS": "node-status, felix"}).config.calico_feeds == (
        "felix",
        "node-status",
    )


def test_shown_as_written() -> None:
    def shown(feeds: str) -> object:
        loaded = load(environment={"TYPHA_CALICO_FEEDS": feeds})
        return next(row.value for row in rows(loaded) if row.path == "calico.feeds")

    assert [shown(each) for each in ("", "none", "felix")] == ["auto", "none", ["felix"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "calico: {feeds: [felx]}",
            (
                "1: calico.feeds = ['felx']: has 'felx', which is no built-in feed; did you mean felix? "
                "(allowed: auto, none, or a list of felix, bgp, tunnel-ip-allocation, node-status (with commas between "
                "them in the environment))"
            ),
        ),
        ("calico: {feeds: [felix, felix]}", "1: calico.feeds = ['felix', 'felix']: has 'felix' twice (allowed: "),
        ("calico: {feeds: [1]}", "1: calico.feeds = [1]: has 1, which is a number, not a feed (allowed: "),
        ("calico: {feeds: felix}", "1: calico.feeds = 'felix': is a text, not a list (allowed: "),
        ("calico: {use_pod_cidr: 1}", "1: calico.use_pod_cidr = 1: is a number, not true or false (allowed: "),
        (
            "calico: {interface_prefix: 'a b'}",
            (
                "1: calico.interface_prefix = 'a b': has characters that it may not have, or too many "
                "(allowed: 1 to 15 letters, digits, '.', '_' and '-')"
            ),
        ),
        ("calico: {interface_prefix: ''}", "1: calico.interface_prefix = '': is empty (allowed: "),
        ("calico: {interface_prefix: 7}", "1: calico.interface_prefix = 7: is a number, not a text (allowed: "),
        (
            "calico: {interface_prefix: abcdefghijklmnop}",
            "1: calico.interface_prefix = 'abcdefghijklmnop': has characters that it may not have, or too many",
        ),
        (
            "calico: {feed: [felix]}",
            (
                "1: calico.feed = ['felix']: is not a setting; did you mean feeds? (allowed: feeds, use_pod_cidr, "
                "interface_prefix)"
            ),
        ),
        ("calico: yes", "1: calico = True: is not a mapping"),
    ],
)
def test_wrong_values(file: Path, text: str, expected: str) -> None:
    file.write_text(text + "\n")
    shown = str(problem(file=file))
    assert shown.startswith(f"{file}:{expected}"), shown


def test_calicos_own_variables_are_read() -> None:
    environment = {"USE_POD_CIDR": "true", "FELIX_INTERFACEPREFIX": "eni,cali"}
    config, sources = load(environment=environment)
    assert (config.calico.use_pod_cidr, config.calico.interface_prefix) == (True, "eni")
    assert str(sources["calico.use_pod_cidr"]) == "environment USE_POD_CIDR"
    assert str(sources["calico.interface_prefix"]) == "environment FELIX_INTERFACEPREFIX"


def test_ours_win_over_calicos_and_both_over_the_file(file: Path) -> None:
    file.write_text("calico: {use_pod_cidr: true, interface_prefix: tap}\n")
    calicos = {"USE_POD_CIDR": "false", "FELIX_INTERFACEPREFIX": "eni"}
    config = load(file=file, environment=calicos).config
    assert (config.calico.use_pod_cidr, config.calico.interface_prefix) == (False, "eni")
    ours = {"TYPHA_CALICO_USE_POD_CIDR": "yes", "TYPHA_CALICO_INTERFACE_PREFIX": "azv"}
    config = load(file=file, environment={**calicos, **ours}).config
    assert (config.calico.use_pod_cidr, config.calico.interface_prefix) == (True, "azv")


def test_empty_variables_count_as_not_set() -> None:
    assert load(environment={"USE_POD_CIDR": "", "FELIX_INTERFACEPREFIX": ""}).config == Config()


def test_wrong_values_of_calicos_variables_name_them() -> None:
    assert str(problem(environment={"USE_POD_CIDR": "perhaps"})).startswith(
        "environment USE_POD_CIDR: calico.use_pod_cidr = 'perhaps': is neither true nor false (allowed: true or false"
    )
    assert str(problem(environment={"FELIX_INTERFACEPREFIX": ",cali"})).startswith(
        "environment FELIX_INTERFACEPREFIX: calico.interface_prefix = ',cali': is empty (allowed: prefixes with commas"
    )


def test_a_feed_of_the_file_may_not_have_the_name_of_a_built_in_one(file: Path) -> None:
    topics = "topics: {pods: {resource: v1/pods}}\nfeeds: {felix: [pods]}\n"
    file.write_text(topics)
    assert load(file=file).config.calico_feeds == ()
    file.write_text(topics + "calico: {feeds: [felix]}\n")
    assert str(problem(file=file)) == (
        f"{file}:2: feeds.felix: is a built-in feed, which `calico.feeds` serves ({file}:3) (allowed: another name, or "
        "`calico.feeds` without felix)"
    )
