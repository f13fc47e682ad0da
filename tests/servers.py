"""Real servers for tests: a private PostgreSQL cluster, and an S3 that speaks HTTP."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from itertools import count
from pathlib import Path

import psycopg


class Postgres:
    """A cluster of its own on a unix socket; nothing in it survives the tests."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="tenfold-postgres-"))
        self._user = "postgres" if _has_user("postgres") else "nobody"
        self._as = {"user": self._user} if os.geteuid() == 0 else {}  # it refuses to run as root
        if self._as:
            shutil.chown(self.folder, self._user)
        made = self._call("initdb", "--auth=trust", "--username=tenfold", "--no-sync", *SORTS)
        subprocess.run(made, cwd=self.folder, check=True, stdout=subprocess.DEVNULL, **self._as)
        self._server: subprocess.Popen[bytes] | None = None
        self._numbers = count()
        self.start()

    def start(self) -> None:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "fsync": "off",
            "max_connections": "60",
            "shared_buffers": "32MB",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                self._call("postgres", *options), cwd=self.folder, stderr=log, **self._as
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self._dsn("postgres")).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._server.poll() is not None:
                    raise
                time.sleep(0.05)

    def stop(self) -> None:
        """At once, as when somebody pulls the plug of its connections."""
        if self._server is not None:
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait()
            self._server = None

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"t{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name}")
        return f"postgresql://tenfold@/{name}?host={self.folder}"

    def run(self, sql: str, database: str = "postgres") -> list[tuple[object, ...]]:
        with psycopg.connect(self._dsn(database), autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _dsn(self, database: str) -> str:
        return f"host={self.folder} user=tenfold dbname={database}"

    def _call(self, program: str, *options: str) -> list[str]:
        return [str(self._programs / program), "-D", str(self.folder / "data"), *options]


SORTS = ("--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US")
"""As most servers do: `a` before `B`, where SQLite has `B` before `a`."""


def postgres_programs() -> Path | None:
    """The folder of `initdb` and `postgres`."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    return next((p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")), None)


class S3:
    """An S3 server of this process; `bucket` makes a new one and returns its URL."""

    def __init__(self) -> None:
        self._numbers = count()
        self._port = 0
        self.start()
        host, self._port = self._server.get_host_and_port()
        self.endpoint = f"http://{host}:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """What clients read; the keys are made up."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "ann",
            "AWS_SECRET_ACCESS_KEY": "geheim",
            "AWS_REGION": "us-east-1",
        }

    def start(self) -> None:
        from moto.server import ThreadedMotoServer  # takes a second

        self._server = ThreadedMotoServer("127.0.0.1", self._port, verbose=False)
        self._server.start()

    def stop(self) -> None:
        """Gone from the network; `start` brings it back with what it held."""
        self._server.stop()

    def bucket(self) -> str:
        name = f"team-{next(self._numbers)}"
        request = urllib.request.Request(f"{self.endpoint}/{name}", method="PUT")
        urllib.request.urlopen(request).close()
        return f"s3://{name}"


def _has_user(name: str) -> bool:
    import pwd

    return name in {user.pw_name for user in pwd.getpwall()}
