"""The ledger: runs, entries, and what they sum to by month."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("tenant", sa.String(length=100), nullable=False),
        sa.Column("command", sa.String(length=200), nullable=False),
        sa.Column("fleet", sa.String(length=200), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("host", sa.String(length=200), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=50), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index(op.f("ix_runs_tenant_began_at"), "runs", ["tenant", "began_at"], unique=False)
    op.create_table(
        "entries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tenant", sa.String(length=100), nullable=False),
        sa.Column("run", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("dataset", sa.String(length=200), nullable=False),
        sa.Column("task", sa.String(length=200), nullable=False),
        sa.Column("fleet", sa.String(length=200), nullable=False),
        sa.Column("sector", sa.String(length=100), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        *_used(),
        sa.Column("currency", sa.String(length=10), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entries")),
        sa.UniqueConstraint(
            "tenant", "run", "kind", "subject", name=op.f("uq_entries_tenant_run_kind_subject")
        ),
    )
    op.create_index(op.f("ix_entries_tenant_at"), "entries", ["tenant", "at"], unique=False)
    op.create_index(
        "ix_entries_embedded",
        "entries",
        ["tenant", "subject"],
        sqlite_where=sa.text("kind = 'embed'"),
        postgresql_where=sa.text("kind = 'embed'"),
    )
    op.create_table(
        "ledger_months",
        sa.Column("tenant", sa.String(length=100), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("dataset", sa.String(length=200), nullable=False),
        sa.Column("fleet", sa.String(length=200), nullable=False),
        sa.Column("sector", sa.String(length=100), nullable=False),
        sa.Column("currency", sa.String(length=10), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        *_used(),
        sa.PrimaryKeyConstraint(
            "tenant",
            "month",
            "kind",
            "dataset",
            "fleet",
            "sector",
            "currency",
            name=op.f("pk_ledger_months"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ledger_task_months",
        sa.Column("tenant", sa.String(length=100), nullable=False),
        sa.Column("task", sa.String(length=200), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("dataset", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("currency", sa.String(length=10), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        *_used(),
        sa.PrimaryKeyConstraint(
            "tenant",
            "task",
            "month",
            "dataset",
            "kind",
            "currency",
            name=op.f("pk_ledger_task_months"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ledger_tasks",
        sa.Column("tenant", sa.String(length=100), nullable=False),
        sa.Column("task", sa.String(length=200), nullable=False),
        sa.Column("dataset", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("currency", sa.String(length=10), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        *_used(),
        sa.PrimaryKeyConstraint(
            "tenant", "task", "dataset", "kind", "currency", name=op.f("pk_ledger_tasks")
        ),
        sqlite_with_rowid=False,
    )


def _used() -> list[sa.Column]:
    return [
        sa.Column("cpu_s", sa.Float(), nullable=False),
        sa.Column("wall_s", sa.Float(), nullable=False),
        sa.Column("peak_mb", sa.Float(), nullable=False),
        sa.Column("bytes_stored", sa.BigInteger(), nullable=False),
        sa.Column("bytes_read", sa.BigInteger(), nullable=False),
        sa.Column("images", sa.BigInteger(), nullable=False),
        sa.Column("labels", sa.BigInteger(), nullable=False),
        sa.Column("human_s", sa.Float(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
    ]
