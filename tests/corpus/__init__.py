"""Calico's data model by example: objects as written by a user, as served by the API server, as held by the topics.

Here belong the cases (`ROOM/NAME.yaml` and the two files made from it), `rules.txt` (every rule that needs a case) and
what makes and checks them. Forbidden here: expectations that are computed while a test runs. The files are the promise;
`expect` only writes a first draft, and every line of it is read against the rule that its case names.

    python -m tests.corpus record pods        # YAML -> NAME.served.jsonl, through a real API server
    python -m tests.corpus expect pods        # NAME.served.jsonl -> NAME.lines.jsonl, through the converters
    pytest tests/corpus

A case is one YAML document: an object, and beside it `x-rule` (a line of rules.txt), `x-why` (what it shows),
`x-delete: true` (deleted while a finalizer holds it) or `x-unservable: true` (no API server would take it; served as
written). A file named `*use-pod-cidr*` holds what the topics hold with that setting. Parts: `documents`, `resources`
(kinds), `crds`, `cluster` (apply and clean up), `recording`, `converters` (which one for which resource), `holding`
(what the topics hold), `rules`.
"""
