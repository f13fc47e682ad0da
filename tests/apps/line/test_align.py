import csv
from pathlib import Path

import numpy as np
import pytest

from tenfold.apps.line.align import Aligned, Lost, align, known, to_reference
from tenfold.apps.line.part import Alignment
from tenfold.apps.line.reference import Reference
from tenfold.errors import DataError

cv2 = pytest.importorskip("cv2")
SCREWS = Path(__file__).parents[4] / "shared" / "data" / "B-screws-presence"
WIDTH, HEIGHT = 320, 240


def part(seed: int) -> np.ndarray:
    """A plate with holes, bars and some grain."""
    rng = np.random.default_rng(seed)
    picture = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    for _ in range(25):
        x, y = (int(v) for v in rng.integers(20, (WIDTH - 20, HEIGHT - 20)))
        colour = tuple(int(v) for v in rng.integers(0, 255, 3))
        cv2.circle(picture, (x, y), int(rng.integers(3, 14)), colour, -1, cv2.LINE_AA)
        end = (x + int(rng.integers(-40, 40)), y + int(rng.integers(-40, 40)))
        cv2.line(picture, (x, y), end, colour, 2, cv2.LINE_AA)
    return grainy(picture, 3, seed)


def grainy(picture: np.ndarray, spread: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, spread, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def moved(picture: np.ndarray, turn_deg: float, shift: tuple[float, float], size: float = 1.0):
    """The picture as a camera sees the part turned and shifted, and the true transform."""
    true = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), turn_deg, size)
    true[:, 2] += shift
    seen = cv2.warpAffine(picture, true, (WIDTH, HEIGHT), borderValue=(60, 60, 60))
    return grainy(seen, 3, 1), true


def farthest_px(found: Aligned, true: np.ndarray) -> float:
    corners = np.array([[0, 0, 1], [WIDTH, 0, 1], [0, HEIGHT, 1], [WIDTH, HEIGHT, 1]], float).T
    return float(np.linalg.norm(found.transform @ corners - true @ corners, axis=0).max())


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference.of(part(0), Alignment())


@pytest.mark.parametrize(
    ("turn_deg", "shift"),
    [(0, (0, 0)), (0, (22.5, -14)), (2, (5, 3)), (-7, (12, 8)), (15, (0, -10)), (-15, (20, 20))],
)
def test_a_known_turn_and_shift_is_recovered_within_a_pixel(reference, turn_deg, shift):
    seen, true = moved(part(0), turn_deg, shift)
    found = align(seen, reference)
    assert isinstance(found, Aligned)
    assert farthest_px(found, true) < 1
    assert found.residual_px < 1


def test_another_size_is_recovered_too(reference):
    seen, true = moved(part(0), 4, (6, -5), size=1.06)
    found = align(seen, reference)
    assert isinstance(found, Aligned)
    assert farthest_px(found, true) < 1


@pytest.mark.parametrize("light", [(0.4, 0), (1.0, 80), (0.7, 30)])
def test_light_that_changes_makes_no_difference(reference, light):
    gain, offset = light
    seen, true = moved(part(0), 3, (9, 4))
    slope = np.linspace(0.7, 1, WIDTH)[None, :, None]
    found = align(np.clip(seen * gain * slope + offset, 0, 255).astype(np.uint8), reference)
    assert isinstance(found, Aligned)
    assert farthest_px(found, true) < 1


@pytest.mark.parametrize(
    "seen",
    [
        np.full((HEIGHT, WIDTH, 3), 128, np.uint8),
        grainy(np.full((HEIGHT, WIDTH, 3), 128, np.uint8), 12, 5),
        part(7),
    ],
    ids=["blank", "noise", "wrong part"],
)
def test_what_is_not_the_part_is_refused_with_a_reason_and_what_to_do(reference, seen):
    found = align(seen, reference)
    assert isinstance(found, Lost)
    assert found.reason
    assert found.action


def test_a_part_off_its_reference_is_refused_though_it_correlates():
    reference = Reference.of(part(0), Alignment(motion="fixed", most_residual_px=0.3))
    found = align(moved(part(0), 0, (1.5, 0))[0], reference)
    assert isinstance(found, Lost)
    assert "px off" in found.reason


def test_a_blank_reference_is_an_error_unless_a_fixture_holds_the_part():
    blank = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    with pytest.raises(DataError, match="too little"):
        Reference.of(blank, Alignment())
    found = align(blank, Reference.of(blank, Alignment(motion="fixed")))
    assert isinstance(found, Aligned)


def test_only_the_part_counts_not_what_lies_around_it():
    inside = (60, 50, 260, 190)
    reference = Reference.of(part(0), Alignment(within=inside))
    other = part(3)
    x0, y0, x1, y1 = inside
    other[y0:y1, x0:x1] = part(0)[y0:y1, x0:x1]
    found = align(other, reference)
    assert isinstance(found, Aligned)
    assert farthest_px(found, np.eye(3)[:2]) < 1


def test_the_same_picture_gives_the_same_answer(reference):
    seen, _ = moved(part(0), -9, (14, 2))
    first, second = align(seen, reference), align(seen, reference)
    assert isinstance(first, Aligned)
    assert isinstance(second, Aligned)
    assert (first.transform == second.transform).all()


def test_what_lies_outside_the_picture_is_not_known(reference):
    seen, _ = moved(part(0), 0, (40, 0))
    found = align(seen, reference)
    assert isinstance(found, Aligned)
    there = known(seen, found, reference)
    assert not there[:, -30:].any()
    assert there[:, :270].all()
    upright = to_reference(seen, found, reference).astype(float)
    assert np.abs(upright - part(0))[there].mean() < 8


def test_photographs_of_a_block_are_brought_to_one_frame():
    if not SCREWS.is_dir():
        pytest.skip(f"the photographs are not here: {SCREWS}")
    rows = list(csv.DictReader((SCREWS / "labels.csv").open(encoding="utf-8")))
    names = [row["file"] for row in rows if row["split"] == "train"][:100:9]
    photographs = [cv2.imread(str(SCREWS / name))[..., ::-1].copy() for name in names]
    reference = Reference.of(photographs[0], Alignment())
    found = [align(one, reference) for one in photographs]
    assert all(isinstance(one, Aligned) for one in found)
    upside_down = align(photographs[3][::-1, ::-1].copy(), reference)
    assert isinstance(upside_down, Lost)
    assert "turned by 179°" in upside_down.reason or "turned by 178°" in upside_down.reason
