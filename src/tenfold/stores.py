"""A folder, memory or S3 as one kind of store, whose failures are told in our errors."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from obstore.exceptions import (
    BaseError,
    InvalidPathError,
    NotSupportedError,
    PermissionDeniedError,
    UnauthenticatedError,
    UnknownConfigurationKeyError,
)
from obstore.store import LocalStore, MemoryStore, ObjectStore, S3Store

from tenfold.atomic import in_words
from tenfold.errors import NotAllowed, NotFound, SpecError, TenfoldError, Unavailable, Unsupported
from tenfold.settings import masked

SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")
KEYS = "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what they may do in this bucket."


def open_store(url: str, *, folder: Path) -> ObjectStore:
    """The store that `url` names; an empty one means `folder`.

    S3 takes its keys, region and endpoint from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
    AWS_REGION and AWS_ENDPOINT_URL, as every client of S3 does. Nothing is sent yet.

    Raises:
        SpecError: the URL is none of these.
    """
    scheme, _, rest = url.partition("://")
    if not url or (scheme == "file" and rest.startswith("/")):
        place = Path(rest) if url else folder
        try:
            return LocalStore(prefix=str(place), mkdir=True)
        except (BaseError, OSError) as error:
            raise _told(error, where=str(place)) from error
    if scheme == "memory":
        return MemoryStore()
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise SpecError(
            f"expected s3://bucket/prefix, file:///folder or memory:///, got {masked(url)!r}.",
            hint="Mend TENFOLD_BLOBS or TENFOLD_FEATURES.",
        )
    return S3Store(
        bucket,
        prefix=prefix.strip("/") or None,
        client_options={"allow_http": True, "connect_timeout": "5s", "timeout": "60s"},
        # short: whoever has patience calls again, see tenfold.patience
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=20)},
    )


def place_of(store: ObjectStore, name: str = "") -> str:
    """Where a thing lies, for people to read."""
    if isinstance(store, S3Store):
        parts = [str(store.config.get("bucket", "")), store.prefix or "", name]
        return "s3://" + "/".join(part.strip("/") for part in parts if part)
    if isinstance(store, LocalStore):
        return str(Path(store.prefix or "/") / name)
    return f"memory:///{name}"


@contextmanager
def telling(store: ObjectStore, name: str = "") -> Generator[None]:
    """Failures of the store in the block become ours; `FileNotFoundError` passes: it has a meaning.

    Raises:
        Unavailable: it does not answer, or its disk is full.
        NotAllowed: it may not be read or written with these keys, or by this user.
        NotFound: there is no such bucket.
    """
    try:
        yield
    except FileNotFoundError as error:
        if "NoSuchBucket" not in str(error):
            raise
        raise NotFound(
            "there is no such bucket.",
            where=place_of(store),
            hint="Create it, or mend TENFOLD_BLOBS or TENFOLD_FEATURES.",
        ) from error
    except (BaseError, OSError) as error:
        raise _told(error, where=place_of(store, name)) from error


def _told(error: Exception, *, where: str) -> TenfoldError:
    said = str(error).splitlines()[0]
    system = SYSTEM_ERROR.search(said)
    code = int(system[1]) if system else getattr(error, "errno", None)
    told = in_words(code, where=where)
    if told is not None:
        return told
    if isinstance(error, PermissionDeniedError | UnauthenticatedError | PermissionError):
        return NotAllowed(f"the store refused: {said}.", where=where, hint=KEYS)
    if isinstance(error, InvalidPathError | NotSupportedError | UnknownConfigurationKeyError):
        return Unsupported(f"the store cannot do this: {said}.", where=where)
    return Unavailable(
        f"the store does not answer: {said}.",
        where=where,
        hint="Once it is back, run the same command again.",
    )
