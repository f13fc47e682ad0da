"""What a database says when it fails, in our errors; the original is chained."""

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy.exc import DataError as BadValue
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import IntegrityError as Clash
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tenfold.errors import (
    Conflict,
    DataError,
    IntegrityError,
    NotAllowed,
    NotFound,
    TenfoldError,
    Unavailable,
)

AGAIN = "Once it is back, run the same command again: it goes on where it was."

SQLITE: dict[str, TenfoldError] = {
    "SQLITE_BUSY": Unavailable("another process writes for too long.", hint=AGAIN),
    "SQLITE_LOCKED": Unavailable("another process writes for too long.", hint=AGAIN),
    "SQLITE_FULL": Unavailable(
        "the disk is full.", hint="Free space, then run the same command again."
    ),
    "SQLITE_IOERR": Unavailable(
        "the disk does not answer as it should, or is full.",
        hint="Look at the disk and its free space, then run the same command again.",
    ),
    "SQLITE_READONLY": NotAllowed(
        "the catalog may not be written.",
        hint="Make the file and its folder writable for this user, or move TENFOLD_HOME.",
    ),
    "SQLITE_CANTOPEN": NotAllowed(
        "the catalog cannot be opened.",
        hint="Make its folder writable for this user, or move TENFOLD_HOME.",
    ),
    "SQLITE_CORRUPT": IntegrityError("the catalog is damaged.", hint="Restore it from a backup."),
    "SQLITE_NOTADB": IntegrityError(
        "this file is not a catalog.", hint="Restore it from a backup, or move TENFOLD_HOME."
    ),
}
"""By the beginning of SQLite's name for the error."""

POSTGRES: dict[str, TenfoldError] = {
    "08": Unavailable("the connection to the catalog was lost.", hint=AGAIN),
    "57P": Unavailable("the database is stopping or starting.", hint=AGAIN),
    "57014": Unavailable("the database gave up on a statement that took too long.", hint=AGAIN),
    "53100": Unavailable(
        "the disk of the database is full.", hint="Free space there, then run the command again."
    ),
    "53": Unavailable("the database has no room for this now.", hint=AGAIN),
    "55P03": Unavailable("another process writes for too long.", hint=AGAIN),
    "40": Unavailable("the database stopped one of two transactions.", hint=AGAIN),
    "25006": NotAllowed(
        "this database may only be read.", hint="Point TENFOLD_CATALOG at the primary."
    ),
    "42501": NotAllowed(
        "this database user may not do that.",
        hint="Make it the owner of the database, or grant it CREATE and USAGE on the schema.",
    ),
    "28": NotAllowed(
        "the database refused this user.",
        hint="Check user and password in TENFOLD_CATALOG; PGPASSWORD and ~/.pgpass work too.",
    ),
    "3D000": NotFound("there is no such database.", hint="Make it: `createdb NAME`."),
    "58": Unavailable("the database has trouble with its disk.", hint=AGAIN),
    "XX001": IntegrityError("the catalog is damaged.", hint="Restore it from a backup."),
}
"""By the beginning of the SQLSTATE; the longest that fits counts."""

REFUSED = {  # a connection that was never made has no SQLSTATE
    "authentication failed": "28",
    "no password supplied": "28",
    "no pg_hba.conf entry": "28",
    "role ": "28",
    "database ": "3D000",
    "too many": "53",
}


@contextmanager
def telling(where: str) -> Generator[None]:
    """Failures of the database in the block become ours; mistakes in our SQL pass as they are.

    Raises:
        Unavailable: it is away, full, stopping or busy; the same command can be run again.
        NotAllowed: it may not be written, or refused this user.
        Conflict: somebody else wrote what this writes.
        DataError: a value does not fit its column.
        IntegrityError: its file is damaged.
    """
    try:
        yield
    except PoolTimeout as error:
        raise _placed(POSTGRES["53"], where, "") from error
    except DBAPIError as error:
        told = _told(error)
        if told is None:
            raise
        raise _placed(told, where, _said(error)) from error


def _told(error: DBAPIError) -> TenfoldError | None:
    name = getattr(error.orig, "sqlite_errorname", None)
    state = getattr(error.orig, "sqlstate", None)
    if isinstance(error, Clash):
        return Conflict("this was written by somebody else meanwhile.", hint="Run it again.")
    if isinstance(error, BadValue):
        return DataError("the catalog cannot hold this value.", hint="Shorten or mend it.")
    if name:
        return next((e for start, e in SQLITE.items() if name.startswith(start)), None)
    if state is None and not _is_refused(error):
        return POSTGRES["08"] if _is_lost(error) else None
    state = state or next(s for text, s in REFUSED.items() if text in _said(error))
    fitting = [start for start in POSTGRES if state.startswith(start)]
    if fitting:
        return POSTGRES[max(fitting, key=len)]
    return POSTGRES["08"] if error.connection_invalidated else None


def _is_refused(error: DBAPIError) -> bool:
    said = _said(error)
    return "FATAL:" in said and any(text in said for text in REFUSED)


def _is_lost(error: DBAPIError) -> bool:
    """Whether the driver itself failed, without a word from the server."""
    return error.connection_invalidated or type(error.orig).__name__ in (
        "OperationalError",
        "InterfaceError",
        "ConnectionTimeout",
    )


def _said(error: DBAPIError) -> str:
    return " ".join(str(error.orig).split())


def _placed(told: TenfoldError, where: str, said: str) -> TenfoldError:
    message = f"{told.args[0].rstrip('.')} ({said})." if said else told.args[0]
    return type(told)(message, where=where, hint=told.hint)
