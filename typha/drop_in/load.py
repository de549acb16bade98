"""Typha's parameters from the environment and its file, by Typha's own rules.

Place: `command` and `typha serve` call it first; `mapping` makes settings of the result.

1. Environment before file before default, whatever the case of the letters. (Typha lets a file's key in an unusual case
   go before the environment; an accident that is not repeated.)
2. An empty text is not set. ``none`` is the type's zero. An unknown name is told and ignored. A bad value is one
   warning and the default, except for vital parameters: there it is an error.
3. A file that does not exist is a bad value, but for the agents' port its absence must never mean plain text: `bad` has
   the parameter's name.
4. Nothing is logged here: notes and warnings are returned, because the level of the log is among the values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from typha.config.environment import CONFIG, VERIFY, injected_by_kubernetes, variable_of
from typha.config.load import settings_of
from typha.config.problems import Problem, did_you_mean, shown
from typha.drop_in.ini import IniError, parse_ini
from typha.drop_in.kinds import BadValueError
from typha.drop_in.parameters import (
    BY_NAME,
    DEFAULT_FILE,
    EARLY_LOG_SEVERITY,
    ENSURE_INITIALIZED,
    PARAMETERS,
    PREFIX,
    Parameter,
)

_NOT_PARAMETERS: Final = frozenset({EARLY_LOG_SEVERITY, ENSURE_INITIALIZED})


@dataclass(slots=True)
class Parameters:
    """All values, and all that there is to say about them."""

    values: dict[str, object] = field(default_factory=dict)
    """By Typha's name of the parameter; every parameter is there."""
    given: dict[str, str] = field(default_factory=dict)
    """Where a value was given, for those that were (``none`` counts, the empty text does not)."""
    bad: set[str] = field(default_factory=set)
    """Those of them whose text was bad, so that the default holds."""
    notes: list[str] = field(default_factory=list)
    """Worth a line at level info."""
    warnings: list[str] = field(default_factory=list)
    """Worth a line at level warning."""
    problems: list[Problem] = field(default_factory=list)
    """What ends the start."""

    def text(self, name: str) -> str:
        """A value of text."""
        return str(self.values[name])

    def number(self, name: str) -> float:
        """A value in seconds."""
        value = self.values[name]
        if not isinstance(value, int | float):
            raise TypeError(f"{name} is no number")
        return float(value)

    def whole(self, name: str) -> int:
        """A whole number."""
        return int(self.number(name))

    def switch(self, name: str) -> bool:
        """A bool."""
        return self.values[name] is True


def load_parameters(environment: Mapping[str, str], file: Path | None = DEFAULT_FILE) -> Parameters:
    """Read and judge each parameter for itself; what contradicts another is `mapping`'s to say.

    Variables of our own settings (`TYPHA_TIMING_...`) would be told as unknown: see `split_environment`.
    """
    result = Parameters(values={parameter.name: parameter.default_value for parameter in PARAMETERS})
    if file is not None:
        _take_file(file, result)
    _take_environment(environment, result)
    return result


def split_environment(environment: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """(what is not ours, what sets our own settings). The names cannot clash: no parameter is called as a setting."""
    names = {variable_of(path) for path, setting, _ in settings_of() if not setting.file_only} | {CONFIG, VERIFY}
    ours = {name: text for name, text in environment.items() if name in names}
    return {name: text for name, text in environment.items() if name not in names}, ours


def _take_file(file: Path, result: Parameters) -> None:
    try:
        content = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        result.notes.append(f"{file}: no such file; the environment and the defaults count")
        return
    except (OSError, UnicodeDecodeError) as error:
        result.problems.append(Problem(str(file), "Typha's file", "", f"cannot be read: {error}"))
        return
    try:
        ini = parse_ini(content, str(file))
    except IniError as error:
        result.problems.append(Problem(str(file), "Typha's file", "", str(error), "[section], # comment, key = value"))
        return
    result.warnings.extend(ini.notes)
    for entry in ini.entries.values():
        _take(entry.name, entry.text, f"{file}:{entry.line}", result)


def _take_environment(environment: Mapping[str, str], result: Parameters) -> None:
    services = injected_by_kubernetes(environment)
    for variable, text in sorted(environment.items()):
        if not variable.upper().startswith(PREFIX) or variable in services or variable in _NOT_PARAMETERS:
            continue
        _take(variable[len(PREFIX) :], text, f"environment {variable}", result)


def _take(name: str, text: str, place: str, result: Parameters) -> None:
    parameter = BY_NAME.get(name.lower())
    if parameter is None:
        close = did_you_mean(name.lower(), BY_NAME)
        result.notes.append(f"{place}: {name} is no parameter of Typha and is ignored{close}")
    elif not text:
        result.notes.append(f"{place}: {parameter.name} is empty and counts as not set; `none` would turn it off")
    elif text.lower() == "none":
        if parameter.may_be_none:
            _set(parameter, parameter.kind.zero, place, result)
        else:
            allowed = parameter.kind.allowed
            result.problems.append(Problem(parameter.name, place, "'none'", "cannot be turned off", allowed))
    else:
        _parse(parameter, text, place, result)


def _parse(parameter: Parameter, text: str, place: str, result: Parameters) -> None:
    try:
        value = parameter.kind.parse(text)
    except BadValueError as error:
        problem = Problem(parameter.name, place, shown(parameter.name, text), str(error), parameter.kind.allowed)
        result.given[parameter.name] = place
        result.bad.add(parameter.name)
        if parameter.is_vital:
            result.problems.append(problem)
        else:
            default = shown(parameter.name, parameter.default or "nothing")
            result.warnings.append(f"{problem}; the default is taken: {default}")
            result.values[parameter.name] = parameter.default_value
    else:
        _set(parameter, value, place, result)


def _set(parameter: Parameter, value: object, place: str, result: Parameters) -> None:
    result.values[parameter.name] = value
    result.given[parameter.name] = place
    result.bad.discard(parameter.name)
