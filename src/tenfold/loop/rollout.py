"""Whether a shadow takes the place of live, and whether a canary goes on.

A shadow answers what live answers, unseen. Each pair of answers gives a difference of losses; the
shadow is promoted once the mean difference is proven to lie below a margin, by a bound that holds
at all times (`metrics.sequences`), so nobody has to say beforehand when to look. A canary
answers for real and is asked only whether it works: a few hundred answers without truth say
nothing of quality. See docs/decisions/promotion-by-proof.md.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import Annotated, Literal

from pydantic import Field

from tenfold.errors import DataError
from tenfold.metrics.sequences import ConfidenceSequence
from tenfold.specs.yaml_file import Part

Share = Annotated[float, Field(ge=0, le=1)]


class Costs(Part):
    """What a wrong answer to a good/bad question costs, each in [0, 1]."""

    good: str = "good"
    """The class that passes; whatever else is said rejects."""
    escape: Share = 1.0
    """A bad one passes."""
    overkill: Share = 1.0
    """A good one is rejected."""


class Rule(Part):
    """When a shadow is promoted and a canary goes on."""

    margin: Annotated[float, Field(gt=0, le=1)] = 0.02
    """How much higher the shadow's mean loss may be. Two in a hundred can be told with a thousand
    or two pairs where answers rarely differ; half of it takes four times as many."""
    alpha: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    """Chance that a shadow worse than the margin is promoted, however often one looks."""
    most: Annotated[int, Field(ge=1)] = 5_000
    """Pairs after which an undecided shadow is given up and live stays."""
    latency_budget_ms: Annotated[float, Field(gt=0)] = 200.0
    """For 95 % of the answers. A line that shows five parts a second waits no longer."""
    fewest_canary_answers: Annotated[int, Field(ge=1)] = 300
    """None failed of 300: at most 1 % do, at 95 % confidence."""
    most_canary_failures: Share = 0.01
    """Share of answers that may fail. Of 300 that is 3: a canary that fails 3 % of its answers
    goes on with probability 0.02."""
    most_unfit_excess: Share = 0.05
    """How much higher the canary's share of `unfit` answers may be than live's. More is a wrong
    crop or a wrong camera rather than a difference of opinion."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a shadow has shown so far."""

    differences: ConfidenceSequence
    """Of the pairs' losses, shadow minus live, at the rule's alpha."""
    disagreements: int
    """Pairs of different answers; the only ones whose truth had to be known."""
    p95_ms: float | None
    """Latency of the shadow; None: not measured."""

    @property
    def n(self) -> int:
        return self.differences.n


@dataclass(frozen=True, slots=True)
class Decision:
    action: Literal["promote", "wait", "keep"]
    """`keep`: live stays and the shadow is given up."""
    upper: float
    """Upper bound of the mean difference."""
    reason: str


@dataclass(frozen=True, slots=True)
class Operation:
    """How a canary has worked so far."""

    answers: int
    """Asked of it, failures included."""
    failures: int
    """Errors, and answers that came too late to be used."""
    unfit: int
    """Answers that said `unfit`."""
    p95_ms: float | None
    """None: not measured."""
    live_unfit_share: float | None = None
    """Of live's answers in the same time; None: not compared."""


@dataclass(frozen=True, slots=True)
class CanaryDecision:
    action: Literal["go_on", "roll_back", "wait"]
    reason: str


def loss(said: str, truth: str, *, costs: Costs | None = None) -> float:
    """What an answer costs, in [0, 1]: 0 if right and 1 if wrong, unless costs are given.

    Several labels are joined by `;`, in any order, and must all be right. With costs `unfit`
    rejects, as in the bar.
    """
    if costs is None:
        return float(_labels(said) != _labels(truth))
    passes, is_good = said == costs.good, truth == costs.good
    if passes == is_good:
        return 0.0
    return costs.escape if passes else costs.overkill


def loss_difference(
    shadow: str, live: str, truth: str | None, *, costs: Costs | None = None
) -> float | None:
    """Loss of the shadow minus loss of live, in [-1, 1]; None while the truth must be waited for.

    Two that say the same lose the same, so their truth need not be known.
    """
    if _labels(shadow) == _labels(live):
        return 0.0
    if truth is None:
        return None
    return loss(shadow, truth, costs=costs) - loss(live, truth, costs=costs)


def settled(differences: Iterable[float | None]) -> list[float]:
    """The differences before the first that waits for its truth, in the order of the answers.

    To skip those that wait would count the pairs that agree before those that do not, and promote
    on them. What nobody can tell the truth of counts as 1, the worst.
    """
    known = takewhile(lambda difference: difference is not None, differences)
    return [difference for difference in known if difference is not None]


def decide_shadow(rule: Rule, evidence: Evidence) -> Decision:
    """Promote what is proven and fast enough, give up what is proven worse or undecided for long.

    A shadow whose mean difference is the margin or more is ever promoted with probability ≤ alpha.
    That holds for pairs in the order of the answers (`settled`), one of each part: pictures of one
    part err together.

    Raises:
        DataError: the evidence was gathered at another alpha or is no difference of losses.
    """
    _check(rule, evidence)
    bounds, margin = evidence.differences, rule.margin
    seen = f"{evidence.n:,} pairs, {evidence.disagreements:,} with different answers"
    sure = f"at {100 * (1 - rule.alpha):g} % confidence"
    if bounds.lower > margin:
        reason = (
            f"The shadow is worse: it loses at least {_down(bounds.lower)} more per answer than "
            f"live, {sure}; the margin is {margin:g} ({seen})."
        )
        return Decision("keep", bounds.upper, reason)
    proven = (
        f"the shadow loses at most {_up(bounds.upper)} more per answer than live, {sure}; "
        f"the margin is {margin:g} ({seen})"
    )
    slow = _slow(evidence.p95_ms, rule.latency_budget_ms)
    is_proven = bounds.upper <= margin
    if is_proven and not slow:
        return Decision("promote", bounds.upper, f"{_capital(proven)}.")
    why = f"{_capital(proven)}, but {slow}" if is_proven else f"Not proven yet: {proven}"
    if evidence.n >= rule.most:
        return Decision("keep", bounds.upper, f"{why}. After {rule.most:,} pairs live stays.")
    return Decision(
        "wait", bounds.upper, f"{why}. If that is so after {rule.most:,} pairs, live stays."
    )


def decide_canary(rule: Rule, operation: Operation) -> CanaryDecision:
    """Whether it works: failures, latency and the share of unfit answers, never quality.

    Rolled back as soon as more went wrong than is allowed of the fewest answers that decide.
    """
    fewest, answers = rule.fewest_canary_answers, operation.answers
    counted = max(answers, fewest)
    most_failures = math.floor(rule.most_canary_failures * counted + 1e-9)
    if operation.failures > most_failures:
        reason = f"{operation.failures:,} of {answers:,} answers failed; {most_failures:,} may."
        return CanaryDecision("roll_back", reason)
    live = operation.live_unfit_share
    if live is not None and operation.unfit > (live + rule.most_unfit_excess) * counted:
        reason = (
            f"{operation.unfit:,} of {answers:,} answers said unfit, {live:.1%} of live's; "
            f"{100 * rule.most_unfit_excess:g} points more may."
        )
        return CanaryDecision("roll_back", reason)
    if answers < fewest:
        reason = f"{answers:,} answers so far, {operation.failures:,} failed; {fewest:,} decide."
        return CanaryDecision("wait", reason)
    if slow := _slow(operation.p95_ms, rule.latency_budget_ms):
        action = "wait" if operation.p95_ms is None else "roll_back"
        return CanaryDecision(action, f"{_capital(slow)}.")
    reason = (
        f"{operation.failures:,} of {answers:,} answers failed; 95 % took at most "
        f"{operation.p95_ms:.1f} ms."
    )
    return CanaryDecision("go_on", reason)


def _check(rule: Rule, evidence: Evidence) -> None:
    bounds = evidence.differences
    if bounds.least != -1 or not math.isclose(bounds.alpha, rule.alpha):
        raise DataError(
            f"expected differences at alpha {rule.alpha:g}, got values from {bounds.least:g} on "
            f"at alpha {bounds.alpha:g}.",
            hint="Start the shadow anew with this rule.",
        )


def _slow(p95_ms: float | None, budget_ms: float) -> str:
    """What is wrong with the latency; empty if nothing."""
    if p95_ms is None:
        return "its latency was not measured"
    if p95_ms <= budget_ms:
        return ""
    return f"95 % of the answers took up to {p95_ms:.1f} ms; the budget is {budget_ms:g} ms"


def _labels(said: str) -> frozenset[str]:
    return frozenset(said.split(";"))


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _up(difference: float) -> str:
    """Rounded up: a claim may be weaker than the truth only."""
    return f"{math.ceil(round(difference * 10_000, 6)) / 10_000:.4f}"


def _down(difference: float) -> str:
    return f"{math.floor(round(difference * 10_000, 6)) / 10_000:.4f}"
