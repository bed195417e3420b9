"""The distribution registry, on loopback and without TLS."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import urllib3
import yaml

from tests.cluster.process import Process, free_port, loopback_environment, wait_until


class Registry:
    """An image registry with storage of its own.

    It has no referrers API, so a signature's fallback tag is met for real.

    Attributes:
        host: `127.0.0.1:PORT`, as image references begin. Plain HTTP, which clients accept on loopback.
        url: The same with its scheme.
        storage: The directory of its blobs, should a test wish to tamper with them.
    """

    def __init__(self, program: Path, *, directory: Path, log: Path) -> None:
        self.host = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.host}"
        self.storage = directory / "storage"
        self._directory = directory
        self.storage.mkdir(parents=True)
        config: Mapping[str, Any] = {
            "version": 0.1,
            "log": {"level": "info"},
            "storage": {"filesystem": {"rootdirectory": str(self.storage)}, "delete": {"enabled": True}},
            "http": {"addr": self.host},
        }
        file = directory / "config.yaml"
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        self.process = Process(
            "registry",
            [program, "serve", file],
            log=log,
            env={**loopback_environment(home=directory), "OTEL_TRACES_EXPORTER": "none"},
        )

    def start(self) -> None:
        """Start it at its address, with the images it had, and return when it answers."""
        self.process.start()
        with urllib3.PoolManager(retries=False, timeout=5.0) as pool:
            wait_until(lambda: self._answers(pool), what=f"a registry at {self.url}", during=[self.process])

    def stop(self) -> None:
        """Stop it in order; its images stay."""
        self.process.stop()

    def kill(self) -> None:
        """End it by SIGKILL; its images stay."""
        self.process.kill()

    def close(self) -> None:
        """End it and remove its images."""
        self.process.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _answers(self, pool: urllib3.PoolManager) -> bool:
        try:
            return pool.request("GET", f"{self.url}/v2/").status == 200
        except urllib3.exceptions.HTTPError:
            return False
