"""The parity gate: nothing is registered before the serving runtime has shown golden pictures as
they were when the head was judged.

Heads are judged on kept features. So each golden picture passes the serving trunk once, whatever
the number of heads: where that gives the kept features bit for bit, a head's golden rows stand for
the pixels. Where it does not, each head is asked about the fresh features itself.
"""

from collections.abc import Callable, Iterable

import numpy as np

from tenfold.factory.feed import kept
from tenfold.factory.stock import Stock
from tenfold.packages import Manifest, Package
from tenfold.runtime import check_goldens
from tenfold.values import MapBatch, Seen


class Gate:
    def __init__(self, stock: Stock) -> None:
        self._stock = stock
        self._same: dict[tuple[object, ...], bool] = {}

    def check(
        self,
        manifest: Manifest,
        strides: tuple[int, ...],
        samples: Iterable[str],
        package: Callable[[], Package],
    ) -> None:
        """Nothing, if what was judged is what will run; `package` is read where it must be asked.

        Raises:
            IntegrityError: the serving runtime does not reproduce the golden scores.
        """
        if not all(self._is_same(manifest, strides, sample) for sample in samples):
            check_goldens(package(), self._stock.look)

    def begin(self, manifest: Manifest, strides: tuple[int, ...], samples: Iterable[str]) -> None:
        """Look at golden pictures that will be asked about soon."""
        for sample in samples:
            if _key(manifest, strides, sample) not in self._same:
                self._stock.begin_look(manifest, strides, sample)

    def _is_same(self, manifest: Manifest, strides: tuple[int, ...], sample: str) -> bool:
        key = _key(manifest, strides, sample)
        if key not in self._same:
            fresh = self._stock.seen(manifest, strides, sample)
            self._same[key] = _equal(fresh, kept(self._stock.workspace, manifest, strides, sample))
        return self._same[key]


def _key(manifest: Manifest, strides: tuple[int, ...], sample: str) -> tuple[object, ...]:
    return (manifest.inputs, strides, manifest.precision, manifest.runtime, sample)


def _equal(fresh: Seen, stored: Seen) -> bool:
    if isinstance(fresh, MapBatch) and isinstance(stored, MapBatch):
        pairs = [(dense, stored.maps[stride]) for stride, dense in fresh.maps.items()]
        pairs += [(fresh.content_xyxy, stored.content_xyxy), (fresh.pooled, stored.pooled)]
        pairs += [(fresh.vitals, stored.vitals)]
        return all(np.array_equal(one, other) for one, other in pairs)
    return np.array_equal(np.asarray(fresh), np.asarray(stored))
