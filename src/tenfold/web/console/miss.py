"""Report a defect that was let pass: a picture, where the defect is, and what it is."""

import json

from nicegui import ui

from tenfold.web.console.deployment_seen import Seen
from tenfold.web.console.parts import card, words
from tenfold.web.console.reviewing import begin, scripts
from tenfold.web.console.visitor import Visitor


def miss_card(visitor: Visitor, shown: Seen) -> None:
    """The browser sends it to the hub's API, which takes pictures of any size."""
    say = visitor.say
    scripts("viewer", "miss")
    with card(say("Report a missed defect")):
        words(say("A bad part was passed? The next model must know it and its like."))
        with ui.element("form").classes("stack").props('id="miss"') as made:
            made.props["data-config"] = json.dumps(_config(visitor, shown), ensure_ascii=False)
            with ui.element("label"):
                words(say("Picture"), tag="span")
                file = ui.element("input").classes("field")
                file.props('type="file" name="picture" accept="image/*" required')
            if shown.needs_word or len(shown.words) > 2:
                _what(visitor, shown)
            with (
                ui.element("div").classes("stage small-stage").props('hidden tabindex="0"') as stage
            ):
                stage.props["aria-label"] = say("The picture; drag to mark the defect")
            words(say("Drag over the picture to mark the defect."), classes="muted small hint")
            words("", classes="told").props('role="status"')
            words(say("Report it"), tag="button", classes="button primary").props('type="submit"')
    begin("miss")


def _what(visitor: Visitor, shown: Seen) -> None:
    say = visitor.say
    with ui.element("label"):
        words(say("What it is"), tag="span")
        with ui.element("select").classes("field").props('name="label"'):
            if not shown.needs_word:
                words(shown.words[1], tag="option").props["value"] = ""
            rest = shown.words if shown.needs_word else shown.words[2:]
            for word in rest:
                words(word, tag="option").props["value"] = word


def _config(visitor: Visitor, shown: Seen) -> dict[str, object]:
    say = visitor.say
    done = (
        say("Reported. The loop makes a model that knows it, proves it and tries it.")
        if shown.is_watched
        else say("Reported. Nothing is made of it until the deployment is watched.")
    )
    return {
        "deployment": shown.now.name,
        "csrf": visitor.csrf,
        "done": done,
        "silent": say("The hub does not answer."),
        "unshown": say("This browser cannot show the picture; it can be reported all the same."),
        "sending": say("Sending…"),
    }
