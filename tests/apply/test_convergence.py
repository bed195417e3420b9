"""Whatever is killed whenever: the site converges, and nothing is deleted that should stay."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.apply import execute
from reconciler.model.outcome import Outcome
from reconciler.model.plan import Action, Inventory
from reconciler.model.resource import Resource, ResourceId
from reconciler.model.site import SyncSettings
from reconciler.planning import applyset_id, plan
from tests.apply.clock import StandingClock
from tests.apply.fake_target import FakeCluster, FakeTarget, Killed

SITE = "store"
OWNER = applyset_id(SITE)
NAMES = tuple(f"n{number}" for number in range(7))
SPACES = ("left", "right")
#: Everything that a revision may delete, said aloud, so that the guard lets it pass.
CONFIRMED = tuple(
    [f"Namespace/{space}" for space in SPACES]
    + [f"{kind}/{space}/{name}" for kind in ("ConfigMap", "Secret") for space in SPACES for name in NAMES]
)


class Agent:
    """An agent with a state that outlives it, as long as its disk does."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster
        self.state = Inventory()

    def sync(self, desired: Sequence[Resource], *, lifetime: int | None = None) -> Outcome | None:
        """Sync once; None where the agent was killed in the middle of it."""
        target = FakeTarget(self.cluster, OWNER, lifetime=lifetime)
        clock = StandingClock()

        def save(inventory: Inventory) -> None:
            self.state = Inventory.from_json(inventory.to_json())

        try:
            observed = target.observe(desired, self.state)
            policy = SyncSettings(confirm_deletes=CONFIRMED)
            wanted = plan(desired, observed, self.state, policy, site=SITE)
            return execute(wanted, target, clock=clock, timeout=60, save=save, sleep=clock.sleep)
        except Killed:
            return None


def obj(kind: str, space: str, name: str, value: int, wave: int, *, keep: bool) -> Resource:
    annotations = {"wayside.dev/wave": str(wave)}
    if keep:
        annotations["wayside.dev/prune"] = "disabled"
    metadata = {"name": name, "namespace": space, "annotations": annotations}
    return Resource({"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": {"value": str(value)}})


def space(name: str) -> Resource:
    return Resource({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


objects = st.builds(
    obj,
    st.sampled_from(("ConfigMap", "Secret")),
    st.sampled_from(SPACES),
    st.sampled_from(NAMES),
    st.integers(0, 2),
    st.integers(-1, 1),
    keep=st.booleans(),
)


@st.composite
def revisions(draw: st.DrawFn) -> list[Resource]:
    """A set of objects, with the namespaces that they need."""
    found = draw(st.lists(objects, max_size=8, unique_by=lambda resource: resource.id))
    spaces = sorted({resource.id.namespace for resource in found})
    return [*found, *(space(name) for name in spaces)]


#: A revision, the number of requests after which the agent is killed, and whether its disk is lost then.
attempts = st.tuples(revisions(), st.one_of(st.none(), st.integers(0, 60)), st.booleans())


def foreign(cluster: FakeCluster) -> ResourceId:
    """Put an object there that nobody of us made."""
    id_ = ResourceId("", "ConfigMap", "left", "not-ours")
    metadata = {"name": id_.name, "namespace": id_.namespace, "uid": "u", "labels": {"app": "x"}}
    cluster.objects[id_] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    return id_


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(attempts, min_size=1, max_size=6), revisions())
def test_a_site_converges_wherever_its_agent_is_killed(
    history: list[tuple[list[Resource], int | None, bool]], last: list[Resource]
) -> None:
    cluster = FakeCluster()
    agent = Agent(cluster)
    for desired, lifetime, disk_lost in history:
        agent.sync(desired, lifetime=lifetime)
        if disk_lost:
            agent.state = Inventory()
    outcome = agent.sync(last)
    assert outcome is not None
    assert outcome.succeeded, outcome

    wanted = {resource.id: resource for resource in last}
    ours = {
        id_: live for id_, live in cluster.objects.items() if OWNER in str(live["metadata"].get("labels"))
    }
    assert wanted.keys() <= ours.keys()
    for id_, resource in wanted.items():
        assert ours[id_].get("data") == resource.manifest.get("data")
    kept = {id_ for id_, live in ours.items() if "prune" in str(live["metadata"].get("annotations"))}
    for id_ in ours.keys() - wanted.keys() - kept:
        assert id_.kind == "Namespace"
        assert id_.name in {other.namespace for other in kept}
    assert agent.state.entries.keys() == ours.keys()
    assert cluster.parent == {(id_.group, id_.kind) for id_ in ours}

    writes = cluster.writes
    again = agent.sync(last)
    assert again is not None
    assert again.succeeded
    assert not again.changed
    assert cluster.writes == writes
    assert {result.action for result in again.results} <= {Action.UNCHANGED, Action.SKIP}


@settings(max_examples=100, deadline=None)
@given(st.lists(attempts, min_size=1, max_size=5))
def test_what_is_wanted_all_along_is_never_deleted_and_what_is_not_ours_is_never_touched(
    history: list[tuple[list[Resource], int | None, bool]],
) -> None:
    cluster = FakeCluster()
    agent = Agent(cluster)
    always = [space("left"), obj("ConfigMap", "left", "always", 0, 0, keep=False)]
    kept = obj("Secret", "left", "kept", 0, 0, keep=True)
    agent.sync([*always, kept])
    stranger = foreign(cluster)
    before = dict(cluster.objects[stranger])
    for desired, lifetime, disk_lost in history:
        rest = [resource for resource in desired if resource.id != always[0].id]
        agent.sync([*always, *rest], lifetime=lifetime)
        if disk_lost:
            agent.state = Inventory()
        assert cluster.objects[stranger] == before
    deleted = {id_ for verb, id_ in cluster.log if verb == "delete"}
    assert not deleted & {str(resource.id) for resource in (*always, kept)}


def test_going_back_to_what_was_before_a_sync_that_was_killed_is_a_change() -> None:
    for lifetime in range(12):
        agent = Agent(FakeCluster())
        one, other = (obj("ConfigMap", "left", "n0", value, 0, keep=False) for value in (1, 2))
        agent.sync([space("left"), one])
        agent.sync([space("left"), other], lifetime=lifetime)
        agent.sync([space("left"), one])
        assert agent.cluster.objects[one.id]["data"] == {"value": "1"}


def test_a_state_that_was_restored_from_an_old_copy_hides_no_change() -> None:
    agent = Agent(FakeCluster())
    one, other = (obj("ConfigMap", "left", "n0", value, 0, keep=False) for value in (1, 2))
    agent.sync([space("left"), one])
    copy = agent.state
    agent.sync([space("left"), other])
    agent.state = copy
    agent.sync([space("left"), one])
    assert agent.cluster.objects[one.id]["data"] == {"value": "1"}


def test_every_single_point_of_death_in_a_first_sync_is_harmless() -> None:
    desired = [
        space("left"),
        *(obj("ConfigMap", "left", name, 0, n % 2, keep=False) for n, name in enumerate(NAMES)),
    ]
    lifetime = 0
    while True:
        agent = Agent(FakeCluster())
        died = agent.sync(desired, lifetime=lifetime) is None
        agent.state = Inventory()
        # The next revision wants nothing of it: whatever had arrived must be found and removed.
        outcome = agent.sync([space("right")])
        assert outcome is not None
        assert outcome.succeeded
        assert [str(id_) for id_ in agent.cluster.objects] == ["Namespace/right"]
        if not died:
            break
        lifetime += 1
    assert lifetime > 20
