"""`spec.trust` of fleet.yaml says who signs what; every mistake in it is found at its place."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from reconciler.documents.tree import MemoryTree
from reconciler.fleet.loading import FleetLoad, load_fleet

KEYS = {"name": "release", "keys": [{"path": "trust/release.pub"}]}


def load(trust: Any, **files: bytes) -> FleetLoad:
    head = {"apiVersion": "wayside.dev/v1alpha1", "kind": "Fleet", "metadata": {"name": "shops"}}
    document = json.dumps({**head, "spec": {"trust": trust}}).encode()
    tree = {
        "fleet.yaml": document,
        "trust/release.pub": b"PEM",
        **{k.replace("__", "/"): v for k, v in files.items()},
    }
    return load_fleet(MemoryTree(tree))


def test_everything_that_is_said_is_read() -> None:
    found = load(
        {
            "trustedRoot": "trust/release.pub",
            "signers": [
                {
                    "name": "release",
                    "keys": [
                        {
                            "path": "trust/release.pub",
                            "notBefore": "2026-01-01T08:00:00+02:00",
                            "notAfter": "2026-12-31",
                        }
                    ],
                },
                {"name": "ci", "certificates": [{"identity": "me", "issuerRegExp": "https://.*"}]},
            ],
            "images": [
                {
                    "match": ["ghcr.io/acme/*"],
                    "sites": ["s-*"],
                    "allOf": ["release", "ci"],
                    "repository": "any",
                },
                {
                    "match": ["*"],
                    "attestations": [{"predicateType": "https://slsa.dev/provenance/v1", "anyOf": ["ci"]}],
                },
                {"match": ["quay.io/*"], "unsigned": "they do not sign"},
            ],
        }
    )
    assert found.findings == ()
    assert found.fleet is not None
    trust = found.fleet.trust
    assert trust.trusted_root == b"PEM"
    (key,) = trust.signers["release"].keys
    assert (key.path, key.pem) == ("trust/release.pub", b"PEM")
    assert key.not_before == datetime.datetime(2026, 1, 1, 6, tzinfo=datetime.UTC)
    assert key.not_after is not None
    assert datetime.datetime(2026, 12, 31, 23, 59, tzinfo=datetime.UTC) < key.not_after
    (owner,) = trust.signers["ci"].owners
    assert (owner.identity, owner.identity_regexp, owner.issuer_regexp) == ("me", False, True)
    first, second, third = trust.entries
    assert (first.all_of, first.sites, first.any_repository) == (("release", "ci"), ("s-*",), True)
    assert second.attestations[0].any_of == ("ci",)
    assert third.unsigned == "they do not sign"


def test_the_trusted_root_at_its_usual_place_is_taken_unasked() -> None:
    assert load({}, trust__trusted_root_json=b"").fleet is not None
    tree = MemoryTree(
        {
            "fleet.yaml": b"apiVersion: wayside.dev/v1alpha1\nkind: Fleet\nmetadata: {name: a}\n",
            "trust/trusted_root.json": b"{}",
        }
    )
    fleet = load_fleet(tree).fleet
    assert fleet is not None
    assert fleet.trust.trusted_root == b"{}"


@pytest.mark.parametrize(
    ("trust", "said"),
    [
        ({"signers": [KEYS, KEYS]}, "expected each signer once, found 'release' again"),
        (
            {"signers": [{"name": "a", "keys": [{"path": "trust/none.pub"}]}]},
            "expected a file at 'trust/none.pub'",
        ),
        ({"signers": [{"name": "a", "keys": [{"path": "../key.pub"}]}]}, "expected a path in the repository"),
        ({"signers": [{"name": "a"}]}, "expected the field"),
        (
            {"signers": [{"name": "a", "keys": [{"path": "trust/release.pub", "notAfter": "2026-02-30"}]}]},
            "expected a day or time of the calendar",
        ),
        (
            {"signers": [{"name": "a", "keys": [{"path": "trust/release.pub", "notAfter": "soon"}]}]},
            "expected a day such as 2027-01-31",
        ),
        (
            {
                "signers": [
                    {
                        "name": "a",
                        "keys": [
                            {"path": "trust/release.pub", "notBefore": "2026-02-02", "notAfter": "2026-01-01"}
                        ],
                    }
                ]
            },
            "expected notAfter to be later than notBefore",
        ),
        ({"signers": [{"name": "a", "certificates": [{"identity": "me"}]}]}, "issuer"),
        (
            {"signers": [{"name": "a", "certificates": [{"identityRegExp": "(", "issuer": "x"}]}]},
            "expected a regular expression, found '('",
        ),
        (
            {"images": [{"match": ["*"], "anyOf": ["nobody"]}]},
            "expected the name of a signer in spec.trust.signers, found 'nobody'",
        ),
        ({"images": [{"match": ["*"]}]}, "expected the field"),
        ({"images": [{"match": ["*"], "unsigned": " "}]}, "expected a reason"),
        ({"images": [{"match": ["*"], "anyof": ["a"]}]}, "anyOf"),
        ({"trustedRoot": "trust/none.json"}, "expected a file at 'trust/none.json'"),
    ],
    ids=[
        "a signer twice",
        "a key that is not there",
        "a key elsewhere",
        "a signer without keys",
        "no such day",
        "no day",
        "an end before its beginning",
        "no issuer",
        "no expression",
        "an unknown signer",
        "no demand",
        "no reason",
        "another spelling",
        "no trusted root",
    ],
)
def test_a_mistake_is_found_with_its_place(trust: Any, said: str) -> None:
    found = load(trust)
    assert found.fleet is None
    text = " ".join(f"{each.message} {each.hint}" for each in found.findings)
    assert said in text
    assert all(each.rule == "fleet-schema" and each.location.line for each in found.findings)
