from __future__ import annotations

import pytest

from reconciler.documents.yaml import load
from reconciler.rules.cel import CelCompileError, Environment
from reconciler.rules.cel.carets import locate_issues

PLAIN = b"""\
spec:
  validations:
  - expression: object.spec.replicas <= limit
"""
QUOTED = b"""\
spec:
  validations:
  - {expression: "object.spec.name == \\"a\\" && limit > 1"}
"""
LITERAL = b"""\
spec:
  validations:
  - expression: |
      object.spec.replicas <= 5 &&
        limit > 1
"""
FOLDED = b"""\
spec:
  validations:
  - expression: >-
      object.spec.replicas <= 5 &&
      limit > 1
"""


@pytest.mark.parametrize(
    "data", [PLAIN, QUOTED, LITERAL, FOLDED], ids=["plain", "quoted", "literal", "folded"]
)
def test_a_caret_stands_under_the_mistake_in_the_files_own_line(data: bytes) -> None:
    field = ("spec", "validations", 0, "expression")
    text = load(data, "p.yaml")[0].value["spec"]["validations"][0]["expression"]
    with pytest.raises(CelCompileError) as caught:
        Environment(variables={"object": "dyn"}).compile(text)
    (issue,) = locate_issues(caught.value, data, "p.yaml", field)
    line = data.decode().splitlines()[issue.at.line - 1]
    assert line[issue.at.column - 1 :].startswith("limit")
    source, caret = issue.excerpt.splitlines()
    assert source[caret.index("^") :].startswith("limit")
    assert issue.message == "undeclared reference to 'limit' (in container '')"
