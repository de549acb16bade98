"""From flags, environment and file to a Config: flags > environment > file > default.

1. Every source is checked, also where another overrides it: a wrong line in a file is wrong before its flag is gone.
2. All problems come together, in one ConfigError; the order is flags, environment, file, contradictions.
3. The source of each value is kept: ``--print-config`` shows it and errors name it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from typha.config.contradictions import find_contradictions
from typha.config.environment import CONFIG, VERIFY, unknown_variables, variable_of
from typha.config.kinds import File, Kind, Switch, WrongValueError
from typha.config.model import Config
from typha.config.problems import ConfigError, Problem, did_you_mean, shown
from typha.config.setting import Setting
from typha.config.yaml_source import YamlDocument, read_yaml


class Source(NamedTuple):
    """Where a value came from: ``kind`` is flag, environment, file or default; ``place`` where to go to change it."""

    kind: str
    place: str

    def __str__(self) -> str:
        return self.kind if self.kind == "default" else self.place


class Loaded(NamedTuple):
    """A valid configuration and the source of each of its values, by path."""

    config: Config
    sources: Mapping[str, Source]


DEFAULT = Source("default", "default")


def settings_of(stage: type = Config, above: str = "") -> Iterator[tuple[str, Setting, object]]:
    """(path, setting, default) of every setting, in the order in which they are declared."""
    hints = get_type_hints(stage)
    for declared in dataclasses.fields(stage):
        path = f"{above}.{declared.name}" if above else declared.name
        if "setting" in declared.metadata:
            factory = declared.default_factory
            default = declared.default if factory is dataclasses.MISSING else factory()
            yield path, declared.metadata["setting"], default
        else:
            yield from settings_of(hints[declared.name], path)


def stages_of() -> dict[str, type]:
    """The nested stages by name: ``tls``, ``limits``, ..."""
    hints = get_type_hints(Config)
    return {each.name: hints[each.name] for each in dataclasses.fields(Config) if "setting" not in each.metadata}


def load(
    *,
    flags: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
    open_files: bool = True,
) -> Loaded:
    """Join the sources and judge the result.

    ``flags`` maps paths (``listen``) to their text, without those that were not given. ``file`` is --config; without
    it ``TYPHA_CONFIG`` names the file, and without that there is none. ``open_files=False``, for commands that run
    elsewhere than the server, does not judge the files that settings name. Raises ConfigError with all that is wrong.
    """
    flags, environment = flags or {}, environment or {}
    settings = {path: setting for path, setting, _ in settings_of()}
    values = {path: default for path, _, default in settings_of()}
    sources = dict.fromkeys(values, DEFAULT)
    problems: list[Problem] = []

    if file is None and environment.get(CONFIG):
        file = Path(environment[CONFIG])
    document = read_yaml(file) if file is not None else YamlDocument("")

    def take(path: str, raw: object, source: Source, *, text: bool, kind: Kind | None = None) -> None:
        kind = kind or settings[path].kind
        try:
            values[path] = kind.read(raw, text=text)
            sources[path] = source
        except WrongValueError as error:
            problems.append(Problem(path, source.place, shown(path, raw), str(error), kind.allowed))

    # From the weakest source to the strongest, so that the last one stays.
    for path, raw in _flat(document, settings, problems):
        take(path, raw, Source("file", document.place(path)), text=False)
    problems = [*document.problems, *problems]
    file_problems, problems = problems, []

    variables = {variable_of(path): path for path, setting in settings.items() if not setting.file_only}
    for name, path in variables.items():
        alias = settings[path].alias
        if alias is not None and environment.get(alias.variable):
            take(path, environment[alias.variable], _variable(alias.variable), text=True, kind=alias.kind)
        if environment.get(name):  # empty means not set, as everywhere in Kubernetes manifests
            take(path, environment[name], _variable(name), text=True)
    problems.extend(_unknown(environment, variables))
    if VERIFY in environment:
        problems.extend(_wrong(VERIFY, environment[VERIFY], Switch()))
    environment_problems, problems = problems, []

    for path, text in flags.items():
        take(path, text, Source("flag", "--" + path.replace(".", "-").replace("_", "-")), text=True)

    problems = [*problems, *environment_problems, *file_problems]
    config = _build(Config, values)
    # A contradiction between values of which one was not understood would be noise.
    wrong = {problem.key.split("[")[0] for problem in problems}
    problems.extend(
        problem
        for problem in find_contradictions(config, lambda path: _place(path, sources, document))
        if problem.key not in wrong and (open_files or not _names_a_file(settings, problem.key))
    )
    if problems:
        raise ConfigError(problems)
    return Loaded(config, sources)


def _names_a_file(settings: Mapping[str, Setting], path: str) -> bool:
    return path in settings and isinstance(settings[path].kind, File)


def _variable(name: str) -> Source:
    return Source("environment", f"environment {name}")


def _place(path: str, sources: Mapping[str, Source], document: YamlDocument) -> str:
    """Where to go to change ``path``; below a topic or a feed it is the line of that part."""
    top = path
    while top not in sources and "." in top:
        top = top.rpartition(".")[0]
    source = sources.get(top.split("[")[0], DEFAULT)
    return document.place(path) if source.kind == "file" else str(source)


def _flat(
    document: YamlDocument, settings: Mapping[str, Setting], problems: list[Problem]
) -> Iterator[tuple[str, object]]:
    """(path, raw value) of each setting in the file; unknown keys and stages that are no mappings are problems."""
    stages = stages_of()
    for key, raw in document.values.items():
        if key in settings:
            yield key, raw
        elif key in stages and isinstance(raw, dict):
            names = [path.partition(".")[2] for path in settings if path.startswith(f"{key}.")]
            for name, below in raw.items():
                if name in names:
                    yield f"{key}.{name}", below
                else:
                    problems.append(_unknown_key(f"{key}.{name}", below, name, names, document))
        elif key in stages:
            names = [path.partition(".")[2] for path in settings if path.startswith(f"{key}.")]
            allowed = "a mapping with " + ", ".join(names)
            problems.append(Problem(key, document.place(key), shown(key, raw), "is not a mapping", allowed))
        else:
            known = [path for path in settings if "." not in path] + list(stages)
            problems.append(_unknown_key(key, raw, key, known, document))


def _unknown_key(path: str, raw: object, name: str, known: list[str], document: YamlDocument) -> Problem:
    reason = "is not a setting" + did_you_mean(name, known)
    return Problem(path, document.place(path), shown(path, raw), reason, ", ".join(known))


def _unknown(environment: Mapping[str, str], variables: Mapping[str, str]) -> Iterator[Problem]:
    in_file = {variable_of(path): path for path, setting, _ in settings_of() if setting.file_only}
    for name in unknown_variables(environment, variables):
        if name in in_file:
            reason = f"can be set in the file only (`{in_file[name]}` under --config)"
            yield Problem(name, "environment", shown(name, environment[name]), reason)
            continue
        reason = "is not a setting" + did_you_mean(name, [*variables, VERIFY, CONFIG])
        allowed = "what `typha serve --print-config -o json` lists; TYPHA_SERVICE_* and TYPHA_PORT* are ignored"
        yield Problem(name, "environment", shown(name, environment[name]), reason, allowed)


def _wrong(name: str, text: str, kind: Kind) -> Iterator[Problem]:
    try:
        kind.read(text, text=True)
    except WrongValueError as error:
        yield Problem(name, "environment", shown(name, text), str(error), kind.allowed)


def _build(stage: type, values: Mapping[str, object], above: str = "") -> Any:
    hints = get_type_hints(stage)
    arguments: dict[str, object] = {}
    for declared in dataclasses.fields(stage):
        path = f"{above}{declared.name}"
        if "setting" in declared.metadata:
            arguments[declared.name] = values[path]
        else:
            arguments[declared.name] = _build(hints[declared.name], values, f"{path}.")
    return stage(**arguments)
