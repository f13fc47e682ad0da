"""Alembic's entry: runs migrations on the connection that `Catalog.open` hands over."""

from alembic import context

from tenfold.catalog.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
