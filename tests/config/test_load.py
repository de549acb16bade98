"""Where values come from, which wins, and that nothing wrong stays silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from typha.config import Config, ConfigError, HostPort, Problem, load
from typha.config.environment import variable_of
from typha.config.load import settings_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "typha.yaml"


def problems(**sources: object) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        load(**sources)  # type: ignore[arg-type]
    return list(caught.value.problems)


def problem(**sources: object) -> Problem:
    [only] = problems(**sources)
    return only


def test_defaults_are_valid_and_loopback() -> None:
    loaded = load()
    assert loaded.config == Config()
    assert loaded.config.listen == HostPort("127.0.0.1", 5473)
    assert {str(source) for source in loaded.sources.values()} == {"default"}


def test_flag_over_environment_over_file_over_default(file: Path) -> None:
    file.write_text("listen: 127.0.0.1:1\nhealth: 127.0.0.1:2\nadmin: 127.0.0.1:3\ntombstones: 7\n")
    environment = {"TYPHA_LISTEN": "127.0.0.1:11", "TYPHA_HEALTH": "127.0.0.1:12"}
    config, sources = load(flags={"listen": "127.0.0.1:21"}, environment=environment, file=file)
    assert [str(each) for each in (config.listen, config.health, config.admin)] == [
        "127.0.0.1:21",
        "127.0.0.1:12",
        "127.0.0.1:3",
    ]
    assert config.tombstones == 7
    assert str(sources["listen"]) == "--listen"
    assert str(sources["health"]) == "environment TYPHA_HEALTH"
    assert str(sources["admin"]) == f"{file}:3"
    assert str(sources["limits.max_connections"]) == "default"


def test_the_environment_names_the_file_and_the_flag_wins(file: Path, tmp_path: Path) -> None:
    file.write_text("tombstones: 1\n")
    other = tmp_path / "other.yaml"
    other.write_text("tombstones: 2\n")
    environment = {"TYPHA_CONFIG": str(other)}
    assert load(environment=environment).config.tombstones == 2
    assert load(environment=environment, file=file).config.tombstones == 1


def test_nested_settings_from_file_and_environment(file: Path) -> None:
    file.write_text("timing: {ping_interval_s: 15, drain_grace_s: 5}\nupstream:\n  watch_timeout_s: [5, 5]\n")
    environment = {"TYPHA_TIMING_PING_INTERVAL_S": "20.5", "TYPHA_UPSTREAM_WATCH_LIST": "no"}
    config, sources = load(environment=environment, file=file)
    assert (config.timing.ping_interval_s, config.timing.drain_grace_s) == (20.5, 5.0)
    assert config.upstream.watch_timeout_s == (5.0, 5.0)
    assert config.upstream.watch_list is False
    assert str(sources["upstream.watch_timeout_s"]) == f"{file}:3"


def test_every_environment_variable_is_understood() -> None:
    # What --print-config shows of a value can be written back through the environment.
    for path, setting, default in settings_of():
        if setting.file_only:
            continue
        shown = setting.kind.show(default)
        text = ",".join(map(str, shown)) if isinstance(shown, list) else str(shown if shown is not None else "")
        config, sources = load(environment={variable_of(path): text})
        assert config == Config(), path
        assert sources[path].kind == ("environment" if text else "default"), path


def test_lists_in_the_environment() -> None:
    config = load(environment={"TYPHA_ADVERTISE": "a.example:5473, [::1]:1"}).config
    assert config.advertise == (HostPort("a.example", 5473), HostPort("::1", 1))


def test_off() -> None:
    config = load(environment={"TYPHA_HEALTH": "off"}, flags={"admin": "off"}).config
    assert (config.health, config.admin) == (None, None)


def test_off_in_the_file_is_a_yaml_false(file: Path) -> None:
    file.write_text("health: off\n")
    assert load(file=file).config.health is None


@pytest.mark.parametrize(
    "name",
    ["TYPHA_SERVICE_HOST", "TYPHA_SERVICE_PORT", "TYPHA_SERVICE_PORT_AGENTS", "TYPHA_PORT", "TYPHA_PORT_5473_TCP_ADDR"],
)
def test_what_kubernetes_injects_for_a_service_named_typha_is_ignored(name: str) -> None:
    assert load(environment={name: "tcp://10.0.0.1:5473"}).config == Config()


def test_what_kubernetes_injects_for_a_service_named_typha_metrics_is_ignored() -> None:
    environment = {
        "TYPHA_METRICS_SERVICE_HOST": "10.0.0.1",
        "TYPHA_METRICS_SERVICE_PORT": "9095",
        "TYPHA_METRICS_SERVICE_PORT_HTTP": "9095",
        "TYPHA_METRICS_PORT": "tcp://10.0.0.1:9095",
        "TYPHA_METRICS_PORT_9095_TCP_PROTO": "tcp",
    }
    assert load(environment=environment).config == Config()
    del environment["TYPHA_METRICS_SERVICE_PORT"]
    assert len(problems(environment=environment)) == 4


def test_verify_is_known_and_checked() -> None:
    assert load(environment={"TYPHA_VERIFY": "1"}).config == Config()
    assert problem(environment={"TYPHA_VERIFY": "perhaps"}).key == "TYPHA_VERIFY"


def test_unknown_variable_is_named_with_a_hint() -> None:
    found = problem(environment={"TYPHA_LISTN": "x", "PATH": "/bin"})
    assert str(found).startswith(
        "environment: TYPHA_LISTN = 'x': is not a setting; did you mean TYPHA_LISTEN? (allowed:"
    )


def test_settings_of_the_file_alone_say_so_in_the_environment() -> None:
    found = problem(environment={"TYPHA_TOPICS": "{}"})
    assert str(found) == "environment: TYPHA_TOPICS = '{}': can be set in the file only (`topics` under --config)"


def test_a_value_that_may_be_secret_is_not_repeated() -> None:
    found = problem(environment={"TYPHA_TOKEN": "abc123"})
    assert "abc123" not in str(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "lisen: 127.0.0.1:1",
            "1: lisen = '127.0.0.1:1': is not a setting; did you mean listen? (allowed: topics, feeds,",
        ),
        (
            "\ntiming:\n  ping: 3",
            "3: timing.ping = 3: is not a setting; did you mean ping_interval_s? (allowed: round_pause_ms,",
        ),
        ("timing: 3", "1: timing = 3: is not a mapping"),
        ("tombstones: '7'", "1: tombstones = '7': is a text, not a number (a"),
        ("tombstones: 1.5", "1: tombstones = 1.5: is no whole number (a"),
        ("tombstones: true", "1: tombstones = True: is true/false, not a number (a"),
        ("tombstones: -1", "1: tombstones = -1: is out of range (allowed: a whole number from 0 to 10000000)"),
        ("timing: {max_age_s: .inf}", "1: timing.max_age_s = inf: is not finite (a"),
        (
            "timing: {max_age_s: 0.5}",
            "1: timing.max_age_s = 0.5: is out of range (allowed: a number from 1 to 604800, or 0 (never))",
        ),
        ("insecure: maybe", "1: insecure = 'maybe': is a text, not true or false (a"),
        ("listen: 5473", "1: listen = 5473: is a number, not an address (a"),
        ("listen: localhost", "1: listen = 'localhost': has no port (a"),
        (
            "listen: ':5473'",
            "1: listen = ':5473': has no host; every address of this machine is written 0.0.0.0:5473 (a",
        ),
        ("listen: ::1:5473", "1: listen = '::1:5473': has several colons; an IPv6 address stands in brackets (a"),
        ("listen: 'a b:1'", "1: listen = 'a b:1': has the host 'a b', which is neither an IP address nor a name (a"),
        ("listen: 127.0.0.1:99999", "1: listen = '127.0.0.1:99999': has the port '99999', which is no number"),
        ("listen: '[zz:]:1'", "1: listen = '[zz:]:1': has brackets around what is no IPv6 address (a"),
        ("life: 2", "1: life = 2: is a number, not a text (a"),
        ("life: a/b", "1: life = 'a/b': has characters that it may not have"),
        ("log: {format: xml}", "1: log.format = 'xml': is not one of the words (allowed: text or json)"),
        (
            "upstream: {watch_timeout_s: [600, 300]}",
            "1: upstream.watch_timeout_s = [600, 300]: has its upper end below",
        ),
        ("upstream: {watch_timeout_s: 300}", "1: upstream.watch_timeout_s = 300: is a number, not a pair (a"),
        ("advertise: [a]", "1: advertise = ['a']: has 'a', which has no port (a"),
        ("advertise: ['a:0']", "1: advertise = ['a:0']: has 'a:0', but others cannot connect to port 0"),
        ("topics: [pods]", "1: topics = ['pods']: is a list, not a mapping (a"),
        ("topics: {pods: v1/pods}", "1: topics = {'pods': 'v1/pods'}: has 'pods', which is a text, not a mapping (a"),
        ("feeds: {a: pods}", "1: feeds = {'a': 'pods'}: has 'a', which is not a list of topic names (a"),
    ],
)
def test_wrong_values_in_the_file(file: Path, text: str, expected: str) -> None:
    file.write_text(text + "\n")
    shown = str(problem(file=file))
    if expected.endswith("(a"):
        expected += "llowed: "
    assert shown.startswith(f"{file}:{expected}"), shown


def test_wrong_values_from_flag_and_environment_name_their_source() -> None:
    first, second = problems(flags={"listen": "x"}, environment={"TYPHA_TOMBSTONES": "many"})
    assert str(first).startswith("--listen: listen = 'x': has no port (allowed: HOST:PORT")
    assert str(second).startswith("environment TYPHA_TOMBSTONES: tombstones = 'many': is no whole number")


def test_a_wrong_value_is_wrong_also_where_another_overrides_it(file: Path) -> None:
    file.write_text("listen: nowhere\n")
    assert problem(flags={"listen": "127.0.0.1:1"}, file=file).source == f"{file}:1"


def test_all_problems_come_at_once(file: Path) -> None:
    file.write_text("listen: nowhere\nlog: {level: loud}\nnonsense: 1\ninsecure: 7\n")
    found = problems(flags={"health": "x"}, environment={"TYPHA_WRONG_NAME": "1"}, file=file)
    assert [each.key for each in found] == ["health", "TYPHA_WRONG_NAME", "listen", "log.level", "nonsense", "insecure"]
    assert found[2].source.endswith(":1")
    assert found[5].source.endswith(":4")


def test_long_values_are_shortened(file: Path) -> None:
    file.write_text(f"listen: {'x' * 500}\n")
    assert len(str(problem(file=file))) < 300
