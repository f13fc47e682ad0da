"""Which samples a package carries to prove that it still answers the same."""

from collections.abc import Sequence

GOLDENS, MOST_GOLDENS = 4, 8
"""At least, and at most where there are many classes."""


def golden_rows(samples: Sequence[str], truth: Sequence[str]) -> tuple[int, ...]:
    """Places of a few samples of every class in turn, by digest, whatever their roles: the same for
    all variants of a question, and nearly the same for all questions on a dataset."""
    by_class: dict[str, list[int]] = {}
    for row in sorted(range(len(samples)), key=samples.__getitem__):
        by_class.setdefault(truth[row], []).append(row)
    most = max(GOLDENS, min(len(by_class), MOST_GOLDENS))
    turns = [group[i] for i in range(most) for group in by_class.values() if i < len(group)]
    return tuple(turns[:most])
