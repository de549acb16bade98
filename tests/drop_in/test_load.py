"""Typha's rules of reading: case, none, empty, unknown, bad, precedence."""

from __future__ import annotations

from pathlib import Path

import pytest

from typha.drop_in.load import load_parameters, split_environment
from typha.drop_in.parameters import PARAMETERS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "typha.cfg"


def test_nothing_given_is_all_defaults(file: Path) -> None:
    parameters = load_parameters({"HOME": "/root"}, file)
    assert parameters.values == {each.name: each.default_value for each in PARAMETERS}
    assert not parameters.given
    assert not parameters.warnings
    assert not parameters.problems
    assert parameters.notes == [f"{file}: no such file; the environment and the defaults count"]


@pytest.mark.parametrize("variable", ["TYPHA_HEALTHPORT", "typha_healthport", "Typha_HealthPort"])
def test_names_have_no_case(variable: str) -> None:
    parameters = load_parameters({variable: "1234"}, None)
    assert parameters.whole("HealthPort") == 1234
    assert parameters.given == {"HealthPort": f"environment {variable}"}


def test_the_environment_goes_before_the_file_whatever_the_case(file: Path) -> None:
    file.write_text("healthPORT = 1\nClientCN = file\n")
    parameters = load_parameters({"TYPHA_HEALTHPORT": "2"}, file)
    assert parameters.whole("HealthPort") == 2
    assert parameters.text("ClientCN") == "file"
    assert parameters.given["ClientCN"] == f"{file}:2"


@pytest.mark.parametrize("word", ["none", "None", "NONE"])
def test_none_is_the_zero_of_the_type(word: str) -> None:
    names = {"LogFilePath": "", "LogSeveritySys": "", "HealthPort": 0, "ServerPingIntervalSecs": 0.0}
    names |= {"PrometheusGoMetricsEnabled": False, "EtcdEndpoints": (), "ConnectionRebalancingMode": ""}
    parameters = load_parameters({f"TYPHA_{name.upper()}": word for name in names}, None)
    assert {name: parameters.values[name] for name in names} == names
    assert not parameters.warnings
    assert not parameters.problems


def test_empty_is_not_set(file: Path) -> None:
    file.write_text("HealthPort = 1\n")
    parameters = load_parameters({"TYPHA_HEALTHPORT": ""}, file)
    assert parameters.whole("HealthPort") == 1
    assert "empty" in parameters.notes[0]


def test_unknown_is_told_and_ignored() -> None:
    parameters = load_parameters({"TYPHA_HEALTHPROT": "1", "TYPHA_XY": "1"}, None)
    assert parameters.notes == [
        "environment TYPHA_HEALTHPROT: HEALTHPROT is no parameter of Typha and is ignored; did you mean healthport?",
        "environment TYPHA_XY: XY is no parameter of Typha and is ignored",
    ]
    assert not parameters.warnings


def test_what_kubernetes_injects_is_not_even_told() -> None:
    injected = {"TYPHA_SERVICE_HOST": "10.0.0.1", "TYPHA_SERVICE_PORT": "5473", "TYPHA_PORT": "tcp://10.0.0.1:5473"}
    assert not load_parameters(injected, None).notes


def test_a_bad_value_is_one_warning_and_the_default() -> None:
    parameters = load_parameters({"TYPHA_HEALTHPORT": "65536"}, None)
    assert parameters.whole("HealthPort") == 9098
    assert parameters.bad == {"HealthPort"}
    (warning,) = parameters.warnings
    assert warning.startswith("environment TYPHA_HEALTHPORT: HealthPort = '65536': is out of range")
    assert warning.endswith("(allowed: a whole number, 0 to 65535); the default is taken: '9098'")


def test_a_bad_value_in_the_environment_hides_the_files_good_one(file: Path) -> None:
    file.write_text("HealthPort = 1\n")
    assert load_parameters({"TYPHA_HEALTHPORT": "x"}, file).whole("HealthPort") == 9098


def test_a_good_value_in_the_environment_mends_the_files_bad_one(file: Path) -> None:
    file.write_text("HealthPort = x\n")
    parameters = load_parameters({"TYPHA_HEALTHPORT": "1"}, file)
    assert parameters.whole("HealthPort") == 1
    assert not parameters.bad
    assert len(parameters.warnings) == 1


@pytest.mark.parametrize("text", ["mysql", "none"])
def test_a_vital_parameter_ends_the_start(text: str) -> None:
    (problem,) = load_parameters({"TYPHA_DATASTORETYPE": text}, None).problems
    assert problem.key == "DatastoreType"
    assert problem.allowed == "kubernetes, etcdv3"


def test_a_value_that_looks_secret_is_not_repeated() -> None:
    (warning,) = load_parameters({"TYPHA_HEALTHENABLED": "Bearer abcdef"}, None).warnings
    assert "abcdef" not in warning
    assert "(hidden)" in warning


@pytest.mark.parametrize("content", ["[open", "nonsense"])
def test_a_malformed_file_ends_the_start(file: Path, content: str) -> None:
    file.write_text(content)
    (problem,) = load_parameters({}, file).problems
    assert f"{file}:1" in str(problem)


def test_an_unreadable_file_ends_the_start(tmp_path: Path) -> None:
    (problem,) = load_parameters({}, tmp_path).problems
    assert "cannot be read" in str(problem)


def test_a_key_that_stands_twice_is_a_warning(file: Path) -> None:
    file.write_text("HealthPort = 1\nHealthPort = 2\n")
    parameters = load_parameters({}, file)
    assert parameters.whole("HealthPort") == 2
    assert len(parameters.warnings) == 1


def test_our_own_settings_are_told_apart() -> None:
    environment = {"TYPHA_TIMING_PING_INTERVAL_S": "5", "TYPHA_HEALTHPORT": "1", "TYPHA_CONFIG": "x", "PATH": "/bin"}
    typhas, ours = split_environment(environment)
    assert typhas == {"TYPHA_HEALTHPORT": "1", "PATH": "/bin"}
    assert ours == {"TYPHA_TIMING_PING_INTERVAL_S": "5", "TYPHA_CONFIG": "x"}


def test_no_parameter_is_called_like_a_setting_of_ours() -> None:
    names = {each.variable: "" for each in PARAMETERS}
    assert split_environment(names) == (names, {})
