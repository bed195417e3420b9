"""Policies and bindings that the API server takes are taken, and those that it refuses are refused."""

import pytest

from reconciler.rules.admission import AdmissionPolicy, InvalidPolicy
from tests.rules.admission.edits import Edit, accepted, edits, policy


def takes(edit: Edit) -> bool:
    try:
        if edit.is_binding:
            AdmissionPolicy.parse(policy(), bindings=[edit.document])
        else:
            AdmissionPolicy.parse(edit.document)
    except InvalidPolicy:
        return False
    return True


@pytest.mark.parametrize("edit", edits(), ids=lambda edit: edit.name)
def test_what_the_server_takes_is_taken_and_nothing_else(edit: Edit) -> None:
    assert takes(edit) == accepted()[edit.name]
