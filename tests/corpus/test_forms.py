"""Forms are pinned, and two converters of one form are one converter."""

import json

from tests.corpus.forms import PATH, forms
from typha.convert.calico.workload_endpoint import WorkloadEndpoints


def test_forms_are_those_on_file() -> None:
    assert forms() == json.loads(PATH.read_text()), "see tests/corpus/forms.py for what to do"


def test_no_two_converters_have_one_form() -> None:
    found = forms()
    assert len(set(found.values())) == len(found)


def test_settings_are_in_the_form() -> None:
    assert len({WorkloadEndpoints("").form, WorkloadEndpoints("", "tap").form, WorkloadEndpoints("", "eni").form}) == 3
