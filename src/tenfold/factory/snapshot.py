"""Freeze the items of a dataset under the digest of what they say, and bring them back."""

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from tenfold.catalog import snapshots
from tenfold.catalog.datasets import Item
from tenfold.catalog.snapshots import Snapshot
from tenfold.workspace import Workspace


def freeze(workspace: Workspace, dataset: str, items: Sequence[Item]) -> Snapshot:
    """Keep the items as they are now, under the digest of what they say."""
    plain = (_plain(item) for item in items)
    lines = (json.dumps(one, sort_keys=True, ensure_ascii=False) for one in plain)
    digest = workspace.blobs.put("\n".join(lines).encode())
    snapshot = Snapshot(digest, dataset, len(items))
    snapshots.put(workspace.scope, snapshot)
    return snapshot


def _plain(item: Item) -> dict[str, Any]:
    plain = {field.name: getattr(item, field.name) for field in fields(Item)}
    if item.origin == "given":  # as snapshots were before production gave any
        del plain["origin"]
    return plain


def thaw(workspace: Workspace, snapshot: str) -> list[Item]:
    """The items of a snapshot."""
    return items_in(workspace.blobs.get(snapshot))


def items_in(data: bytes) -> list[Item]:
    """The items that a snapshot's blob holds."""
    # not `splitlines`: it also cuts at U+2028 and its like, which JSON leaves as they are
    lines = data.decode().split("\n")
    plain: list[dict[str, Any]] = [json.loads(line) for line in lines if line]
    for one in plain:
        one["labels"] = tuple(one["labels"])
    return [Item(**one) for one in plain]
