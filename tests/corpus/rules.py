"""rules.txt: the rules of Calico's data model that must be shown."""

from __future__ import annotations

from typing import Final, NamedTuple

from tests.corpus.documents import FOLDER

_SECTION_OF_CORRECTIONS: Final = "4.9"


class Rule(NamedTuple):
    """`shown_by`: the test that shows it where no case can, relative to this folder; else empty."""

    name: str
    text: str
    shown_by: str


def read_rules() -> dict[str, Rule]:
    """All rules by name."""
    rules = {}
    for line in (FOLDER / "rules.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        words = line.split()
        count = 2 if words[0] == _SECTION_OF_CORRECTIONS else 1
        text, _, shown_by = " ".join(words[count:]).partition(" [")
        name = " ".join(words[:count])
        rules[name] = Rule(name, text, shown_by.removesuffix("]"))
    return rules


def rule_name(cited: str) -> str:
    """The name in rules.txt of what a case cites: of `4.9 Failing lists` the first word counts, in either number."""
    words = cited.replace(",", " ").split()
    if words[:1] != [_SECTION_OF_CORRECTIONS] or len(words) < 2:
        return cited.strip()
    word = words[1].lower().rstrip(".:")
    names = [name for name in read_rules() if name.startswith(f"{_SECTION_OF_CORRECTIONS} {word.removesuffix('s')}")]
    return names[0] if names else cited.strip()
