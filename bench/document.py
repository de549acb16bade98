"""``python -m bench report``: the pictures, and the figures in docs/benchmarks.md and docs/scaling.md, from results.

The pages' text is written by hand; what stands between ``<!-- figures: NAME -->`` and ``<!-- end -->`` is replaced by
what the results say. A block that the page does not have is not written.
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench import goals, plots, scaling
from bench.goal_rows import ROWS
from bench.goals import Document
from bench.report import markdown_table, number, say

QUESTION: Final = "docs/benchmarks.md, docs/scaling.md and the pictures from the stored results: what do they say now?"
_DOCS: Final = Path(__file__).parent.parent / "docs"
PAGE: Final = _DOCS / "benchmarks.md"
SCALING: Final = _DOCS / "scaling.md"
_BLOCK: Final = re.compile(r"(<!-- figures: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
# Shown in a section of its own.
_APART: Final = ("profile",)


class UnknownBlock(LookupError):  # noqa: N818 - the page's fault, told as it is
    """The page asks for a block that nobody writes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(options: argparse.Namespace) -> int:
    """0; the pages and the pictures are written."""
    documents = goals.stored_documents()
    plots.draw({document["bench"]: document for document in documents}, plots.PLOTS)
    for page in (PAGE, SCALING):
        page.write_text(fill(page.read_text(encoding="utf-8"), documents), encoding="utf-8")
        say(f"report: {page}")
    return 0


def fill(page: str, documents: Sequence[Document]) -> str:
    """The page with every block as the results have it. Raises UnknownBlock."""

    def block(found: re.Match[str]) -> str:
        name = found["name"]
        if name not in blocks:
            raise UnknownBlock(f"no block {name!r}; there are {', '.join(blocks)}")
        return f"{found[1]}\n{blocks[name](documents)}\n\n{found[3]}"

    blocks = {**BLOCKS, **scaling.BLOCKS}

    return _BLOCK.sub(block, page)


def _machines(documents: Sequence[Document]) -> str:
    lines: dict[str, list[str]] = {}
    for document in documents:
        machine, versions = document["machine"], document["versions"]
        memory_gb = machine["memory_bytes"] / 1e9
        line = f"{machine['cores']} cores of {machine['processor']}, {memory_gb:.0f} GB, {machine['system']}, "
        line += f"CPython {versions['python']}, uvloop {versions['uvloop']}"
        lines.setdefault(line, []).append(document["bench"])
    if len(lines) == 1:
        return f"All on one machine: {next(iter(lines))}."
    return "\n".join(f"- {line}: {', '.join(benches)}" for line, benches in lines.items())


def _goals(documents: Sequence[Document]) -> str:
    judged = goals.judge(ROWS, documents)
    rows = []
    for each in judged:
        value = "" if each.value is None else f"{number(each.value)} {each.unit}".rstrip()
        verdict = f"**{each.verdict}**" if each.verdict is goals.Verdict.MISSED else str(each.verdict)
        rows.append((each.measure, each.goal, value, verdict, each.note))
    met = len(judged) - len(goals.missed(judged))
    return f"{met} of {len(judged)} are met.\n\n" + markdown_table(("measure", "goal", "value", "", ""), rows)


def _slopes(documents: Sequence[Document]) -> str:
    growth = [each for document in documents if document["bench"] == "growth" for each in document["figures"]]
    rows = [(each["name"], _value(each)) for each in growth if " costs" in each["name"]]
    return markdown_table(("what", "costs"), [(name.replace(" costs", ""), value) for name, value in rows])


def _profile(documents: Sequence[Document]) -> str:
    found = [document for document in documents if document["bench"] == "profile"]
    if not found:
        return "Not run."
    rows = [(*each["name"].split(": ", 1), f"{each['value']:.1f} %") for each in found[0]["figures"]]
    return origin(found[0]) + "\n\n" + markdown_table(("of", "on top of the stack", "of samples"), rows)


def _all(documents: Sequence[Document]) -> str:
    shown = [document for document in documents if document["bench"] not in _APART]
    return "\n\n".join(f"### {each['bench']}\n\n{origin(each)}\n\n{figures(each)}" for each in shown)


def figures(document: Document) -> str:
    """The table of one result."""
    rows = [(each["name"], _value(each), _goal(each)) for each in document["figures"]]
    return markdown_table(("figure", "value", "goal"), rows)


def origin(document: Document) -> str:
    """Which run a result is of: no two runs have the same."""
    commit = str(document["commit"] or "none")
    changed = ", with changes" if commit.endswith("+") else ""
    return f"`{shlex.join(document['command'])}` at {document['at']}, commit {commit[:12]}{changed}."


def _value(figure: Mapping[str, Any]) -> str:
    return f"{number(figure['value'])} {figure['unit']}".rstrip()


def _goal(figure: Mapping[str, Any]) -> str:
    if figure["at_most"] is not None:
        goal = f"<= {number(figure['at_most'])}"
    elif figure["at_least"] is not None:
        goal = f">= {number(figure['at_least'])}"
    else:
        return ""
    return goal if figure["holds"] else f"{goal}, **missed**"


BLOCKS: Final[Mapping[str, Callable[[Sequence[Document]], str]]] = {
    "machines": _machines,
    "goals": _goals,
    "slopes": _slopes,
    "profile": _profile,
    "all": _all,
}
