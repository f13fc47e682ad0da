"""Every table of the catalog. Each row that belongs to somebody carries its tenant."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

DIGEST = String(64)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment that comes back as aware as it went in; SQLite alone would drop the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


MILLION = 1_000_000


class Money(TypeDecorator[Decimal]):
    """An exact amount, kept as whole millionths: SQLite has no decimals, and its floats round."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Any) -> int | None:
        return None if value is None else int(value * MILLION)

    def process_result_value(self, value: Any | None, dialect: Any) -> Decimal | None:
        return None if value is None else Decimal(int(value)) / MILLION


datasets = Table(
    "datasets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant", String(100), nullable=False),
    Column("name", String(200), nullable=False),
    Column("format", String(50), nullable=False),
    Column("source", Text, nullable=False),
    Column("understood", Text, nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("created_by", String(100), nullable=False),
    UniqueConstraint("tenant", "name"),
)

samples = Table(
    "samples",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("sha256", DIGEST, primary_key=True),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("mode", String(20), nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("phash", String(16), nullable=False),
)

items = Table(  # a sample's place in a dataset
    "items",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant", String(100), nullable=False),
    Column("dataset_id", ForeignKey("datasets.id"), nullable=False),
    Column("sha256", DIGEST, nullable=False),
    Column("path", Text, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("lot", String(200)),  # the group a split must not straddle
    Column("split", String(50)),
    Column("mask", DIGEST),
    Column("attributes", JSON, nullable=False),
    Column("origin", String(20), nullable=False),  # `given`, or how production gave it
    Column("near", DIGEST),  # smallest digest of its near-duplicate group
    UniqueConstraint("dataset_id", "sha256"),
    Index(None, "tenant", "sha256"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant", String(100), nullable=False),
    Column("dataset_id", ForeignKey("datasets.id"), nullable=False),
    Column("path", Text, nullable=False),
    Column("reason", String(50), nullable=False),
    Column("detail", Text, nullable=False),
    UniqueConstraint("dataset_id", "path"),
)

snapshots = Table(  # the id is the digest of the frozen rows, kept as a blob
    "snapshots",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("id", DIGEST, primary_key=True),
    Column("dataset", String(200), nullable=False),
    Column("size", Integer, nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
)

questions = Table(  # a question's lineage: what was decided, and how often it was looked at
    "questions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant", String(100), nullable=False),
    Column("key", DIGEST, nullable=False),
    Column("accepted_at", UtcDateTime()),  # when a model that answers it was first accepted
    Column("fleet", String(200), nullable=False),  # of the task that asked first; empty: none
    Column("sector", String(100), nullable=False),
    # what a sample did for a question, it does for life; first halves of digests, one after another
    Column("judge", LargeBinary, nullable=False),
    Column("fit", LargeBinary, nullable=False),  # fitted or calibrated
    Index(None, "tenant", "key"),
    Index(None, "tenant", "accepted_at"),
)

looks = Table(
    "looks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("question_id", ForeignKey("questions.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("model_id", DIGEST, nullable=False),
    Column("at", UtcDateTime(), nullable=False),
    Column("actor", String(100), nullable=False),
    Index(None, "question_id"),
)

models = Table(
    "models",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("id", DIGEST, primary_key=True),
    Column("task", String(200), nullable=False),
    Column("fleet", String(200), nullable=False),  # empty: none
    Column("sector", String(100), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("dataset", String(200), nullable=False),
    Column("snapshot", DIGEST, nullable=False),
    Column("question_id", ForeignKey("questions.id"), nullable=False),
    Column("make_id", DIGEST, nullable=False),  # the make that made it first
    Column("rung", String(100), nullable=False),
    Column("estimate", Float),  # on fit and calibrate alone
    Column("status", String(20), nullable=False),
    Column("verdict", JSON, nullable=False),
    Column("identity", JSON, nullable=False),
    Column("pack", DIGEST, nullable=False),  # blob that holds its bytes among others'
    Column("head_offset", Integer, nullable=False),
    Column("head_length", Integer, nullable=False),
    Column("head_digest", DIGEST, nullable=False),
    Column("evidence_offset", Integer, nullable=False),
    Column("evidence_length", Integer, nullable=False),
    Column("evidence_digest", DIGEST, nullable=False),
    Column("roster", DIGEST, nullable=False),  # blob: who the evidence is about
    Column("seconds", JSON, nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("created_by", String(100), nullable=False),
    Index(None, "tenant", "task", "created_at"),
    Index(None, "tenant", "dataset"),
    Index(None, "tenant", "status"),
    Index(None, "created_at", "tenant"),  # in this order: else SQLite takes it to find one model
    Index(None, "question_id", "created_at"),
    Index(None, "question_id", "status", "created_at"),
)

makes = Table(  # one asked-for task on one snapshot, and what came of it
    "makes",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("id", DIGEST, primary_key=True),
    Column("task", String(200), nullable=False),
    Column("fleet", String(200), nullable=False),  # empty: none
    Column("dataset", String(200), nullable=False),
    Column("snapshot", DIGEST, nullable=False),
    Column("spec", Text, nullable=False),
    Column("model_id", DIGEST, nullable=False),
    Column("rungs", JSON, nullable=False),
    Column("seconds", JSON, nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("created_by", String(100), nullable=False),
    Index(None, "tenant", "task", "created_at"),
    Index(None, "tenant", "model_id"),
    Index(None, "tenant", "dataset"),
)

runs = Table(  # one command at work; what is booked names it
    "runs",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("tenant", String(100), nullable=False),
    Column("command", String(200), nullable=False),
    Column("fleet", String(200), nullable=False),  # empty: none
    Column("actor", String(100), nullable=False),
    Column("host", String(200), nullable=False),
    Column("began_at", UtcDateTime(), nullable=False),
    Column("ended_at", UtcDateTime()),  # null: at work, or killed and not yet noticed
    Column("outcome", String(50), nullable=False),
    Index(None, "tenant", "began_at"),
)


def _used() -> list[Column[Any]]:
    """What an entry says was used, and a rollup sums (of `peak_mb`: the largest)."""
    return [
        Column("cpu_s", Float, nullable=False),
        Column("wall_s", Float, nullable=False),
        Column("peak_mb", Float, nullable=False),
        Column("bytes_stored", BigInteger, nullable=False),
        Column("bytes_read", BigInteger, nullable=False),
        Column("images", BigInteger, nullable=False),
        Column("labels", BigInteger, nullable=False),
        Column("human_s", Float, nullable=False),
        Column("amount", Money()),
    ]


entries = Table(  # the ledger: never changed, never removed
    "entries",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("tenant", String(100), nullable=False),
    Column("run", String(100), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("dataset", String(200), nullable=False),  # empty: none, as below
    Column("task", String(200), nullable=False),
    Column("fleet", String(200), nullable=False),
    Column("sector", String(100), nullable=False),
    Column("at", UtcDateTime(), nullable=False),
    Column("month", Integer, nullable=False),  # of `at`, as 202612
    *_used(),
    Column("currency", String(10), nullable=False),
    UniqueConstraint("tenant", "run", "kind", "subject"),
    Index(None, "tenant", "at"),
    Index(
        "ix_entries_embedded",
        "tenant",
        "subject",
        sqlite_where=text("kind = 'embed'"),
        postgresql_where=text("kind = 'embed'"),
    ),
)

ledger_months = Table(  # rollup of entries
    "ledger_months",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("month", Integer, primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("dataset", String(200), primary_key=True),
    Column("fleet", String(200), primary_key=True),
    Column("sector", String(100), primary_key=True),
    Column("currency", String(10), primary_key=True),
    Column("entries", BigInteger, nullable=False),
    *_used(),
    sqlite_with_rowid=False,
)

ledger_task_months = Table(  # rollup of entries that name a task
    "ledger_task_months",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("task", String(200), primary_key=True),
    Column("month", Integer, primary_key=True),
    Column("dataset", String(200), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("currency", String(10), primary_key=True),
    Column("entries", BigInteger, nullable=False),
    *_used(),
    sqlite_with_rowid=False,
)

ledger_tasks = Table(  # rollup of the same, over all months
    "ledger_tasks",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("task", String(200), primary_key=True),
    Column("dataset", String(200), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("currency", String(10), primary_key=True),
    Column("entries", BigInteger, nullable=False),
    *_used(),
    sqlite_with_rowid=False,
)

deployments = Table(  # what is at work under which name
    "deployments",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("state", String(20), nullable=False),
    Column("live", DIGEST, nullable=False),
    Column("before", DIGEST, nullable=False),  # live before; empty, as below: none
    Column("shadow", DIGEST, nullable=False),
    Column("canary", DIGEST, nullable=False),
    Column("canary_share", Float, nullable=False),
    Column("salt", String(32), nullable=False),
    Column("keep_days", Integer, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Index(None, "tenant", "generation"),
    sqlite_with_rowid=False,
)

transitions = Table(  # every change of a deployment: never changed, never removed
    "transitions",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("tenant", String(100), nullable=False),
    Column("name", String(200), nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("action", String(20), nullable=False),
    Column("model", DIGEST, nullable=False),
    Column("before", DIGEST, nullable=False),
    Column("why", Text, nullable=False),
    Column("at", UtcDateTime(), nullable=False),
    Column("actor", String(100), nullable=False),
    Index(None, "tenant", "name", "id"),
)

api_keys = Table(  # of whom the digest alone is kept
    "api_keys",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("digest", DIGEST, nullable=False),
    Column("per_minute", Integer, nullable=False),  # 0: as many as it likes
    Column("role", String(20), nullable=False),  # `caller`: may only ask what deployments say
    Column("created_at", UtcDateTime(), nullable=False),
    Column("created_by", String(100), nullable=False),
    Column("revoked_at", UtcDateTime()),
    UniqueConstraint("digest"),
)

segments = Table(  # how far each file of predictions is collected
    "segments",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("collected_bytes", BigInteger, nullable=False),
    Column("answers", BigInteger, nullable=False),
    Column("lost", BigInteger, nullable=False),
)

accounts = Table(  # people who may sign in
    "accounts",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("role", String(20), nullable=False),
    Column("password", Text, nullable=False),  # as argon2 writes it, never the password
    Column("created_at", UtcDateTime(), nullable=False),
    Column("created_by", String(100), nullable=False),
    Column("disabled_at", UtcDateTime()),
)

sessions = Table(  # who is signed in; of the token the digest alone is kept
    "sessions",
    metadata,
    Column("digest", DIGEST, primary_key=True),
    Column("tenant", String(100), nullable=False),
    Column("account", String(100), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("expires_at", UtcDateTime(), nullable=False),
    Index(None, "tenant", "account"),
)

activity = Table(  # who did what, each row sealed with the one before: never changed or removed
    "activity",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime(), nullable=False),
    Column("actor", String(100), nullable=False),
    Column("action", String(40), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("detail", JSON, nullable=False),
    Column("before", DIGEST, nullable=False),  # digest of the row before
    Column("digest", DIGEST, nullable=False),
    sqlite_with_rowid=False,
)

loops = Table(  # deployments that are watched and made anew, and how far that is
    "loops",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("deployment", String(200), primary_key=True),
    Column("spec", Text, nullable=False),
    Column("state", JSON, nullable=False),
    Column("version", BigInteger, nullable=False),  # of the state; each change adds one
    Column("changed_at", UtcDateTime(), nullable=False),
    Column("changed_by", String(100), nullable=False),
)

happenings = Table(  # a deployment's timeline, beside its transitions: never changed or removed
    "happenings",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("tenant", String(100), nullable=False),
    Column("deployment", String(200), nullable=False),
    Column("key", String(200), nullable=False),  # the same happening is noted once
    Column("kind", String(40), nullable=False),
    Column("model", DIGEST, nullable=False),  # empty: none
    Column("detail", JSON, nullable=False),
    Column("at", UtcDateTime(), nullable=False),
    Column("actor", String(100), nullable=False),
    UniqueConstraint("tenant", "deployment", "key"),
    Index(None, "tenant", "deployment", "id"),
)

folded = Table(  # files of answers that the watch has taken in
    "folded",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("answers", BigInteger, nullable=False),
    Column("at", UtcDateTime(), nullable=False),
)

picks = Table(  # answers that somebody should look at, and why
    "picks",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("tenant", String(100), nullable=False),
    Column("deployment", String(200), nullable=False),
    Column("sample", DIGEST, nullable=False),
    Column("reason", String(20), nullable=False),
    Column("stratum", String(20), nullable=False),  # of an audit: what had been said; else empty
    Column("probability", Float, nullable=False),  # of being picked, of an audit; else 0
    Column("answer", String(64), nullable=False),  # id of the answer; empty: none
    Column("model", DIGEST, nullable=False),
    Column("said", Text, nullable=False),  # the decision
    Column("score", Float, nullable=False),
    Column("worth", Float, nullable=False),  # the higher, the sooner it is shown
    Column("detail", JSON, nullable=False),
    Column("answered_at", UtcDateTime(), nullable=False),
    Column("picked_at", UtcDateTime(), nullable=False),
    Column("truth", Text),  # what people agreed on; null: open
    Column("settled_at", UtcDateTime()),
    UniqueConstraint("tenant", "deployment", "sample", "reason"),
    Index(None, "tenant", "deployment", "settled_at"),
)

labels = Table(  # what people said of pictures: never changed, never removed
    "labels",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("tenant", String(100), nullable=False),
    Column("deployment", String(200), nullable=False),
    Column("sample", DIGEST, nullable=False),
    Column("label", Text, nullable=False),  # empty: nobody can tell
    Column("boxes", JSON, nullable=False),
    Column("source", String(40), nullable=False),
    Column("key", String(200), nullable=False),  # the same label is taken in once
    Column("seconds", Float, nullable=False),
    Column("shown", JSON, nullable=False),  # what the person saw
    Column("at", UtcDateTime(), nullable=False),
    Column("actor", String(100), nullable=False),
    UniqueConstraint("tenant", "deployment", "key"),
    Index(None, "tenant", "deployment", "sample"),
)

papers = Table(  # what owners wrote for everybody, as YAML
    "papers",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("text", Text, nullable=False),
    Column("changed_at", UtcDateTime(), nullable=False),
    Column("changed_by", String(100), nullable=False),
)
