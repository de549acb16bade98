"""Forms are pinned, and two converters of one form are one converter."""

import inspect
import json
from typing import Any

from tests.corpus.converters import TOPICS, converter_of
from tests.corpus.forms import PATH, forms
from typha.convert.calico.workload_endpoint import WorkloadEndpoints


def test_forms_are_those_on_file() -> None:
    assert forms() == json.loads(PATH.read_text()), "see tests/corpus/forms.py for what to do"


def test_no_two_converters_have_one_form() -> None:
    found = forms()
    assert len(set(found.values())) == len(found)


def test_settings_are_in_the_form() -> None:
    assert len({WorkloadEndpoints("").form, WorkloadEndpoints("", "tap").form, WorkloadEndpoints("", "eni").form}) == 3


def test_a_group_that_is_not_given_is_the_core_group() -> None:
    kinds: list[Any] = [type(converter_of(row, row.group, use_pod_cidr=row.pod_cidr or False)) for row in TOPICS]
    optional = [
        kind for kind in kinds if inspect.signature(kind).parameters["group"].default is not inspect.Parameter.empty
    ]
    assert WorkloadEndpoints in optional
    for kind in optional:
        assert kind().form == kind("").form
