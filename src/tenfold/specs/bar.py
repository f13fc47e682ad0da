"""The acceptance contract: bounds on error rates, with confidence."""

from typing import Annotated

from pydantic import Field

from tenfold.specs.yaml_file import Part

Rate = Annotated[float, Field(gt=0, lt=1)]


class Bar(Part):
    """Every bound that is given must be proven; rates are shares in (0, 1)."""

    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    """Confidence of each bound, over all looks together."""
    escape: Rate | None = None
    """Largest share of defects that may be passed as good."""
    overkill: Rate | None = None
    """Largest share of goods that may be rejected."""
    error: Rate | None = None
    """Largest share of wrong answers (several classes)."""
    miss: dict[str, Rate] = Field(default_factory=dict[str, Rate])
    """Largest share of a class's samples that may be called something else, by class name."""

    @property
    def alpha(self) -> float:
        return round(1 - self.confidence, 12)
