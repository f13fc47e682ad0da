"""Which pictures show the same thing twice, so that no split puts them on both sides.

Three sieves, each dearer and sharper than the one before:
1. a 64-bit hash of the coarse picture (DCT): pairs within `HASH_RADIUS` bits;
2. finer DCT coefficients of the thumbnail, with what the whole dataset has in common taken out: in
   a set of solar cells every picture has the same bars, and only the grain tells cells apart;
3. the pixels themselves, registered by a small shift and compared block by block: nine blocks of
   ten must agree, so a shared frame or background is not enough.

Finds re-encoded, rescaled, brightened or slightly blurred or shifted copies (up to about 1 % of the
side), further exposures of the same object, and frames of a scene where nothing much moved. Does
not find turned, mirrored or strongly cropped copies.

Source: the hash follows Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash
Functions", section 3.2; the search within a radius Norouzi et al. 2012, "Fast Search in Hamming
Space with Multi-Index Hashing" (arXiv:1307.2982); registration is phase correlation, Kuglin and
Hines 1975. Written from the papers; no code taken.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Complex64, Float32, Int64, UInt8, UInt64
from PIL import Image
from scipy.linalg import eigh
from scipy.ndimage import uniform_filter

from tenfold.errors import DataError

THUMB_PX = 32
HASH_RADIUS = 10
"""Bits of 64 that may differ; with 4 bands of 16 bits one band then differs in at most 2."""
CROWD = 256
"""Among many alike hashes a picture is compared with so many that follow it: time stays linear."""
TRIES = 2
"""After so many failures with its most alike partners a picture is given up."""
ALIKE = 0.8
"""Least correlation of what two thumbnails do not share with the dataset."""
AGREEING = 0.25
"""Least correlation of pixels in nine blocks of ten."""
CANVAS_PX = 192
BLOCK_PX = 24
SHIFT_PX = 8
"""Registration looks this far, in pixels of the canvas."""
SHARED_AT_MOST = 32
"""Directions that count as common to the dataset; one for each 20 pictures, up to these."""

_U, _V = np.mgrid[:THUMB_PX, :THUMB_PX]
_DCT = np.cos(np.pi / THUMB_PX * (_V + 0.5) * _U).astype(np.float32) * (2 / THUMB_PX) ** 0.5
_DCT[0] *= 0.5**0.5
"""Orthonormal: `_DCT @ thumb @ _DCT.T` are the coefficients (DCT-II)."""
_FINE = (_U + _V >= 6) & (_U < 24) & (_V < 24)


def thumbnail(pixels: UInt8[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "32 32"]:
    """The whole picture in grey, squashed to a small square."""
    return _grey_square(pixels, THUMB_PX)


def perceptual_hash(thumb: UInt8[np.ndarray, "32 32"]) -> int:
    """64 bits: which of the 8 × 8 coarsest DCT coefficients lie over their median."""
    coarse = (_DCT[:8] @ thumb.astype(np.float32) @ _DCT[:8].T).ravel()
    bits = coarse > np.median(coarse[1:])  # the first is the mean brightness
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def near_groups(
    hashes: UInt64[np.ndarray, " n"],
    thumbs: UInt8[np.ndarray, "n 32 32"],
    load_pixels: Callable[[int], UInt8[np.ndarray, "h w c"]],
) -> list[list[int]]:
    """Groups (two or more) of positions that show the same, each in rising order.

    `load_pixels` is asked only for the pictures that pass the first two sieves, seldom twice.
    Time grows linearly with n.
    """
    leaders = _Leaders(len(hashes))
    if len(hashes) < 2:
        return []
    canvases = _Canvases(load_pixels)
    failed = [0] * len(hashes)
    for a, b in _alike_pairs(thumbs, *near_hashes(hashes)):
        if leaders.of(a) == leaders.of(b) or failed[a] >= TRIES:
            continue
        if same_pixels(canvases.of(a), canvases.of(b)):
            leaders.join(a, b)
        else:
            failed[a] += 1
    return leaders.groups()


def near_hashes(
    hashes: UInt64[np.ndarray, " n"],
) -> tuple[Int64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"]]:
    """Pairs (a < b, sorted) whose hashes differ in at most `HASH_RADIUS` bits."""
    n = len(hashes)
    found = [np.empty(0, np.int64)]
    index = np.arange(n)
    for band in range(4):
        keys = ((hashes >> np.uint64(16 * band)) & np.uint64(0xFFFF)).astype(np.int64)
        order = np.sort(keys * n + index)  # by key, then by position
        ends = np.searchsorted(order, (np.arange(1 << 16) + 1) * n)
        for mask in _masks(bits=16, at_most=2):
            probe = keys ^ mask
            start = np.searchsorted(order, probe * n + index + 1)
            a, b = _expand(start, np.minimum(ends[probe], start + CROWD), order % n)
            near = np.bitwise_count(hashes[a] ^ hashes[b]) <= HASH_RADIUS
            found.append(a[near] * n + b[near])
    pairs = np.unique(np.concatenate(found))
    return pairs // n, pairs % n


def same_pixels(one: "Canvas", other: "Canvas") -> bool:
    """Whether two pictures agree nearly everywhere once one is shifted onto the other."""
    return any(
        _block_agreement(*_overlap(one.fine, other.fine, shift)) >= AGREEING
        for shift in dict.fromkeys([(0, 0), _shift(one, other)])
    )


def join_exact(labelled: Sequence[tuple[str, str, tuple[str, ...]]]) -> list[int]:
    """Positions to keep of (path, digest, labels): the first of each digest.

    A copy without labels says nothing against one that has some, which is then kept.

    Raises:
        DataError: two files hold the same picture with other labels; names both.
    """
    kept: dict[str, int] = {}
    for position, (path, digest, labels) in enumerate(labelled):
        before = kept.setdefault(digest, position)
        other, _, known = labelled[before]
        if not known:
            kept[digest] = position if labels else before
        elif labels and set(known) != set(labels):
            raise DataError(
                f"same picture as {other}, which is {_said(known)}; this is {_said(labels)}.",
                where=path,
                hint="Decide which is right and remove the other file.",
            )
    return sorted(kept.values())


def _said(labels: tuple[str, ...]) -> str:
    return " and ".join(repr(label) for label in sorted(labels))


def _grey_square(pixels: UInt8[np.ndarray, "h w c"], side: int) -> UInt8[np.ndarray, "side side"]:
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    small = picture.resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(small.convert("L"))


def _masks(*, bits: int, at_most: int) -> Iterator[int]:
    for count in range(at_most + 1):
        for places in combinations(range(bits), count):
            yield sum(1 << place for place in places)


def _expand(
    start: Int64[np.ndarray, " n"], end: Int64[np.ndarray, " n"], items: Int64[np.ndarray, " n"]
) -> tuple[Int64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"]]:
    """Pairs of each position with `items[start:end]` of its own."""
    counts = np.maximum(end - start, 0)
    a = np.repeat(np.arange(len(start)), counts)
    offset = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return a, items[np.repeat(start, counts) + offset]


def _alike_pairs(
    thumbs: UInt8[np.ndarray, "n 32 32"],
    first: Int64[np.ndarray, " pairs"],
    second: Int64[np.ndarray, " pairs"],
) -> list[tuple[int, int]]:
    """Pairs that still correlate when what the dataset has in common is taken out.

    In the order of the first, its most alike partners first.
    """
    fine = np.stack([(_DCT @ thumb.astype(np.float32) @ _DCT.T)[_FINE] for thumb in thumbs])
    originals = np.setdiff1d(np.arange(len(thumbs)), second)  # copies would count as common
    shared = min(SHARED_AT_MOST, len(originals) // 20)
    if shared:
        sample = fine[originals[:: -(-len(originals) // 4000)]]
        mean = sample.mean(axis=0)
        dim = fine.shape[1]
        fine -= mean
        centred = sample - mean
        _, axes = eigh(centred.T @ centred, subset_by_index=(dim - shared, dim - 1))
        fine -= (fine @ axes) @ axes.T
    fine /= np.linalg.norm(fine, axis=1, keepdims=True) + 1.0  # a blank thumb is like no other
    likeness = np.empty(len(first), np.float32)
    for begin in range(0, len(first), 4096):
        part = slice(begin, begin + 4096)
        likeness[part] = np.einsum("pd,pd->p", fine[first[part]], fine[second[part]])
    order = np.lexsort((-likeness, first))
    order = order[likeness[order] >= ALIKE]
    return list(zip(first[order].tolist(), second[order].tolist(), strict=True))


def _shift(one: "Canvas", other: "Canvas") -> tuple[int, int]:
    """Rows and columns by which `one` lies further down and right than `other`."""
    cross = one.spectrum * np.conj(other.spectrum)
    peaks = np.fft.irfft2(cross / (np.abs(cross) + 1e-6))
    reach = np.arange(-SHIFT_PX // 2, SHIFT_PX // 2 + 1)
    window = peaks[np.ix_(reach, reach)]
    row, column = (2 * reach[i] for i in np.unravel_index(int(window.argmax()), window.shape))
    if row == column == 0:
        return 0, 0
    around = [(int(row + r), int(column + c)) for r in (-1, 0, 1) for c in (-1, 0, 1)]
    return max(around, key=lambda shift: _correlation(*_overlap(one.fine, other.fine, shift)))


def _correlation(one: Float32[np.ndarray, "h w"], other: Float32[np.ndarray, "h w"]) -> float:
    norms = np.sqrt(np.einsum("hw,hw", one, one) * np.einsum("hw,hw", other, other))
    return float(np.einsum("hw,hw", one, other) / (norms + 1e-6))


def _overlap(
    one: Float32[np.ndarray, "side side"],
    other: Float32[np.ndarray, "side side"],
    shift: tuple[int, int],
) -> tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
    (down, right), (h, w) = shift, one.shape
    rows, columns = h - abs(down), w - abs(right)
    top, left = max(down, 0), max(right, 0)
    return (
        one[top : top + rows, left : left + columns],
        other[top - down : top - down + rows, left - right : left - right + columns],
    )


def _block_agreement(one: Float32[np.ndarray, "h w"], other: Float32[np.ndarray, "h w"]) -> float:
    """Correlation that nine blocks of ten reach."""
    a, b = _blocks(one), _blocks(other)
    a -= a.mean(axis=1, keepdims=True)
    b -= b.mean(axis=1, keepdims=True)
    spread = np.sqrt((a * a).mean(axis=1) * (b * b).mean(axis=1))
    agreement = (a * b).mean(axis=1) / (spread + 0.1)  # a flat block agrees with none
    return float(np.partition(agreement, len(agreement) // 10)[len(agreement) // 10])


def _blocks(canvas: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "blocks pixels"]:
    rows, columns = (side // BLOCK_PX for side in canvas.shape)
    tiles = canvas[: rows * BLOCK_PX, : columns * BLOCK_PX]
    tiles = tiles.reshape(rows, BLOCK_PX, columns, BLOCK_PX).transpose(0, 2, 1, 3)
    return tiles.reshape(rows * columns, -1).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """A picture made ready to be laid over another."""

    fine: Float32[np.ndarray, "192 192"]
    """Grey square without its slow changes."""
    spectrum: Complex64[np.ndarray, "96 49"]
    """Of the same at half the side."""


def canvas(pixels: UInt8[np.ndarray, "h w c"]) -> Canvas:
    grey = _grey_square(pixels, CANVAS_PX).astype(np.float32)
    fine = grey - uniform_filter(grey, 7)
    half = fine.reshape(CANVAS_PX // 2, 2, CANVAS_PX // 2, 2).mean(axis=(1, 3))
    return Canvas(fine, np.fft.rfft2(half))


class _Canvases:
    """The canvases in reach, each made once while it stays."""

    def __init__(self, load_pixels: Callable[[int], UInt8[np.ndarray, "h w c"]]) -> None:
        self.load_pixels = load_pixels
        self.kept: dict[int, Canvas] = {}

    def of(self, position: int) -> Canvas:
        if position not in self.kept:
            if len(self.kept) >= CROWD:
                self.kept.pop(next(iter(self.kept)))
            self.kept[position] = canvas(self.load_pixels(position))
        return self.kept[position]


class _Leaders:
    """Union-find over positions."""

    def __init__(self, n: int) -> None:
        self.parent = list(range(n))

    def of(self, item: int) -> int:
        while self.parent[item] != item:
            self.parent[item] = item = self.parent[self.parent[item]]
        return item

    def join(self, a: int, b: int) -> None:
        low, high = sorted((self.of(a), self.of(b)))
        self.parent[high] = low

    def groups(self) -> list[list[int]]:
        members: dict[int, list[int]] = {}
        for item in range(len(self.parent)):
            members.setdefault(self.of(item), []).append(item)
        return [group for group in members.values() if len(group) > 1]
