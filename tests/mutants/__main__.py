"""`python -m tests.mutants`: mutmut on a copy of the tree, and a table of what was killed.

Invariants
1. The repository is not touched: mutants live in a copy below `.cache/mutants`, which is made anew at each run.
2. Only the corpus and the unit tests of converters kill, in a fixed order of examples: tests with random input would
   kill one day and not the next.
3. Each mutant runs in a process in which no converter has run before (mutmut's fork server): a cache filled by the
   right code would hide the wrong one.

Road not taken: cosmic-ray. It starts an interpreter for each mutant, some 1.5 s here, mutmut forks in 0.1 s. (mutmut
mutates functions only, not constants of modules.)
"""

from __future__ import annotations

import argparse
import ast
import difflib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
TREE: Final = ROOT / ".cache" / "mutants"
REASONS: Final = Path(__file__).parent / "survivors.txt"
MUTATED: Final = Path("typha/convert/calico")
COPIED: Final = (
    "typha",
    "client",
    "pyproject.toml",
    "tests/conftest.py",
    "tests/controlplane",
    "tests/corpus",
    "tests/convert",
)
# Without tests of random input (invariant 2), and those that look at files only.
_TESTS: Final = (
    "tests/corpus/test_corpus.py::test_objects_of_a_list_convert_into_the_lines",
    "tests/corpus/test_samples.py",
    "tests/corpus/test_forms.py",
    "tests/convert/calico",
    "--ignore=tests/convert/calico/test_any_object.py",
    "--ignore=tests/convert/calico/test_histories.py",
)
# mutmut puts two calls between each two of ours.
_RECURSION: Final = "\nimport sys\n\nsys.setrecursionlimit(6000)\n"
_GOAL: Final = 0.9
_SURVIVED, _NOT_TESTED, _NOT_RUN = 0, 33, None


class Mutant(NamedTuple):
    """One mutant: its module (as in `modules_of`), mutmut's name, and how its tests ended."""

    module: str
    name: str
    exit_code: int

    @property
    def is_killed(self) -> bool:
        """Also by a timeout or a crash."""
        return self.exit_code not in {_SURVIVED, _NOT_TESTED}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", help="as in typha/convert/calico: tier, text/selector; none: all")
    parser.add_argument("--fifth", action="store_true", help="every fifth mutant, for a first look")
    parser.add_argument("--processes", type=int, default=1, help="mutants at a time (default 1)")
    arguments = parser.parse_args()
    modules = arguments.modules or modules_of(ROOT / MUTATED)
    if unknown := [each for each in modules if not (ROOT / MUTATED / f"{each}.py").exists()]:
        sys.exit(f"error: there is no module {unknown[0]} in {MUTATED}. What to do: name one that is there")
    make_tree(modules)
    command = ["nice", "-n", "15", sys.executable, "-m", "mutmut", "run", "--max-children", str(arguments.processes)]
    if arguments.fifth:
        command += ["*__mutmut_3", "*__mutmut_8", "*__mutmut_*[0-9]3", "*__mutmut_*[0-9]8"]
    done = subprocess.run(command, cwd=TREE, env={**os.environ, "HISTORIES": "20", "CI": "1"}, check=False)
    mutants = [mutant for module in modules for mutant in read_mutants(module)]
    if not mutants:
        sys.exit(
            f"error: mutmut ended with {done.returncode} before the first mutant. What to do: see above; the tests"
            " have to pass without mutants"
        )
    reasons = read_reasons()
    survivors: dict[str, str] = {}
    for module in modules:
        survivors |= changes_of(module, [each.name for each in mutants if each.module == module and not each.is_killed])
    print_table(mutants, survivors, reasons)


def modules_of(folder: Path) -> list[str]:
    """`NAME` or `FOLDER/NAME` of each, sorted."""
    return sorted(str(each.relative_to(folder).with_suffix("")) for each in folder.rglob("[a-z]*.py"))


def make_tree(modules: Sequence[str]) -> None:
    """The copy, with mutmut's settings in its pyproject.toml."""
    shutil.rmtree(TREE, ignore_errors=True)
    for each in COPIED:
        target = TREE / each
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / each).is_dir():
            shutil.copytree(ROOT / each, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / each, target)
    with (TREE / "tests/conftest.py").open("a") as conftest:
        conftest.write(_RECURSION)
    settings: Mapping[str, object] = {
        "source_paths": ["typha"],
        "only_mutate": [f"{MUTATED}/{module}.py" for module in modules],
        "also_copy": ["client", "tests"],
        # The plugin of an editable install would import typha from the repository.
        "pytest_add_cli_args": ["-q", "-p", "no:typha_client", "-p", "no:cacheprovider"],
        "pytest_add_cli_args_test_selection": [*_TESTS],
        "process_isolation": "forkserver",
        "forkserver_warmup": "collect",
        # A mutant that loops: its tests' own time and this many times more, on a busy machine.
        "timeout_multiplier": 4.0,
        "timeout_constant": 5.0,
    }
    with (TREE / "pyproject.toml").open("a") as pyproject:
        # JSON lists and texts are TOML.
        pyproject.write(
            "\n[tool.mutmut]\n" + "".join(f"{key} = {json.dumps(each)}\n" for key, each in settings.items())
        )


def read_mutants(module: str) -> list[Mutant]:
    """Those that mutmut has run."""
    path = TREE / "mutants" / MUTATED / f"{module}.py.meta"
    if not path.exists():
        return []
    codes = json.loads(path.read_text())["exit_code_by_key"]
    return [Mutant(module, name, code) for name, code in codes.items() if code is not _NOT_RUN]


def read_reasons() -> dict[str, str]:
    """Survivors that are known: what was changed -> why no test can see it. Two lines each, the reason indented."""
    reasons = {}
    change = ""
    for line in REASONS.read_text().splitlines() if REASONS.exists() else ():
        if line.startswith("    "):
            reasons[change] = line.strip()
        elif line and not line.startswith("#"):
            change = line.strip()
    return reasons


def changes_of(module: str, names: Sequence[str]) -> dict[str, str]:
    """Each mutant's name -> `module.function: old -> new`, which stays the same when the code around it moves."""
    if not names:
        return {}
    source = (TREE / "mutants" / MUTATED / f"{module}.py").read_text()
    lines = source.split("\n")
    # mutmut writes the right function and each mutant of it beside each other, under names of their own.
    bodies = {
        each.name: [line.strip().replace(each.name, "") for line in lines[each.lineno - 1 : each.end_lineno]]
        for each in ast.walk(ast.parse(source))
        if isinstance(each, ast.FunctionDef) and "__mutmut_" in each.name
    }
    found = {}
    for name in names:
        own = name.rpartition(".")[2]
        mangled, _, _ = own.rpartition("__mutmut_")
        right, wrong = bodies[f"{mangled}__mutmut_orig"], bodies[own]
        old = [line[2:] for line in difflib.ndiff(right, wrong) if line.startswith("- ")]
        new = [line[2:] for line in difflib.ndiff(right, wrong) if line.startswith("+ ")]
        function = mangled.removeprefix("x_").removeprefix("x\u01c1").replace("\u01c1", ".")
        found[name] = f"{module}.{function}: {' '.join(old)} -> {' '.join(new)}"
    return found


def print_table(mutants: Sequence[Mutant], survivors: Mapping[str, str], reasons: Mapping[str, str]) -> None:
    """Each survivor, then the kill rate by module; an error below the goal, or where a reason is missing."""
    made = Counter(mutant.module for mutant in mutants)
    killed = Counter(mutant.module for mutant in mutants if mutant.is_killed)
    say = sys.stdout.write
    for mutant in mutants:
        if mutant.name in survivors:
            change = survivors[mutant.name]
            say(f"{change}\n    {reasons.get(change, 'not tested' if mutant.exit_code == _NOT_TESTED else '?')}\n")
    say(f"\n{'MODULE':<28}{'MUTANTS':>8}{'KILLED':>8}{'RATE':>7}\n")
    for module in made:
        say(f"{module:<28}{made[module]:>8}{killed[module]:>8}{killed[module] / made[module]:>7.1%}\n")
    rate = killed.total() / made.total()
    say(f"{'all':<28}{made.total():>8}{killed.total():>8}{rate:>7.1%}\n")
    unknown = [change for change in survivors.values() if change not in reasons]
    if rate < _GOAL or unknown:
        sys.exit(f"{rate:.1%} killed (goal {_GOAL:.0%}); {len(unknown)} survivors without a reason in {REASONS.name}")


if __name__ == "__main__":
    main()
