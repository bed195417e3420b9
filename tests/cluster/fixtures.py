"""The fixtures by which tests use real parts. Each starts on first use, and nothing is imported before."""

import os
import secrets
import shutil
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

import pytest

from tests.cluster.cache import cache_directory
from tests.cluster.errors import PartMissing

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster
    from tests.cluster.control_plane import ControlPlane, Etcd
    from tests.cluster.registry import Registry

REAL_PARTS: Final = frozenset(
    {
        *("kubectl", "cosign", "crane", "registry", "own_registry", "etcd"),
        *("control_plane", "namespace", "own_api_server", "module_api_server"),
    }
)
"""Fixtures whose tests are marked `cluster`."""

_LOGS: Final = pytest.StashKey[Path]()


class MakeApiServer(Protocol):
    """Starts an API server that nobody else uses.

    It has no controllers unless asked: Deployments then make no pods, and a deleted namespace stays
    Terminating. The scheduler and KWOK are of use with controllers only.
    """

    def __call__(
        self, *, controllers: bool = False, scheduler: bool = False, kwok: bool = False
    ) -> "ControlPlane": ...


class MakeRegistry(Protocol):
    """Starts an empty registry that nobody else uses."""

    def __call__(self) -> "Registry": ...


def pytest_configure(config: pytest.Config) -> None:
    """Keep clients on loopback away from proxies, and the parts in place when a test moves the cache."""
    del config
    os.environ["WAYSIDE_CACHE"] = str(cache_directory())
    for name in ("NO_PROXY", "no_proxy"):
        given = os.environ.get(name)
        os.environ[name] = ",".join([*([given] if given else []), "127.0.0.1", "localhost", "::1"])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that use real parts, so that `-m "not cluster"` leaves none of them out by oversight."""
    for item in items:
        if REAL_PARTS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.cluster)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say with a failed test where the logs of the real parts are."""
    report = yield
    logs = item.config.stash.get(_LOGS, None)
    if report.failed and logs is not None and REAL_PARTS & set(getattr(item, "fixturenames", ())):
        report.sections.append(("logs of the real parts", str(logs)))
    return report


def missing(reason: str) -> NoReturn:
    """Skip the test for want of a real part; where `CI=true`, fail it."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"a real part is missing: {reason}", pytrace=False)
    pytest.skip(f"a real part is missing: {reason}")


@pytest.fixture(scope="session")
def part(request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """Find a real part by name, building it on first use; where it cannot be had, skip, or under CI fail."""
    from tests.cluster.binaries import binary

    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
            sys.stderr.write(f"\n{line}\n")

    def find(name: str) -> Path:
        try:
            return binary(name, say=say)
        except PartMissing as err:
            missing(str(err))

    return find


@pytest.fixture(scope="session")
def kubectl(part: Callable[[str], Path]) -> Path:
    """The real kubectl, for `kubectl kustomize` and such; `control_plane.kubectl` runs it on the cluster."""
    return part("kubectl")


@pytest.fixture(scope="session")
def cosign(part: Callable[[str], Path]) -> Path:
    """The real cosign."""
    return part("cosign")


@pytest.fixture(scope="session")
def crane(part: Callable[[str], Path]) -> Path:
    """The real crane, which makes and moves images without a container engine."""
    return part("crane")


@pytest.fixture(scope="session")
def parts_directory(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Where real parts write: `data`, gone after the run, and `logs`, kept if a test failed."""
    directory = tmp_path_factory.mktemp("parts")
    (directory / "data").mkdir(mode=0o700)
    (directory / "logs").mkdir()
    request.config.stash[_LOGS] = directory / "logs"
    yield directory
    shutil.rmtree(directory / "data", ignore_errors=True)
    if not request.session.testsfailed:
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def etcd(part: Callable[[str], Path], parts_directory: Path) -> Iterator["Etcd"]:
    """The etcd that all API servers of the run share; each has a prefix of its own."""
    from tests.cluster.control_plane import Etcd

    etcd = Etcd(part, data=parts_directory / "data", logs=parts_directory / "logs")
    try:
        etcd.start()
        yield etcd
    finally:
        etcd.close()


@pytest.fixture(scope="session")
def control_plane(
    request: pytest.FixtureRequest, part: Callable[[str], Path], parts_directory: Path
) -> Iterator["Cluster"]:
    """The run's Kubernetes cluster, with controllers, scheduler and KWOK; share it by using `namespace`.

    Where `WAYSIDE_TEST_KUBECONFIG` names a kubeconfig, it is that cluster instead.
    """
    if given := os.environ.get("WAYSIDE_TEST_KUBECONFIG"):
        yield from _external(Path(given), part, parts_directory)
        return
    from tests.cluster.control_plane import ControlPlane

    cluster = ControlPlane(
        part,
        name="shared",
        etcd=request.getfixturevalue("etcd"),
        directory=parts_directory / "data" / "shared",
        logs=parts_directory / "logs",
        controllers=True,
        scheduler=True,
        kwok=True,
    )
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()


def _external(given: Path, part: Callable[[str], Path], parts_directory: Path) -> Iterator["Cluster"]:
    from tests.cluster.external import ExternalCluster

    try:
        cluster = ExternalCluster(
            given, part, directory=parts_directory / "data" / "external", logs=parts_directory / "logs"
        )
    except PartMissing as err:
        missing(str(err))
    try:
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
def namespace(control_plane: "Cluster") -> Iterator[str]:
    """A fresh namespace of `control_plane`; its deletion is asked for after the test and not waited for."""
    name = f"test-{secrets.token_hex(4)}"
    control_plane.create_namespace(name)
    yield name
    control_plane.delete_namespace(name)


@pytest.fixture
def own_api_server(
    etcd: "Etcd", part: Callable[[str], Path], parts_directory: Path
) -> Iterator[MakeApiServer]:
    """Make API servers for one test alone, to fill, stop, kill and start again; they end with the test."""
    with _api_servers(etcd, part, parts_directory) as make:
        yield make


@pytest.fixture(scope="module")
def module_api_server(
    etcd: "Etcd", part: Callable[[str], Path], parts_directory: Path
) -> Iterator[MakeApiServer]:
    """Make API servers for the tests of one module; they end with its last test."""
    with _api_servers(etcd, part, parts_directory) as make:
        yield make


@contextmanager
def _api_servers(etcd: "Etcd", part: Callable[[str], Path], parts_directory: Path) -> Iterator[MakeApiServer]:
    from tests.cluster.control_plane import ControlPlane

    with ExitStack() as made:

        def make(*, controllers: bool = False, scheduler: bool = False, kwok: bool = False) -> ControlPlane:
            name = f"own-{secrets.token_hex(4)}"
            server = ControlPlane(
                part,
                name=name,
                etcd=etcd,
                directory=parts_directory / "data" / name,
                logs=parts_directory / "logs",
                controllers=controllers,
                scheduler=scheduler,
                kwok=kwok,
            )
            made.callback(server.close)
            server.start()
            return server

        yield make


@pytest.fixture(scope="session")
def registry(part: Callable[[str], Path], parts_directory: Path) -> Iterator["Registry"]:
    """The run's image registry; tests share it, so each uses repository names of its own."""
    with _registries(part, parts_directory) as make:
        yield make()


@pytest.fixture
def own_registry(part: Callable[[str], Path], parts_directory: Path) -> Iterator[MakeRegistry]:
    """Make registries for one test alone, to stop, kill and tamper with; they end with the test."""
    with _registries(part, parts_directory) as make:
        yield make


@contextmanager
def _registries(part: Callable[[str], Path], parts_directory: Path) -> Iterator[MakeRegistry]:
    from tests.cluster.registry import Registry

    with ExitStack() as made:

        def make() -> Registry:
            name = f"registry-{secrets.token_hex(4)}"
            registry = Registry(
                part("registry"),
                directory=parts_directory / "data" / name,
                log=parts_directory / "logs" / f"{name}.log",
            )
            made.callback(registry.close)
            registry.start()
            return registry

        yield make
