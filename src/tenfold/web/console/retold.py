"""What the loop wrote down in English, said in the language of the reader.

The loop gives its reasons as sentences, on the timeline for ever. Each is made after one of the
patterns below: what fits is taken apart and said anew, what a person wrote fits none and stays.
"""

import re
from functools import cache

from tenfold.web.console.text import Text

SHADOW = (
    "the shadow loses at most {upper} more per answer than live, at {confidence} % confidence; "
    "the margin is {margin} ({pairs} pairs, {differing} with different answers)"
)
SHADOW_FIRST = "T" + SHADOW[1:]
SLOW = "95 % of the answers took up to {ms} ms; the budget is {budget} ms"
UNMEASURED = "its latency was not measured"
LONG = frozenset({"reason", "proof", "slow", "what"})
"""Values that are sentences, and may be said anew themselves."""

ALARMS = {
    "features": "unusual pictures",
    "drift": "drift",
    "brightness": "brightness",
    "contrast": "contrast",
    "sharpness": "sharpness",
    "scores": "unusual scores",
    "rejects": "unusual answers",
    "passes": "too much alike",
    "slow": "slow",
    "unfit": "unfit",
}
"""Short names of the kinds of change."""

PATTERNS = (
    "It is retired.",
    "Model {model} was set on trial by hand.",
    "A new model is being made.",
    "A person said no.",
    "The canary has not answered yet.",
    "The shadow has not answered yet.",
    "It is live already.",
    "Model {model} was set on trial in its place.",
    "It was taken off trial.",
    "It is accepted.",
    "It is not proven, and {count} new labels make a better one.",
    "{count} missed defects were reported.",
    "The watch alarms, and there are {count} new labels since.",
    "The watch alarms; {count} new labels since, {wanted} are needed.",
    "The clock was set back, and there are {count} new labels.",
    "The last try was {days} days ago, and there are {count} new labels.",
    "There are {count} new labels.",
    "Nothing is due; {count} new labels.",
    "The shadow is worse: it loses at least {lower} more per answer than live, at {confidence} % "
    "confidence; the margin is {margin} ({pairs} pairs, {differing} with different answers).",
    SHADOW,
    SHADOW_FIRST,
    f"{SHADOW_FIRST}.",
    SLOW,
    UNMEASURED,
    "Its latency was not measured.",
    f"{SLOW}.",
    "{failures} of {answers} answers failed; {allowed} may.",
    "{unfit} of {answers} answers said unfit, {share} of live's; {points} points more may.",
    "{answers} answers so far, {failures} failed; {fewest} decide.",
    "{failures} of {answers} answers failed; 95 % took at most {ms} ms.",
    "unlike what had judged the head",
    "in blocks that lean one way, farther than lots of what had judged the head do",
    "in blocks brighter or darker than usual",
    "in blocks with more or less contrast than usual",
    "in blocks sharper, noisier or more blurred than usual",
    "with a score as one in twenty had at first",
    "not of the most usual answer",
    "of the most usual answer",
    "slower than the budget",
    "unfit to be judged",
    "review needs the pictures",
    "at least {share} of the answers are {what}; up to {limit} are usual (answer {answer}, "
    "false alarms: {chance}).",
    "Not proven yet: {proof}. If that is so after {most} pairs, live stays.",
    "Not proven yet: {proof}. After {most} pairs live stays.",
    "{proof}, but {slow}. If that is so after {most} pairs, live stays.",
    "{proof}, but {slow}. After {most} pairs live stays.",
    "{reason} The last try was less than {minutes} minutes ago.",
)
"""Those with sentences inside come last."""


def retold(say: Text, told: str) -> str:
    """A reason of the loop in the language of the reader; anything else as it is."""
    for pattern, shape in _shapes():
        found = shape.fullmatch(told)
        if found and say.language == "en":
            return told[:1].upper() + told[1:]
        if found:
            values = {
                name: retold(say, value) if name in LONG else value
                for name, value in found.groupdict().items()
            }
            return say(pattern, **values) if values else say(pattern)
    return told


@cache
def _shapes() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((pattern, _shape(pattern)) for pattern in PATTERNS)


def _shape(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", pattern)
    texts, names = parts[::2], parts[1::2]
    shaped = [re.escape(texts[0])]
    for name, text in zip(names, texts[1:], strict=True):
        value = ".+" if name in LONG else "\\S+?"
        shaped.append(f"(?P<{name}>{value}){re.escape(text)}")
    return re.compile("".join(shaped), re.DOTALL)
