"""A loop: how one deployment is watched, reviewed, made anew and rolled out (YAML)."""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field

from tenfold.loop.retrain import Rule as RetrainRule
from tenfold.loop.review import Rule as ReviewRule
from tenfold.loop.rollout import Costs
from tenfold.loop.rollout import Rule as RolloutRule
from tenfold.loop.watch import Rule as WatchRule
from tenfold.specs.yaml_file import Part, parsed, text_of

HINT = "docs/loop.md lists every key."


class LoopSpec(Part):
    approve: Literal["person", "rule"] = "person"
    """Whether a proven shadow waits for a person's nod before it answers for real."""
    costs: Costs | None = None
    """What wrong answers cost where they are good or bad; default: every error costs 1."""
    canary_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the route keys that a canary answers for."""
    rollout: RolloutRule = RolloutRule()
    watch: WatchRule = WatchRule()
    review: ReviewRule = ReviewRule()
    retrain: RetrainRule = RetrainRule()

    def to_yaml(self) -> str:
        """The loop with what differs from the defaults; `parse` reads it back equal."""
        return yaml.safe_dump(self.model_dump(mode="json", exclude_defaults=True), sort_keys=False)


def load(path: Path | str) -> LoopSpec:
    """The loop in a YAML file.

    Raises:
        NotFound: there is no such file.
        SpecError: names the file and line of what is wrong.
    """
    path = Path(path).expanduser()
    return parse(text_of(path), where=str(path))


def parse(text: str, *, where: str) -> LoopSpec:
    """The loop in YAML text; see `load`."""
    return parsed(LoopSpec, text, where=where, hint=HINT)
