import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.documents.scalar import locate_in_scalar

POLICY = b"""\
spec:
  validations:
  - expression: object.spec.replcas <= 5
  - expression: "object.spec.\\x72eplcas <= 5"
  - expression: 'object.spec[''a''].replcas'
  - expression: |
      object.spec.replicas <= 5 &&
        object.spec.replcas > 0
  - expression: >-
      object.spec.replicas <= 5 &&
      object.spec.replcas > 0
  - expression: |2

          object.spec.replcas
"""
VALIDATIONS = yaml.safe_load(POLICY)["spec"]["validations"]


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        pytest.param(0, (3, 29), id="plain"),
        pytest.param(1, (4, 30), id="double quoted, begun by an escape"),
        pytest.param(2, (5, 37), id="single quoted, after doubled quotes"),
        pytest.param(3, (8, 21), id="literal"),
        pytest.param(4, (11, 19), id="folded"),
        pytest.param(5, (14, 23), id="literal with an indentation indicator"),
    ],
)
def test_a_mistake_in_an_expression_has_a_place_in_the_file(index: int, expected: tuple[int, int]) -> None:
    text = VALIDATIONS[index]["expression"]
    offset = text.index("replcas")
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    field = ("spec", "validations", index, "expression")
    at = locate_in_scalar(POLICY, "policy.yaml", field, text, line=line, column=column)
    assert (at.line, at.column) == expected


def test_a_field_that_is_not_there_gives_the_place_of_its_parent() -> None:
    at = locate_in_scalar(POLICY, "policy.yaml", ("spec", "variables"), "object", line=1, column=3)
    assert (at.line, at.column) == (1, 1)


@given(
    text=st.text(alphabet="ab 'x\"\\:#é{[\n-&", max_size=60),
    style=st.sampled_from([None, "'", '"', "|", ">"]),
    width=st.integers(20, 60),
)
def test_every_character_is_found_however_it_is_written(text: str, style: str | None, width: int) -> None:
    data = yaml.dump({"k": [{"e": text}]}, default_style=style, width=width, allow_unicode=True).encode()
    source = data.decode().split("\n")
    for row, line in enumerate(text.split("\n")):
        for number, character in enumerate(line):
            at = locate_in_scalar(data, "f", ("k", 0, "e"), text, line=row + 1, column=number + 1)
            found = source[at.line - 1][at.column - 1 : at.column]
            assert character == " " or found in {character, "\\"}
