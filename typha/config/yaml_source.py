"""The configuration file: YAML read as nodes, so that every value keeps the line where it stands.

1. Duplicate keys are problems (YAML forbids them, PyYAML's loader takes the last one silently).
2. No tag runs code: values are built here from the plain types alone.
3. What a hostile or broken file can cost is bounded: its size, and the number of values its aliases unfold to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from typha.config.problems import Problem, shown

# A configuration of 1,000 topics is 100 KB; anything larger is not a configuration.
MAX_BYTES = 1 << 20
# The same file's values; aliases of aliases unfold exponentially ("billion laughs").
MAX_VALUES = 100_000

PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float", "null", "str")}


@dataclass(slots=True)
class YamlDocument:
    """The file's values as plain types, the line of each path (``timing.ping_interval_s`` -> 7), and what is wrong."""

    name: str
    values: dict[str, object] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: str) -> str:
        """``file:line`` of the path or of the nearest one above it that has a line."""
        probe = path
        while probe and probe not in self.lines:
            probe = probe[: max(probe.rfind("."), probe.rfind("["), 0)]
        return f"{self.name}:{self.lines[probe]}" if probe else self.name


def read_yaml(path: Path) -> YamlDocument:
    """Read a file; what cannot be read is a problem of the document, not an exception."""
    document = YamlDocument(str(path))
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
        document.problems.append(Problem("config", document.name, "", reason, "a readable YAML file"))
        return document
    if len(content) > MAX_BYTES:
        document.problems.append(Problem("config", document.name, "", "is too large", f"at most {MAX_BYTES} bytes"))
        return document
    parse_yaml(content, document)
    return document


def parse_yaml(content: bytes, document: YamlDocument) -> None:
    """Fill the document from YAML text."""
    try:
        root = yaml.compose(content, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{document.name}:{mark.line + 1}" if mark else document.name
        reason = " ".join(filter(None, (error.context, error.problem))) or "cannot be parsed"
        document.problems.append(Problem("config", place, "", f"is not YAML: {reason}"))
        return
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        document.problems.append(Problem("config", document.name, "", f"is not YAML: {reason}"))
        return
    if root is None:  # an empty file, or comments alone
        return
    if not isinstance(root, yaml.MappingNode):
        document.problems.append(
            Problem("config", f"{document.name}:{root.start_mark.line + 1}", "", "is not a mapping", "key: value lines")
        )
        return
    value = _Builder(document).build(root, "")
    if isinstance(value, dict):
        document.values = value


class _Builder:
    """Turns nodes into plain values and notes the line of each path."""

    def __init__(self, document: YamlDocument) -> None:
        self._document = document
        self._constructor = yaml.constructor.SafeConstructor()
        self._open: set[int] = set()
        self._values = 0

    def build(self, node: yaml.Node, path: str) -> object:
        self._values += 1
        if path:
            self._document.lines[path] = node.start_mark.line + 1
        if self._values > MAX_VALUES:
            if self._values == MAX_VALUES + 1:
                self._problem(node, path, "", f"unfolds to more than {MAX_VALUES} values")
            return None
        if id(node) in self._open:
            self._problem(node, path, "", "contains itself through an alias")
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item, f"{path}[{index}]") for index, item in enumerate(node.value)]
            return self._scalar(node, path)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, object]:
        built: dict[str, object] = {}
        first_lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(key_node, path, "", "has a key that is not a plain word")
                continue
            key = str(key_node.value)
            below = f"{path}.{key}" if path else key
            if key in built:
                place = f"{self._document.name}:{line}"
                reason = f"stands here again; it stood in line {first_lines[key]} already"
                self._document.problems.append(Problem(below, place, "", reason, "each key once"))
                continue
            first_lines[key] = line
            built[key] = self.build(value_node, below)
            self._document.lines[below] = line
        return built

    def _scalar(self, node: yaml.Node, path: str) -> object:
        text = str(node.value)
        if node.tag not in PLAIN_TAGS:
            if node.tag.startswith("tag:yaml.org,2002:"):  # a date, say: the operator meant its text
                return text
            self._problem(node, path, shown(path, text), f"has the tag {node.tag}")
            return text
        try:
            return self._constructor.construct_object(node)
        except (ValueError, yaml.YAMLError):
            return text

    def _problem(self, node: yaml.Node, path: str, value: str, reason: str) -> None:
        place = f"{self._document.name}:{node.start_mark.line + 1}"
        self._document.problems.append(Problem(path or "config", place, value, reason, "plain YAML values"))
