"""A verdict in the words of the reader; rebuilt from its numbers, as its sentences are English."""

from collections.abc import Iterator

from tenfold.factory.judge import PRACTICAL_LABELS, Bound, Verdict
from tenfold.web.console.text import Text

AT_MOST = {
    "escape": "At most {upper} of '{of}' pass as good",
    "overkill": "At most {upper} of '{of}' are rejected",
    "error": "At most {upper} of the answers are wrong",
    "miss": "At most {upper} of '{of}' are called something else",
}
SEEN_OVER = {
    "escape": "{rate} of '{of}' pass as good",
    "overkill": "{rate} of '{of}' are rejected",
    "error": "{rate} of the answers are wrong",
    "miss": "{rate} of '{of}' are called something else",
}
UNKNOWN = {
    "escape": "How many of '{of}' pass as good is not known: none was there to judge; the bar asks "
    "≤ {limit}.",
    "overkill": "How many of '{of}' are rejected is not known: none was there to judge; the bar "
    "asks ≤ {limit}.",
    "error": "How many answers are wrong is not known: nothing was there to judge; the bar asks "
    "≤ {limit}.",
    "miss": "How many of '{of}' are called something else is not known: none was there to judge; "
    "the bar asks ≤ {limit}.",
}
MEANING = {
    "accepted": "Every line of the bar is proven.",
    "undecided": "Nothing speaks against it, but not every line of the bar is proven yet.",
    "refused": "More went wrong than the bar allows.",
    "taught": "Too few pictures were judged to prove the bar, even without an error.",
}


def asked(verdict: Verdict) -> list[Bound]:
    """The lines of the bar."""
    return [bound for bound in verdict.bounds if bound.limit is not None]


def name_of(say: Text, bound: Bound) -> str:
    """Such as `escape`, or `miss scratch`."""
    kind = bound.name.partition(" ")[0]
    return say("{class_name} missed", class_name=bound.of) if kind == "miss" else say(kind)


def in_short(say: Text, bound: Bound) -> str:
    """For a table: `escape 25/103 ≤ 33.4 %, bar 30 %`."""
    return say(
        "{name} {errors}/{n} ≤ {upper}, bar {limit}",
        name=name_of(say, bound),
        errors=say.number(bound.errors),
        n=say.number(bound.n),
        upper=say.percent_up(bound.upper),
        limit=say.percent(bound.limit),
    )


def claim(say: Text, bound: Bound) -> str:
    """What is proven of one line of the bar, or seen."""
    kind = bound.name.partition(" ")[0]
    if not bound.n:
        return say(UNKNOWN[kind], of=bound.of, limit=say.percent(bound.limit))
    patterns = SEEN_OVER if bound.is_over else AT_MOST
    rate = say.percent(bound.worst_rate)
    what = say(patterns[kind], of=bound.of, upper=say.percent_up(bound.upper), rate=rate)
    seen = say("{errors} of {n} seen", errors=say.number(bound.errors), n=say.number(bound.n))
    if bound.pictures:
        errors, n = map(say.number, bound.pictures)
        seen = say("{seen}; of all pictures {errors} of {n}", seen=seen, errors=errors, n=n)
    pattern = "{what} ({seen}); the bar asks ≤ {limit}."
    if not bound.is_over and not bound.is_met:
        pattern = "{what} ({seen}); the bar asks ≤ {limit}, so this is not proven yet."
    return say(pattern, what=what, seen=seen, limit=say.percent(bound.limit))


def next_steps(say: Text, verdict: Verdict) -> Iterator[str]:
    """What to do now, most useful first."""
    if verdict.status == "accepted":
        yield say("Deploy it as a shadow first where something is live already.")
        return
    for bound in asked(verdict):
        if not bound.is_met:
            yield _step(say, bound)


def _step(say: Text, bound: Bound) -> str:
    name = name_of(say, bound)
    if bound.is_over:
        return say(
            "{name} is over its limit: look at the worst mistakes below, mend wrong labels, add "
            "pictures like those that went wrong, allow a higher rung, or ask for less.",
            name=name,
        )
    if bound.more is None or bound.more > PRACTICAL_LABELS:
        return say(
            "{name}: the rate seen is too close to the limit for labels to prove it; make the head "
            "better or ask for less.",
            name=name,
        )
    pattern = "Label about {more} more judged pictures of '{of}'"
    pattern = pattern if bound.of else "Label about {more} more judged pictures"
    return say(
        "{do}: that decides with a chance of 80 % if the rate seen ({rate}) holds. Judge gets only "
        "its share of new samples.",
        do=say(pattern, more=say.number(bound.more), of=bound.of),
        rate=say.percent(bound.rate),
    )


def remarks(say: Text, verdict: Verdict) -> Iterator[str]:
    """How it was counted."""
    confidence = f"{100 * verdict.confidence:g} %"
    yield say(
        "Proven with {confidence} confidence over all looks at these pictures; this was look "
        "{look}, which may be wrong with a chance of {alpha}.",
        confidence=confidence,
        look=verdict.look,
        alpha=say.percent_up(verdict.alpha),
    )
    if any(bound.name == "escape" and not bound.n for bound in verdict.bounds):
        yield say("Escape is unproven: no defect was there to judge. This speaks of overkill only.")
    if any(bound.pictures for bound in asked(verdict)):
        yield say("Of each group one picture counts, because pictures of a group err together.")
    if not verdict.by_group:
        yield say("The proof is by picture: not every sample had a group (lot, day, module).")
