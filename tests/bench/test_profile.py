"""Top functions of a profile: no thread that only waits, lines of one function together, paths as in the repository."""

from __future__ import annotations

from bench.profile import Function, top


def test_top() -> None:
    frames = [
        {"name": "main", "file": "/home/x/repo/typha/__main__.py"},
        {"name": "write", "file": "/venv/lib/site-packages/uvloop/loop.py", "line": 3},
        {"name": "write", "file": "/venv/lib/site-packages/uvloop/loop.py", "line": 4},
        {"name": "select", "file": "/usr/lib/python3.11/selectors.py"},
    ]
    profile = {
        "shared": {"frames": frames},
        "profiles": [
            {"name": 'Thread 1 ""', "samples": [[0, 1], [0, 2], [0], []]},
            {"name": 'Thread 2 "typha-observe"', "samples": [[3], [3], [3], [3]]},
        ],
    }
    assert top(profile) == [Function("write (uvloop/loop.py)", 2, 2), Function("main (typha/__main__.py)", 1, 3)]
