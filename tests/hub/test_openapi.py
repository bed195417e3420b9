"""The description of the API is a valid OpenAPI 3.1 document, and the hub does what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from prometheus_client.parser import text_string_to_metric_families

from reconciler.hub.app import TABLE, create_app
from reconciler.hub.core import Core
from reconciler.hub.openapi import describe
from reconciler.model.event import EventType
from tests.hub.conftest import Hub, start_hub
from tests.hub.events import COMMIT, applied, event

pytestmark = pytest.mark.timeout(120)

#: Served, and described nowhere: the pages, and the description itself.
PAGES = {"/", "/login", "/logout", "/static/{name}", "/v1/openapi.json"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return describe(TABLE)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub with something under every address; tests take nothing of it away."""
    folder = tmp_path_factory.mktemp("told")
    hub = start_hub(folder, f"sqlite:{folder / 'hub.db'}")
    token = hub.token(site="a")
    reasons = [{"rule": "r", "message": "m", "hint": "h", "location": "l", "resource": "x"}]
    batch = [
        event(1, EventType.AGENT_STARTED, version="0.1.0", labels={"region": "north"}),
        applied(2, state="Ready", reason="Applied", link={"sent": 5, "received": 6}),
        event(3, EventType.SYNC_DENIED, commit="f" * 40, code="denied", count=1, reasons=reasons),
    ]
    assert hub.report(token, batch).status == 200
    assert hub.report(hub.token(site="b"), [event(1, site="b", state="Degraded")]).status == 200
    assert hub.request("PUT", "/v1/webhooks/chat", body={"url": "http://127.0.0.1:9/"}).status == 201
    yield hub
    assert hub.stop() == 0, hub.log.read_text()


def schema_of(document: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any] | None:
    content = answer.get("content", {}).get("application/json")
    if content is None:
        return None
    return {**content["schema"], "components": document["components"]}


def test_it_is_valid(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()
    ids = re.findall(r"'operationId': '([^']+)'", str(document))
    assert len(ids) == len(set(ids))


def test_it_has_every_route_and_no_other(tmp_path: Any, document: dict[str, Any]) -> None:
    from reconciler.adapters.hub_store import open_store

    store = open_store(f"sqlite:{tmp_path / 'hub.db'}")
    app: Any = create_app(Core(store))
    while not hasattr(app, "routes"):
        app = app._app
    served = {
        (route.path, method)
        for route in app.routes
        for method in route.methods - {"HEAD"}
        if route.path not in PAGES
    }
    store.close()
    described = {
        (path, method.upper()) for path, operations in document["paths"].items() for method in operations
    }
    assert served == described


QUERIES = {
    "/v1/fleet": "?by=region&selector=region",
    "/v1/sites": "?limit=1&state=Ready,Degraded",
    "/v1/events": "?limit=1&order=asc",
    "/v1/sites/{site}/events": "?limit=2&type=dev.wayside.sync.applied.v1",
    "/v1/revisions": "?limit=1",
}
READS = [
    path
    for path, operations in describe(TABLE)["paths"].items()
    if "get" in operations and path not in {"/v1/stream", "/metrics", "/healthz"}
]


@pytest.mark.parametrize("path", READS)
def test_what_is_read_is_as_described(told: Hub, document: dict[str, Any], path: str) -> None:
    operation = document["paths"][path]["get"]
    address = path.format(site="a", commit=COMMIT) + QUERIES.get(path, "")
    answer = told.request("GET", address)
    assert answer.status == 200, answer.data
    schema = schema_of(document, operation["responses"]["200"])
    if schema is None:
        assert path == "/readyz"
        return
    found = answer.json()
    jsonschema.Draft202012Validator(strict(schema)).validate(found)
    if "next" in found and "limit=1" in address:
        names = {parameter["name"] for parameter in operation["parameters"]}
        assert {"limit", "cursor"} <= names
    refused = told.request("GET", address, token="")
    if operation.get("security"):
        assert refused.status == 401
        problem = {"$ref": "#/components/schemas/Problem", "components": document["components"]}
        jsonschema.Draft202012Validator(strict(problem)).validate(refused.json())


def strict(schema: Any) -> Any:
    """Return a schema that takes no field that it does not name, and wants all that it names."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: strict(value) for name, value in schema.items()}
    if found.get("type") == "object" and isinstance(found.get("properties"), dict):
        found.setdefault("additionalProperties", False)
    return found


def test_what_is_made_is_as_described(told: Hub, document: dict[str, Any]) -> None:
    made = told.request("POST", "/v1/tokens", body={"kind": "operator", "subject": "ann", "role": "read"})
    schema = schema_of(document, document["paths"]["/v1/tokens"]["post"]["responses"]["201"])
    jsonschema.Draft202012Validator(strict(schema)).validate(made.json())
    hook = told.request("PUT", "/v1/webhooks/mail", body={"url": "http://127.0.0.1:9/", "types": []})
    schema = schema_of(document, document["paths"]["/v1/webhooks/{id}"]["put"]["responses"]["201"])
    jsonschema.Draft202012Validator(strict(schema)).validate(hook.json())
    assert told.report(told.token(site="c"), [event(1, site="c")]).status == 200
    for path in ("/v1/tokens/" + made.json()["id"], "/v1/webhooks/mail", "/v1/sites/c"):
        assert told.request("DELETE", path).status == 204
        assert told.request("DELETE", path).status == 404


ROLES = [
    (operation.method, operation.path, operation.role)
    for operation in TABLE
    if operation.role in {"read", "write"}
]


@pytest.mark.parametrize(("method", "path", "role"), ROLES, ids=[f"{m} {p}" for m, p, _ in ROLES])
def test_every_operation_asks_for_the_role_that_it_is_described_with(
    told: Hub, method: str, path: str, role: str
) -> None:
    if path == "/v1/stream":
        return
    reader, site = told.token(operator="ann"), told.token(site="a")
    address = path.format(site="a", commit=COMMIT, id="nothing")
    body: dict[str, Any] | None = {} if method in {"POST", "PUT"} else None
    assert told.request(method, address, token=site, body=body).status == 403
    assert told.request(method, address, token="", body=body).status == 401
    if role == "write":
        assert told.request(method, address, token=reader, body=body).status == 403
    else:
        assert told.request(method, address, token=reader).status == 200
    if (method, path) != ("DELETE", "/v1/sites/{site}"):
        assert told.request(method, address, body=body).status not in {401, 403}


def test_figures_are_read_by_prometheus_own_parser(told: Hub) -> None:
    text = told.request("GET", "/metrics").data.decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    states = {sample.labels["state"]: sample.value for sample in families["wayside_hub_sites"].samples}
    assert sum(states.values()) == told.get("/v1/fleet")["sites"]
    assert states["Degraded"] == 1
    histogram = families["wayside_hub_ingest_seconds"]
    assert histogram.type == "histogram"
    counts = [sample.value for sample in histogram.samples if sample.name.endswith("_bucket")]
    assert counts == sorted(counts)
    assert counts[-1] >= 2
    for family in families.values():
        assert family.documentation, family.name
