"""Calico's selector language: text to a small tree, prefixes on label names, and Calico's canonical text.

Place: `rules` and the policy converters read every selector of an object here before they join it into a longer one;
text that does not parse never becomes part of a value.

Invariants
1. `parse` accepts what Calico's parser accepts (libcalico-go `selector/tokenizer` and `selector/parser`), within the
   limits below, and raises SelectorError for all else. Its work grows with the length of the text alone.
2. `render(parse(text))` is what Calico's `String()` prints for `text`, byte for byte.
3. Trees are immutable; a prefix gives another tree.

The grammar: terms joined by `&&`, these by `||`; a term is `!`term, `(selector)`, `has(label)`, `all()`, `global()`,
`label OP "text"` (`==`, `!=`, `contains`, `starts with`, `ends with`) or `label in {"a", "b"}` (or `not in`). Strings
stand in single or double quotes and know no escapes; white space is blanks and tabs; an empty selector is `all()`.

Road not taken: tokens first, then a tree. Which word is an operator depends on whether a label stood before it, so one
scanner that knows where it is says the same in half the code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from typha.convert.converter import ConversionError

__all__ = [
    "MAX_LENGTH",
    "MAX_NESTING",
    "Call",
    "Comparison",
    "Has",
    "Joined",
    "Membership",
    "Node",
    "Not",
    "SelectorError",
    "is_label_name",
    "parse",
    "prefixed",
    "render",
]

MAX_LENGTH: Final = 256 * 1024
"""Characters. Calico's CRDs stop at 1024 in rules; the longest that other fields can hold in practice is a set of some
thousand values."""

MAX_NESTING: Final = 100
"""Open parentheses. Each takes three frames of Python's stack, of which it has 1000 by default."""

_SPACE: Final = re.compile(r"[ \t]*")
_LABEL: Final = re.compile(r"[a-zA-Z0-9_./-]+")
_HAS: Final = re.compile(r"has\([ \t]*([a-zA-Z0-9_./-]+)[ \t]*\)")
_CALL: Final = re.compile(r"(all|global)\([ \t]*\)")
# A word needs no blank after it: `a in{"b"}`, `a notin {"b"}` and `a contains"b"` are good.
_OPERATOR: Final = re.compile(r"[ \t]*(==|!=|contains|starts[ \t]*with|ends[ \t]*with|not[ \t]*in|in)")
_STRING: Final = re.compile(r"""[ \t]*(?:"([^"]*)"|'([^']*)')""")
_FUNCTIONS: Final = ("has(", "all(", "global(")
_WORDS: Final = {"s": "starts with", "e": "ends with", "n": "not in"}


class SelectorError(ConversionError):
    """`field` holds no selector; the reason says what was expected where. `position` counts characters from 1."""

    def __init__(self, field: str, problem: str, position: int) -> None:
        self.position = position
        super().__init__(f"{field}: {problem} at character {position}")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A label beside a text: `operator` is `==`, `!=`, `contains`, `starts with` or `ends with`."""

    label: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class Membership:
    """A label and a set: `operator` is `in` or `not in`; `values` are sorted and distinct."""

    label: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Has:
    """The label is there."""

    label: str


@dataclass(frozen=True, slots=True)
class Call:
    """`all` or `global`."""

    name: str


@dataclass(frozen=True, slots=True)
class Not:
    """The operand does not match."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Joined:
    """Two operands or more, all joined by one `operator`: `&&` or `||`."""

    operator: str
    operands: tuple[Node, ...]


Node = Comparison | Membership | Has | Call | Not | Joined


def parse(text: str, field: str = "selector") -> Node:
    """The tree of `text`; `field` names it in errors. Raises SelectorError."""
    if len(text) > MAX_LENGTH:
        raise SelectorError(field, f"longer than {MAX_LENGTH} characters, cut it", MAX_LENGTH + 1)
    scanner = _Scanner(text, field)
    if scanner.at_end():
        return Call("all")
    node = scanner.alternatives()
    if not scanner.at_end():
        raise scanner.error("expected && or || or the end")
    return node


def render(node: Node) -> str:
    """Calico's canonical text: operators between single blanks, double quotes unless the text has one inside, every
    group of `&&` or `||` in parentheses."""
    fragments: list[str] = []
    _render(node, fragments)
    return "".join(fragments)


def prefixed(node: Node, prefix: str) -> Node:
    """The same selector about labels whose names start with `prefix`."""
    if isinstance(node, Call):
        return node
    if isinstance(node, Not):
        return Not(prefixed(node.operand, prefix))
    if isinstance(node, Joined):
        return Joined(node.operator, tuple(prefixed(operand, prefix) for operand in node.operands))
    return replace(node, label=prefix + node.label)


def is_label_name(text: str) -> bool:
    """Whether `text` can stand as a label in a selector."""
    return _LABEL.fullmatch(text) is not None


def _quoted(value: str) -> str:
    quote = "'" if '"' in value else '"'
    return f"{quote}{value}{quote}"


def _render(node: Node, fragments: list[str]) -> None:
    if isinstance(node, Comparison):
        fragments.append(f"{node.label} {node.operator} {_quoted(node.value)}")
    elif isinstance(node, Membership):
        fragments.append(f"{node.label} {node.operator} {{{', '.join(map(_quoted, node.values))}}}")
    elif isinstance(node, Has):
        fragments.append(f"has({node.label})")
    elif isinstance(node, Call):
        fragments.append(f"{node.name}()")
    elif isinstance(node, Not):
        fragments.append("!")
        _render(node.operand, fragments)
    else:
        separator = "("
        for operand in node.operands:
            fragments.append(separator)
            _render(operand, fragments)
            separator = f" {node.operator} "
        fragments.append(")")


class _Scanner:
    """One pass over one text: each method reads its part of the grammar and moves `_at` behind it."""

    __slots__ = ("_at", "_depth", "_field", "_text")

    def __init__(self, text: str, field: str) -> None:
        self._text = text
        self._field = field
        self._at = 0
        self._depth = 0

    def at_end(self) -> bool:
        self._skip_space()
        return self._at == len(self._text)

    def error(self, problem: str) -> SelectorError:
        return SelectorError(self._field, problem, self._at + 1)

    def alternatives(self) -> Node:
        """Groups joined by `||`, which binds least."""
        operands = [self._conjunction()]
        while self._take("||"):
            operands.append(self._conjunction())
        return operands[0] if len(operands) == 1 else Joined("||", tuple(operands))

    def _conjunction(self) -> Node:
        operands = [self._term()]
        while self._take("&&"):
            operands.append(self._term())
        return operands[0] if len(operands) == 1 else Joined("&&", tuple(operands))

    def _term(self) -> Node:
        negated = False
        while self._take("!"):  # any number of them: the text's length may be no depth of calls
            negated = not negated
        node = self._operation()
        return Not(node) if negated else node

    def _operation(self) -> Node:
        if self._take("("):
            return self._group()
        if found := _HAS.match(self._text, self._at):
            self._at = found.end()
            return Has(found[1])
        if found := _CALL.match(self._text, self._at):
            self._at = found.end()
            return Call(found[1])
        if self._text.startswith(_FUNCTIONS, self._at):
            raise self.error("expected has(LABEL), all() or global()")
        label = _LABEL.match(self._text, self._at)
        if label is None:
            raise self.error("expected a label, has(), all(), global(), ! or (")
        self._at = label.end()
        return self._comparison(label[0])

    def _group(self) -> Node:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise self.error(f"more than {MAX_NESTING} parentheses inside each other")
        node = self.alternatives()
        if not self._take(")"):
            raise self.error("expected )")
        self._depth -= 1
        return node

    def _comparison(self, label: str) -> Node:
        found = _OPERATOR.match(self._text, self._at)
        if found is None:
            self._skip_space()
            raise self.error("expected ==, !=, in, not in, contains, starts with or ends with")
        self._at = found.end()
        operator = _WORDS.get(found[1][0], found[1])
        if operator in {"in", "not in"}:
            return Membership(label, operator, self._set())
        value = self._string()
        if value is None:
            raise self.error("expected a text in quotes")
        return Comparison(label, operator, value)

    def _set(self) -> tuple[str, ...]:
        if not self._take("{"):
            raise self.error("expected {")
        values: set[str] = set()
        while (value := self._string()) is not None:  # a set may be empty, and may end with a comma
            values.add(value)
            if not self._take(","):
                break
        if not self._take("}"):
            raise self.error("expected a text in quotes, a comma or }")
        return tuple(sorted(values))

    def _string(self) -> str | None:
        found = _STRING.match(self._text, self._at)
        if found is None:
            self._skip_space()
            return None
        self._at = found.end()
        return found[1] if found[1] is not None else found[2]

    def _take(self, symbol: str) -> bool:
        self._skip_space()
        if self._text.startswith(symbol, self._at):
            self._at += len(symbol)
            return True
        return False

    def _skip_space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
