"""The `form` of every built-in converter: what agents and replicas compare to know whether values mean the same.

forms.json pins them. A form that changed by accident sends every agent a snapshot; values that changed under an old
form leave replicas that disagree. After a change of a converter's results, raise its version and run
`python -m tests.corpus forms`.
"""

from __future__ import annotations

import inspect
import json
from typing import Final

from tests.corpus.converters import CALICO, TOPICS, converter_of
from tests.corpus.documents import FOLDER
from tests.corpus.resources import CALICO_CRD, CALICO_V3

PATH: Final = FOLDER / "forms.json"


def forms() -> dict[str, str]:
    """`topic group [use_pod_cidr]` -> form, for every converter that a server can make without other settings."""
    found = {}
    for row in TOPICS:
        for group in (CALICO_CRD, CALICO_V3) if row.group == CALICO else (row.group,):
            plain = converter_of(row, group, use_pod_cidr=row.pod_cidr or False)
            assert plain is not None
            name = f"{row.topic} {group or 'core'}"
            found[name] = plain.form
            if row.pod_cidr is None and "use_pod_cidr" in inspect.signature(type(plain)).parameters:
                other = converter_of(row, group, use_pod_cidr=True)
                assert other is not None
                found[f"{name} use_pod_cidr"] = other.form
    return found


def write_forms() -> None:
    """Writes forms.json."""
    PATH.write_text(json.dumps(forms(), indent=2, sort_keys=True) + "\n")
