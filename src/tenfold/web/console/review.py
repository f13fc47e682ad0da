"""Review: which deployments have pictures waiting for people."""

from functools import partial
from urllib.parse import quote

from tenfold.catalog import picks
from tenfold.web.console.frame import title
from tenfold.web.console.parts import Column, card, empty, link, table
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace


async def screen(visitor: Visitor) -> None:
    say = visitor.say
    title(say("Review"), say("The few pictures that are worth a look, and a share drawn by lot."))
    found = await visitor.read(_waiting)
    if not found:
        empty(
            say("Nothing waits"),
            say("Pictures come here from deployments that are watched."),
            to="/deployments",
            action=say("See deployments"),
        )
        return
    rows = [
        (
            partial(link, name, f"/deployments/{quote(name)}"),
            say.number(count),
            partial(link, say("Begin"), f"/review/{quote(name)}", classes="button primary"),
        )
        for name, count in sorted(found.items(), key=lambda one: -one[1])
    ]
    columns = [Column(say("deployment")), Column(say("waiting"), is_number=True), Column("")]
    with card():
        table(columns, rows, label=say("Review"))


def _waiting(workspace: Workspace) -> dict[str, int]:
    return picks.waiting(workspace.scope)
