"""What a station says in short words, in plain ones: reasons, and what to do about them.

A reason stays the same for tags and counts, such as `missing screw lid`; here it becomes a
sentence. Names of things, classes and regions are those of the people at the line.
"""

import re

from tenfold.apps.line.journal import Part
from tenfold.apps.line.state import STOPPED, State
from tenfold.web.console.retold import retold
from tenfold.web.console.text import Text

PLAIN = {
    "late": "The answer came too late",
    "the next part came": "The next part came before the picture was taken",
    "camera silent": "The camera gives no picture",
    "heads not ready": "The models are not ready",
    "defect of the station": "The station failed at this part",
    "red rabbits wait": "Known bad parts (red rabbits) must be shown first",
    "a red rabbit passed": "A known bad part (red rabbit) was not rejected",
    "not recorded": "The part could not be recorded",
    "disk full": "The disk is full",
    "wrong part": "The code on the part names another part number than the controller",
    "unknown part": "This part number was never taught here",
    "no code read": "No code could be read on the part",
    "cannot align": "The part was not found in the picture",
    "asked for": "Somebody asked to see this part",
    "controller away": "The controller is away",
    "the controller is away": "The controller is away",
    "stopped": "The station was stopped",
    "in shadow": "This part number is still being proven: a person decides",
    "the camera is not found yet": "The camera is not found",
    "the grabber died": "The camera's program ended and is started again",
    "the grabber hung and is started again": "The camera's program ended and is started again",
    "the stream is not open yet": "The camera's stream is not open yet",
    "the stream is silent": "The camera's stream is silent",
    "the stream ended": "The camera's stream ended",
}
"""Reason → what it means."""
UNFIT = {
    "too dark": "too dark",
    "too bright": "too bright",
    "blurred": "blurred",
    "a different scene": "it looks like nothing that was taught",
    "empty: almost no contrast": "almost no contrast",
}
"""Why a region cannot be judged → in what words."""
SHAPES = tuple(
    (re.compile(shape), told)
    for shape, told in (
        (r"out of picture (?P<region>\S+)", "{region} lies outside the picture"),
        (r"unfit: (?P<why>.+)", "The picture cannot be judged: {why}"),
        (r"missing (?P<thing>.+) (?P<region>\S+)", "{thing} is missing at {region}"),
        (r"wrong (?P<thing>.+) (?P<region>\S+)", "Wrong {thing} at {region}"),
        (r"turned (?P<thing>.+) (?P<region>\S+)", "{thing} is turned at {region}"),
        (r"unwanted (?P<thing>.+) (?P<region>\S+)", "{thing} must not be at {region}"),
        (r"count (?P<thing>.+) (?P<number>\d+)", "Wrong number of {thing}: {number}"),
        (r"unsure (?P<thing>.+) (?P<region>\S+)", "Not sure of {thing} at {region}"),
        (
            r"unknown answer '(?P<thing>.*)' (?P<region>\S+)",
            "Unexpected answer {thing} at {region}",
        ),
        (r"the stream does not open or broke off: (?P<why>.+)", "The camera's stream broke: {why}"),
        (r"the folder (?P<path>.+) holds no pictures", "There are no pictures in {path}"),
        (
            r"the folder of pictures is silent: (?P<why>.+)",
            "The folder of pictures is silent: {why}",
        ),
        (r"differs (?P<region>\S+)", "{region} differs from the reference"),
        (r"defect (?P<region>\S+)", "Defect at {region}"),
        (r"(?P<thing>.+) (?P<region>\S+)", "{thing} at {region}"),
    )
)
"""How a reason may look, and what it means; the first that fits."""
DO = {
    "camera silent": "Check the camera's cable and power. It is looked for again all the time.",
    "the controller is away": (
        "Check the controller and its cable. The station connects again by itself."
    ),
    "heads not ready": (
        "They are being loaded. If this lasts longer than a minute, call an engineer."
    ),
    "disk full": "Call an engineer: the disk of the station needs room.",
    "red rabbits wait": "Send each of them through the station:",
    "a red rabbit passed": (
        "Stop the line and send it through again. Call quality: parts that passed since the last "
        "good check must be looked at again."
    ),
    "stopped": "An engineer starts it with `tenfold line run`.",
    "cannot align": "Is the part put in straight, and is the lens clean?",
    "unknown part": "Check the number at the controller, or teach this part.",
    "no code read": "Is the code clean, and turned to the camera?",
    "wrong part": "Take the part out and check which one it is.",
    "late": "If this comes again, call an engineer.",
    "defect of the station": "If this comes again, call an engineer.",
    "not recorded": "Call an engineer: the disk of the station needs room.",
}
"""Reason → what whoever stands there can do."""
VERDICTS = {"ok": "OK", "reject": "REJECT", "manual": "MANUAL", "": "–"}
SIGNS = {"ok": "✓", "reject": "✕", "manual": "?", "": ""}
KINDS = {"ok": "good", "reject": "bad", "manual": "warn"}
"""As badges look."""
SILENT, ASLEEP = "The station does not answer", "No station has run here yet"
STAGES = {
    "grab": "take the picture",
    "identify": "who the part is",
    "part": "fetch the part number",
    "align": "find the part",
    "regions": "cut out regions",
    "heads": "ask the models",
    "golden": "compare with the reference",
    "decide": "decide",
    "all": "in all",
}
"""Stage of a cycle → in what words."""


def reason(say: Text, told: str) -> str:
    """A reason in plain words; one that nobody knows stays as it is."""
    if not told:
        return ""
    if told in PLAIN:
        return say(PLAIN[told])
    for shape, words in SHAPES:
        found = shape.fullmatch(told)
        if found:
            said = say(words, **_values(say, found.groupdict()))
            return said[:1].upper() + said[1:] if say.language == "en" else said
    return retold(say, told)


def _values(say: Text, found: dict[str, str]) -> dict[str, str]:
    if why := found.get("why"):
        return {"why": say(UNFIT[why]) if why in UNFIT else retold(say, why)}
    return {name: value if name == "path" else _named(value) for name, value in found.items()}


def _named(value: str) -> str:
    """As people read it: `top_left` is a name in files."""
    return value.replace("_", " ").strip()


def advice(say: Text, told: str) -> str:
    return say(DO[told]) if told in DO else ""


def verdict(say: Text, word: str) -> str:
    return say(VERDICTS.get(word, word))


def standing(say: Text, state: State | None, *, is_silent: bool) -> dict[str, str]:
    """How the station stands, in big words: kind, what is so, and what to do."""
    if state is None:
        return {"kind": "silent", "what": say(ASLEEP), "do": advice(say, STOPPED)}
    if is_silent and state.reason == STOPPED:
        return {"kind": "silent", "what": reason(say, STOPPED), "do": advice(say, STOPPED)}
    if is_silent:
        do = say("Is its machine on, and its program running? If it stays so, call an engineer.")
        return {"kind": "silent", "what": say(SILENT), "do": do}
    if state.is_ready:
        return {"kind": "ready", "what": say("Ready"), "do": ""}
    return {"kind": "not", "what": reason(say, state.reason), "do": advice(say, state.reason)}


def overruled(say: Text, part: Part) -> str:
    """What a person said of a part; empty: nothing."""
    if not part.overruled:
        return ""
    return say(
        "{who} said {verdict}: {why}",
        who=part.overruled_by,
        verdict=verdict(say, part.overruled),
        why=part.why,
    )
