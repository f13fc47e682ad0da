"""Who answers a question, and what their answers are."""

import numpy as np
import pytest

from tenfold.catalog.datasets import Item
from tenfold.errors import DataError, SpecError
from tenfold.factory.cohort import gather
from tenfold.specs.task import TaskSpec, parse


def spec(**more):
    plain = {"task": "t", "dataset": "d", "question": {"positive": ["bad"]}}
    return TaskSpec.model_validate(plain | {"soft_label": "doubt"} | more)


def item(name, label, doubt=None):
    attributes = {} if doubt is None else {"doubt": doubt}
    return Item(name, f"{name}.png", (label,), attributes=attributes)


def test_soft_labels_are_learnt_and_plain_labels_judged():
    cohort = gather(spec(), [item("a", "good", "0.33"), item("b", "bad", "0.67"), item("c", "bad")])
    assert cohort.targets[:, 1].tolist() == [0, 1, 1]
    np.testing.assert_allclose(cohort.learnt[:, 1], [0.33, 0.67, 1])


def test_without_soft_labels_the_plain_ones_are_learnt():
    cohort = gather(spec(soft_label=None), [item("a", "good", "0.33"), item("b", "bad")])
    assert cohort.learnt is cohort.targets


@pytest.mark.parametrize("given", ["1.5", "-0.1", "nan", "often"])
def test_a_soft_label_that_is_no_share_names_its_picture(given):
    with pytest.raises(DataError, match=r"doubt must be 0 \.\. 1") as caught:
        gather(spec(), [item("a", "good", "0"), item("b", "bad", given)])
    assert caught.value.where == "b.png"


def test_a_soft_label_against_its_label_names_its_picture():
    with pytest.raises(DataError, match=r"doubt is 0\.9, but the label good says good") as caught:
        gather(spec(), [item("a", "good", "0.9"), item("b", "bad", "1")])
    assert caught.value.where == "a.png"


def test_a_soft_label_that_nobody_has_is_told():
    with pytest.raises(DataError, match="no sample has the attribute 'doubt'"):
        gather(spec(), [item("a", "good"), item("b", "bad")])


def test_soft_labels_are_for_good_or_bad_only():
    with pytest.raises(SpecError, match="`soft_label` is for classify tasks"):
        parse("task: t\ndataset: d\nsoft_label: doubt\n", where="t.yaml")
