"""A real PostgreSQL for one test run: its files in a folder, its socket there too, and nobody else's."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg

__all__ = ["Postgres", "PostgresMissing"]


class PostgresMissing(Exception):
    """PostgreSQL's programs are not on this machine."""


@dataclass
class Postgres:
    """A server that answers at a socket in a folder."""

    folder: Path
    programs: Path
    user: str

    @classmethod
    def start(cls) -> Postgres:
        programs = _programs()
        # The server refuses to run as root, and so does whatever makes its files.
        user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        home = Path("/tmp") / f"wayside-postgres-{secrets.token_hex(4)}"  # noqa: S108 - a socket's path must be short
        home.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(home, user)
        server = cls(home, programs, user)
        server._run("initdb", "--pgdata", str(home / "data"), "--auth=trust", "--no-sync", "--encoding=UTF8")
        server._run(
            "pg_ctl",
            *("--pgdata", str(home / "data"), "--wait", "--log", str(home / "log"), "start", "--options"),
            f"-k {home} -c listen_addresses= -c max_connections=50",
        )
        return server

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"hub_{secrets.token_hex(4)}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self._url(name)

    def stop(self) -> None:
        """End the server and remove its files."""
        self._run("pg_ctl", "--pgdata", str(self.folder / "data"), "--mode", "immediate", "stop")
        shutil.rmtree(self.folder)

    def _url(self, database: str) -> str:
        return f"postgresql:///{database}?host={self.folder}&user={self.user}"

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self.programs / program), *arguments],
            check=True,
            capture_output=True,
            user=self.user if os.geteuid() == 0 else None,
            cwd=self.folder,
            timeout=60,
        )


def _programs() -> Path:
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    raise PostgresMissing("PostgreSQL is not installed: sudo apt-get install postgresql")
