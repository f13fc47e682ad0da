import numpy as np
import pytest

from tenfold.errors import SpecError
from tenfold.heads.classify_fourier import FourierMachine, coded, decoded
from tenfold.heads.classify_linear import LinearProbe
from tenfold.heads.fourier import Fourier

SIGNS_OF_SEED_1 = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1]


def test_inner_products_of_waves_are_the_gaussian_kernel():
    points = np.random.default_rng(0).normal(size=(40, 100)).astype(np.float32) / 10
    waves = Fourier(100, 8192, seed=5).of(points)
    gap = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(waves @ waves.T, np.exp(-gap / 2), atol=0.04)


def test_waves_of_a_sample_do_not_depend_on_the_others():
    points = np.random.default_rng(0).normal(size=(600, 20)).astype(np.float32)
    fourier = Fourier(20, 128, seed=5)
    np.testing.assert_allclose(fourier.of(points)[400:401], fourier.of(points[400:401]), atol=1e-5)


def test_signs_of_a_seed_are_fixed_for_good():
    signs = Fourier(4, 4, seed=1).signs()
    assert signs.ravel().tolist() == SIGNS_OF_SEED_1


def test_a_ring_around_a_core_is_learnt_where_a_line_cannot():
    rng = np.random.default_rng(0)
    angle, labels = rng.uniform(0, 2 * np.pi, 400), np.arange(400) % 2
    radius = np.where(labels, 3.0, 1.0) + 0.3 * rng.normal(size=400)
    flat = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    features = (np.sign(flat) * flat**2)[:, None].astype(np.float32)  # heads take roots
    targets = np.eye(2, dtype=np.float32)[labels]

    def accuracy(recipe):
        scorer = recipe.fit(features[:200], targets[:200], rng=rng)
        return (scorer.score(features[200:]).argmax(axis=1) == labels[200:]).mean()

    assert accuracy(FourierMachine(frequencies=512)) > 0.95
    assert accuracy(LinearProbe()) < 0.75


def test_coded_scales_stay_within_their_step():
    scales = np.geomspace(2e-3, 500, 99)
    np.testing.assert_allclose(decoded(coded(scales)), scales, rtol=0.03)


def test_impossible_parameters_are_spec_errors():
    with pytest.raises(SpecError, match="frequencies"):
        FourierMachine(frequencies=1)
    with pytest.raises(SpecError, match="width"):
        FourierMachine(width=0.0)
