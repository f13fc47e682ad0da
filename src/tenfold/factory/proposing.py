"""The task that a dataset of the catalog most likely is for."""

from collections.abc import Sequence

from pydantic import ValidationError

from tenfold.catalog import gallery
from tenfold.catalog.gallery import Portion
from tenfold.errors import DataError, SpecError
from tenfold.formats.guess import FEW_DEFECTS
from tenfold.formats.row import is_good
from tenfold.specs.task import TaskSpec, propose
from tenfold.specs.yaml_file import first_of
from tenfold.values import Kind


def proposed(dataset: str, found: Sequence[Portion]) -> TaskSpec:
    """As `tenfold make FOLDER` would write it, from what the catalog counts in the dataset.

    Raises:
        DataError: the dataset is empty.
        SpecError: no task can have such a name.
    """
    if not found:
        raise DataError("the dataset has no pictures.", where=dataset)
    facets = gallery.facets_of(found)
    goods = [label for label in facets.labels if is_good(label)]
    good = goods[0] if len(goods) == 1 else None
    try:
        return propose(
            dataset,
            _kind(found, good),
            good=good,
            labels=list(facets.labels),
            splits=list(facets.splits),
            several=any(len(one.labels) > 1 for one in found),
        )
    except ValidationError as error:
        raise SpecError(first_of(error)[1], where=dataset) from error


def _kind(found: Sequence[Portion], good: str | None) -> Kind:
    """Anomaly where only good pictures are there to learn from, or too few others."""
    if good is None:
        return "classify"
    bad = (one for one in found if one.labels and good not in one.labels)
    to_learn = sum(one.size for one in bad if one.split in ("", "train"))
    return "classify" if to_learn >= FEW_DEFECTS else "anomaly"
