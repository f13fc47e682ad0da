"""Mean and covariance of patches that arrive in batches, so that heads can take new images."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """How many patches were seen, their mean and their covariance."""

    count: float
    mean: Float64[np.ndarray, " dim"]
    covariance: Float64[np.ndarray, "dim dim"]

    @classmethod
    def none(cls, dim: int) -> "Moments":
        return cls(0.0, np.zeros(dim), np.zeros((dim, dim)))

    def with_patches(self, patches: Float32[np.ndarray, "n dim"]) -> "Moments":
        """The moments with `patches` counted in.

        Source: Chan, Golub & LeVeque 1983, "Algorithms for Computing the Sample Variance", eq. 2.1.
        """
        if len(patches) == 0:
            return self
        mean = patches.mean(0, dtype=np.float64)
        centred = patches - mean.astype(np.float32)
        scatter = (centred.T @ centred).astype(np.float64)
        total = self.count + len(patches)
        share = len(patches) / total
        gap = mean - self.mean
        within = (1 - share) * self.covariance + scatter / total
        between = share * (1 - share) * np.outer(gap, gap)
        return Moments(total, self.mean + share * gap, within + between)

    def rounded(self) -> "Moments":
        """As it will be stored, so that a loaded head scores as the fitted one did."""
        return Moments.from_packed(self.count, self.mean, self.packed_covariance())

    def packed_covariance(self) -> Float32[np.ndarray, " packed"]:
        """The upper triangle, row by row."""
        return self.covariance[np.triu_indices(len(self.mean))].astype(np.float32)

    @classmethod
    def from_packed(
        cls, count: float, mean: Float[np.ndarray, " dim"], packed: Float[np.ndarray, " packed"]
    ) -> "Moments":
        upper = np.triu_indices(len(mean))
        covariance = np.zeros((len(mean), len(mean)))
        covariance[upper] = packed
        covariance.T[upper] = packed
        return cls(count, mean.astype(np.float32).astype(np.float64), covariance)
