"""Every table of the catalog. Each row that belongs to somebody carries its tenant."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
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
    Index(None, "tenant", "key"),
)

roles = Table(  # what a sample did for a question: for life
    "roles",
    metadata,
    Column("question_id", ForeignKey("questions.id"), primary_key=True),
    Column("sha256", DIGEST, primary_key=True),
    Column("judges", Boolean, nullable=False),  # else it fits or calibrates
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
)

models = Table(
    "models",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("id", DIGEST, primary_key=True),
    Column("task", String(200), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("dataset", String(200), nullable=False),
    Column("snapshot", DIGEST, nullable=False),
    Column("question_id", ForeignKey("questions.id"), nullable=False),
    Column("rung", String(100), nullable=False),
    Column("status", String(20), nullable=False),
    Column("verdict", JSON, nullable=False),
    Column("identity", JSON, nullable=False),
    Column("pack", String(100), nullable=False),
    Column("pack_offset", Integer, nullable=False),
    Column("pack_length", Integer, nullable=False),
    Column("digest", DIGEST, nullable=False),
    Column("evidence", DIGEST, nullable=False),
    Column("seconds", JSON, nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("created_by", String(100), nullable=False),
    Index(None, "tenant", "task"),
)

makes = Table(  # one asked-for task on one snapshot, and what came of it
    "makes",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("id", DIGEST, primary_key=True),
    Column("task", String(200), nullable=False),
    Column("dataset", String(200), nullable=False),
    Column("snapshot", DIGEST, nullable=False),
    Column("spec", Text, nullable=False),
    Column("model_id", DIGEST, nullable=False),
    Column("rungs", JSON, nullable=False),
    Column("seconds", JSON, nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("created_by", String(100), nullable=False),
)
