"""Which agents a fleet wants."""

from __future__ import annotations

import pytest

from reconciler.fleet.version import satisfies


@pytest.mark.parametrize(
    ("version", "specifier", "fits"),
    [
        ("0.1.0", "", True),
        ("0.1.0", ">=0.1", True),
        ("0.1.0", ">=0.1, <1", True),
        ("1.0.0", ">=0.1,<1", False),
        ("0.10.0", ">=0.9", True),
        ("0.1.0", "==0.1", True),
        ("0.1.3", "==0.1.*", True),
        ("0.2.0", "==0.1.*", False),
        ("0.1.3", "!=0.1.3", False),
        ("0.1.3", "!=0.2.*", True),
        ("1.4.2", "~=1.4", True),
        ("2.0", "~=1.4", False),
        ("1.5.0", "~=1.4.2", False),
        ("1.0rc1", ">=1.0", False),
        ("1.0rc1", ">0.9", True),
        ("1.0.dev3", "<1.0a1", True),
    ],
)
def test_specifiers_mean_what_pip_means_by_them(version: str, specifier: str, fits: bool) -> None:
    assert satisfies(version, specifier) is fits


@pytest.mark.parametrize("specifier", ["0.1", "=>1", ">=one", ">=1.*", "~=1.*"])
def test_what_is_no_specifier_is_refused(specifier: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        satisfies("0.1.0", specifier)
