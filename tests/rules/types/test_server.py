"""The verdict on built-in kinds is the API server's: objects, right and wrong, are sent there with dryRun."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.model.resource import Resource
from reconciler.rules.types import SchemaSet
from tests.cluster.cluster import Cluster
from tests.rules.types.corpus import corpus
from tests.rules.types.mutations import mutations
from tests.rules.types.resources import Server, plain

#: How many mutations are tried; WAYSIDE_SCHEMA_CASES=all tries the twenty thousand that there are.
_CASES = os.environ.get("WAYSIDE_SCHEMA_CASES", "1500")
#: Share of the objects that the server refuses for what is left to it here.
_LEFT_TO_THE_SERVER = 0.04


def _cases() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, manifest in corpus().items():
        plain(manifest)
        for change, mutated in mutations(manifest):
            yield f"{name}: {change}", mutated


@pytest.fixture
def server(control_plane: Cluster, namespace: str) -> Server:
    return Server(control_plane, namespace)


def test_the_corpus_is_of_thirty_kinds_and_more() -> None:
    assert len({manifest["kind"] for manifest in corpus().values()}) >= 30


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in corpus()])
def test_a_valid_object_has_no_finding(name: str) -> None:
    assert SchemaSet.load((1, 36)).check(Resource(plain(corpus()[name]))) == ()


@pytest.mark.slow
@pytest.mark.cluster
def test_the_server_takes_every_object_of_the_corpus(server: Server) -> None:
    refused = {name: server.refusal(plain(manifest)) for name, manifest in corpus().items()}
    assert {name: words for name, words in refused.items() if words is not None} == {}


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(900)
def test_what_the_server_takes_is_never_refused_and_hardly_ever_the_other_way_round(server: Server) -> None:
    cases = list(_cases())
    if _CASES != "all":
        cases = random.Random(20261121).sample(cases, int(_CASES))  # noqa: S311 - a sample, no secret
    schemas = SchemaSet.load((1, 36))
    refused_here, taken_here, right = [], [], 0
    for name, manifest in cases:
        words, found = server.refusal(manifest), schemas.check(Resource(manifest))
        assert isinstance(found, tuple)
        if words is None and found:
            refused_here.append(f"{name}: {found[0].message}")
        elif words is not None and not found:
            taken_here.append(f"{name}: {words}")
        else:
            right += 1
    assert refused_here == []
    share = len(taken_here) / len(cases)
    assert share <= _LEFT_TO_THE_SERVER, json.dumps(taken_here, indent=1)
