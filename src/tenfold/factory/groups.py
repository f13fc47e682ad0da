"""Samples that must stay together: of one lot, or near-duplicates, or both in a chain."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float32, Int, UInt64

from tenfold.catalog.datasets import Item


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    names: tuple[str, ...]
    of: Int[np.ndarray, " n"]
    """The group of each sample."""
    sizes: Int[np.ndarray, " groups"]
    rarest: Int[np.ndarray, " groups"]
    """The rarest class among a group's answers; -1 where there is none."""
    all_bad: Bool[np.ndarray, " groups"]
    """All samples are of the last class, where there are two."""
    _keys: UInt64[np.ndarray, " groups"]

    @classmethod
    def among(cls, items: Sequence[Item], targets: Float32[np.ndarray, "n classes"]) -> "Groups":
        of, names = _joined(items)
        sizes = np.bincount(of, minlength=len(names))
        hit = np.zeros((len(names), targets.shape[1]), bool)
        rows, columns = np.nonzero(targets > 0)
        hit[of[rows], columns] = True
        counts = targets.sum(axis=0)
        by_rarity = np.lexsort((np.arange(len(counts)), counts))
        first = hit[:, by_rarity].argmax(1)
        rarest = np.where(hit.any(1), by_rarity[first], -1)
        bad = np.bincount(of, weights=targets[:, -1] > 0, minlength=len(names))
        keys = np.frombuffer(b"".join(map(_key, names)), np.uint64)
        return cls(names, of, sizes, rarest, bad == sizes, keys)

    def any(self, of_samples: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " groups"]:
        """Groups that have one of the samples."""
        return self.count(of_samples) > 0

    def count(self, of_samples: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " groups"]:
        """How many of the samples each group has."""
        return np.bincount(self.of[of_samples], minlength=len(self.names))

    def order(self, salt: str) -> UInt64[np.ndarray, " groups"]:
        """A place for each group that depends on its name and `salt` alone, so that samples which
        come later change nothing among those that are there.

        Source: Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators" (the
        finaliser of splitmix64).
        """
        mixed = self._keys ^ np.frombuffer(_key(salt), np.uint64)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


@lru_cache(maxsize=100_000)
def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:8]


def _joined(items: Sequence[Item]) -> tuple[Int[np.ndarray, " n"], tuple[str, ...]]:
    """The group of each item, and the groups' names."""
    parent = list(range(len(items)))
    tied = [i for i, item in enumerate(items) if item.lot is not None or item.near is not None]

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[tuple[str, str], int] = {}
    for i in tied:
        for kind, value in (("lot", items[i].lot), ("near", items[i].near)):
            if value is not None:
                parent[root(i)] = root(first.setdefault((kind, value), i))
    for i in tied:
        parent[i] = root(i)
    _, at, inverse = np.unique(parent, return_index=True, return_inverse=True)
    rank = np.empty(len(at), np.int64)
    rank[np.argsort(at)] = np.arange(len(at))  # groups are numbered as their first samples come
    members: dict[int, list[Item]] = {}
    for i in tied:
        members.setdefault(parent[i], []).append(items[i])
    names = [
        _name(members[parent[i]]) if parent[i] in members else items[i].sha256
        for i in np.sort(at).tolist()
    ]
    return rank[inverse], tuple(names)


def _name(members: Sequence[Item]) -> str:
    """The lot if there is one (the first of several joined ones), else the smallest digest."""
    lots = {item.lot for item in members if item.lot is not None}
    return f"lot {min(lots)}" if lots else min(item.sha256 for item in members)
