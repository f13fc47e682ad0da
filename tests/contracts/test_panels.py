"""Heads asked together say what each says alone, whatever the trunk has to do for the others."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

import tenfold
from tenfold.catalog import deployments, models
from tenfold.errors import IntegrityError
from tenfold.factory.stock import runtime_of
from tenfold.formats.pixels import decode
from tenfold.runtime.kept import Kept
from tenfold.runtime.panel import Panels, ask
from tenfold.runtime.shelf import Shelf

pytestmark = [pytest.mark.heavy, pytest.mark.xdist_group("line")]  # one worker makes the line

MORE = """
task: {name}
kind: classify
dataset: cells
question: {{negative: [good]}}
bar: {{escape: 0.4, overkill: 0.4}}
rung: {rung}
seed: {seed}
"""


@pytest.fixture(scope="module")
def made(line, tmp_path_factory):
    """A copy of the line with a few more heads."""
    home = shutil.copytree(line.settings.home, tmp_path_factory.mktemp("panel") / "home")
    rungs = {"second": "linear", "third": "linear", "kernel": "kernel", "three": "kernel_trunks"}
    for seed, (name, rung) in enumerate(rungs.items()):
        (home / f"{name}.yaml").write_text(MORE.format(name=name, rung=rung, seed=seed))
    with tenfold.opened(home, actor="ann") as workspace:
        tenfold.make_all(workspace, [str(home / f"{name}.yaml") for name in rungs])
        yield workspace


@pytest.fixture(scope="module")
def shelf(made):
    """Heads as serving reads them."""
    return Shelf(made.blobs, runtime_of(made), made.settings.home / "packs", Kept(10**9))


@pytest.fixture(scope="module")
def heads(made, shelf):
    found = models.everything(made.scope)
    refs = deployments.heads_of(made.scope, [model.id for model in found])
    return [shelf.head(ref) for ref in refs]


@pytest.fixture(scope="module")
def pictures(cells):
    files = sorted((cells / "cracked").iterdir())[:4] + sorted((cells / "good").iterdir())[:4]
    return [decode(file.read_bytes(), where=file.name) for file in files]


def answered(shelf, asks, **more):
    told = {}
    Panels(shelf.runtime, **more).answer(asks, told.__setitem__)
    return [told[place].answers for place in range(len(asks))]


def test_a_panel_says_what_each_head_says_alone(shelf, heads, pictures):
    assert {head.manifest.kind for head in heads} == {"classify", "anomaly"}
    together = answered(shelf, [ask(heads, picture) for picture in pictures])
    for picture, answers in zip(pictures, together, strict=True):
        for head, answer in zip(heads, answers, strict=True):
            alone = shelf.runtime.answer(head, picture)
            assert answer.decision == alone.decision
            assert answer.unfit == alone.unfit
            np.testing.assert_allclose(answer.scores, alone.scores, rtol=0, atol=1e-5)
            assert (answer.score_map is None) == (alone.score_map is None)


def test_a_panel_passes_the_trunk_once(heads, pictures):
    linear = [head for head in heads if head.manifest.head.name == "classify_linear"]
    assert len(linear) >= 2
    assert len(ask(linear, pictures[0]).canvases) == 1


def test_order_of_heads_and_company_change_nothing(shelf, heads, pictures):
    asks = [ask(heads, picture) for picture in pictures]
    whole = answered(shelf, asks, threads=2)
    single = [answered(shelf, [one])[0] for one in asks]
    backwards = answered(shelf, [ask(heads[::-1], picture) for picture in pictures])
    for one, other, back in zip(whole, single, backwards, strict=True):
        assert [a.scores for a in one] == [a.scores for a in other]
        np.testing.assert_allclose(
            np.concatenate([a.scores for a in one]),
            np.concatenate([a.scores for a in back[::-1]]),
            atol=1e-6,
        )


class Broken:
    def score(self, _):
        raise RuntimeError("this head is broken")


def test_a_head_that_fails_silences_nobody(shelf, heads, pictures):
    broken = replace(heads[0], head=Broken())
    (answers,) = answered(shelf, [ask([broken, *heads[1:]], pictures[0])])
    assert isinstance(answers[0], Exception)
    (whole,) = answered(shelf, [ask(heads, pictures[0])])
    assert [a.decision for a in answers[1:]] == [a.decision for a in whole[1:]]


def test_a_picture_that_fails_disturbs_no_other(shelf, heads, pictures):
    asks = [ask(heads, picture) for picture in pictures]
    wrong = {lens: square[:7] for lens, square in asks[1].canvases.items()}
    asks[1] = replace(asks[1], canvases=wrong)
    told = {}
    for _ in range(5):  # what failed must not hold the trunk's places
        Panels(shelf.runtime).answer(asks, told.__setitem__)
    assert [i for i, one in told.items() if isinstance(one, Exception)] == [1]
    assert len(told) == len(asks)


def test_a_head_that_no_longer_says_what_it_said_is_refused(made, shelf, monkeypatch):
    (ref,) = deployments.heads_of(made.scope, [models.get(made.scope, "second").id])
    fresh = Shelf(made.blobs, shelf.runtime, made.settings.home / "packs", Kept(10**9))
    kind = type(shelf.head(ref).head)
    monkeypatch.setattr(kind, "score", lambda self, features: np.full((1, 2), 0.5, np.float32))
    with pytest.raises(IntegrityError, match="golden sample"):
        fresh.head(ref)


def test_a_damaged_pack_is_refused(made, shelf, tmp_path):
    (ref,) = deployments.heads_of(made.scope, [models.get(made.scope, "second").id])
    path = made.blobs.local(ref.pack)
    data = bytearray(path.read_bytes())
    data[ref.stretch.offset + ref.stretch.length - 3] ^= 1
    whole = path.read_bytes()
    path.write_bytes(data)
    try:
        fresh = Shelf(made.blobs, shelf.runtime, tmp_path, Kept(10**9))
        with pytest.raises(IntegrityError, match="does not match its digest"):
            fresh.head(ref)
    finally:
        path.write_bytes(whole)


def test_the_oldest_used_head_leaves_first(made, shelf):
    refs = deployments.heads_of(made.scope, [m.id for m in models.everything(made.scope)])[:3]
    small = Shelf(made.blobs, shelf.runtime, made.settings.home / "packs", Kept(1))
    for ref in refs:
        small.head(ref)
    assert len(small.heads) == 1
    assert small.heads.get(refs[-1].model) is not None
