"""A private PostgreSQL server for tests, from Debian's packages, in a temporary folder and without a port."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from reports.store.database import migrate, resolve

MISSING: Final = "no PostgreSQL server: apt-get install postgresql"
_TEMPLATE: Final = "migrated"


def programs() -> Path | None:
    """The folder of the newest PostgreSQL server's programs; None if none is installed."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


def _unprivileged() -> dict[str, Any]:
    """Arguments of ``subprocess`` that give up root, as which PostgreSQL refuses to run."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class PostgresServer:
    """A running server whose superuser is ``admin``, reached through a Unix socket."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self.programs = folder, programs
        self._as_user = _unprivileged()
        self._created = 0
        self._run("initdb", "-D", str(self.data), "-U", "admin", "-A", "trust", "-E", "UTF8", "--no-sync")
        settings = "-c listen_addresses= -c fsync=off -c unix_socket_directories=" + str(folder)
        self._run("pg_ctl", "-D", str(self.data), "-w", "-l", str(folder / "log"), "-o", settings, "start")
        self.execute("postgres", f"CREATE DATABASE {_TEMPLATE}")
        migrate(resolve(self.url(_TEMPLATE)))

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str, user: str = "admin") -> str:
        """URL of one of its databases, as it would be written in store.url."""
        url = URL.create("postgresql", username=user, database=database, query={"host": str(self.folder)})
        return url.render_as_string(hide_password=False)

    def create(self, *, empty: bool = False) -> str:
        """Create a database, with this version's tables unless it is to be empty; its name."""
        self._created += 1
        name = f"db{self._created}"
        self.execute("postgres", f"CREATE DATABASE {name}" + ("" if empty else f" TEMPLATE {_TEMPLATE}"))
        return name

    def drop(self, name: str) -> None:
        self.execute("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, database: str, statement: str) -> list[Any]:
        """Run a statement outside of transactions; its rows."""
        url = self.url(database).replace("postgresql:", "postgresql+psycopg:", 1)
        engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            result = connection.execute(text(statement))
            return list(result) if result.returns_rows else []

    def backends(self, database: str) -> list[int]:
        """Process ids of the backends that serve ClassMood's connections to a database."""
        query = (
            f"SELECT pid FROM pg_stat_activity WHERE datname = '{database}' "
            "AND application_name = 'classmood'"
        )
        return [pid for (pid,) in self.execute("postgres", query)]

    @contextmanager
    def frozen(self, database: str) -> Iterator[None]:
        """Stop every process that serves a database, as a machine that hangs does."""
        postmaster = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        stopped = [*self.backends(database), postmaster]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.data), "-m", "immediate", "stop")

    def run_program(self, name: str, *arguments: str) -> str:
        """Run one of PostgreSQL's programs against this server; what it prints."""
        completed = subprocess.run(
            [str(self.programs / name), "-h", str(self.folder), "-U", "admin", *arguments],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return completed.stdout

    def _run(self, name: str, *arguments: str) -> None:
        # Not captured: the server would inherit the pipe and keep it open.
        with (self.folder / "programs.log").open("ab") as log:
            subprocess.run(
                [str(self.programs / name), *arguments],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                timeout=60,
                **self._as_user,
            )


@contextmanager
def running_server(programs: Path) -> Iterator[PostgresServer]:
    """A server in a folder that is deleted afterwards."""
    # Not below pytest's folder, which only root may enter.
    folder = Path(tempfile.mkdtemp(prefix="classmood-pg-"))
    try:
        user = _unprivileged()
        if user:
            os.chown(folder, user["user"], user["group"])
        folder.chmod(0o755)
        server = PostgresServer(folder, programs)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
