"""One task's walk up its ladder: which rung deserves a look, decided on fit and calibrate alone.
Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tenfold.catalog.ledger import Used
from tenfold.catalog.models import Model
from tenfold.factory.ladder import Rung
from tenfold.factory.plan import Order


@dataclass(slots=True, eq=False)
class Climb:
    order: Order
    question_key: str
    place: int = 0
    """Of the rung to try next."""
    must_judge: bool = False
    """The rung to try next is judged whatever is expected of it: no other is left."""
    is_begun: bool = False
    """It has its place in the budget."""
    rungs: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """What became of each, for the record."""
    seconds: dict[str, float] = field(default_factory=lambda: {"fit": 0.0, "judge": 0.0})
    judged: list[Model] = field(default_factory=list[Model])
    unjudged: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    """(estimate, place) of rungs that did not seem worth a look."""
    used: Used = field(default_factory=Used)
    """By rungs that made no model: booked when the climb is over, so that a run that is killed
    before, and the one that goes on, book it once."""

    @classmethod
    def begun(cls, order: Order, question_key: str) -> "Climb":
        return cls(order, question_key, must_judge=len(order.rungs) == 1)

    def copied(self) -> "Climb":
        """To walk on with, while nothing is recorded yet."""
        return replace(
            self,
            rungs=list(self.rungs),
            seconds=dict(self.seconds),
            judged=list(self.judged),
            unjudged=list(self.unjudged),
        )

    @property
    def rung(self) -> Rung:
        return self.order.rungs[self.place]

    @property
    def answer(self) -> Model:
        """The best of what was judged, the first of equals."""
        accepted = [model for model in self.judged if model.status == "accepted"]
        return max(accepted or self.judged, key=lambda model: model.estimate or 0.0)

    def note(
        self,
        outcome: str,
        *,
        estimate: float | None = None,
        seconds: float = 0.0,
        model: Model | None = None,
        suspects: Sequence[str] = (),
    ) -> None:
        """Write down what became of the rung; a rung tried again replaces its record."""
        self.rungs = [r for r in self.rungs if r["name"] != self.rung.name]
        self.rungs.append(
            {
                "name": self.rung.name,
                "outcome": outcome,
                "estimate": estimate,
                "seconds": seconds,
                "model": model.id if model else "",
                "alpha": model.verdict["alpha"] if model else 0.0,
                "suspects": list(suspects),
            }
        )

    def pass_by(self, estimate: float | None) -> None:
        """The rung is not worth a look."""
        self.unjudged.append((estimate or 0.0, self.place))

    def estimate_of(self, place: int) -> float | None:
        """What a rung promised when it was passed by."""
        return next((estimate for estimate, one in self.unjudged if one == place), None)

    def go_on(self) -> bool:
        """Turn to what is tried next; False: the climb is over."""
        if any(model.status == "accepted" for model in self.judged):
            return False
        if self.place + 1 < len(self.order.rungs) and not self.must_judge:
            self.place += 1
            if self._is_over_budget():
                self._leave_the_rest()
            else:
                return True
        if self.judged:
            return False
        _, self.place = max(self.unjudged, key=lambda one: (one[0], -one[1]))
        self.must_judge = True
        return True

    def _is_over_budget(self) -> bool:
        limit = self.order.spec.budget.seconds
        return limit is not None and sum(self.seconds.values()) > limit

    def _leave_the_rest(self) -> None:
        for place in range(self.place, len(self.order.rungs)):
            self.place = place
            self.note("over budget")
