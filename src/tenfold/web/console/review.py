"""Where pictures wait for the one who looks."""

from tenfold.catalog import picks
from tenfold.web.console.frame import title
from tenfold.web.console.parts import Column, empty, link, table, words
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

MOST = 500


async def screen(visitor: Visitor) -> None:
    say = visitor.say
    waiting = await visitor.read(_waiting, visitor.identity.actor)
    title(say("Review"), say("Pictures whose answer somebody should look at; most ask first."))
    if not waiting:
        empty(
            say("Nothing waits for you"),
            say(
                "Pictures come here while a watched deployment answers: some are drawn by lot, "
                "others teach most."
            ),
            to="/deployments",
            action=say("Show the deployments"),
        )
        return
    total = say.number(sum(waiting.values()))
    words(
        say(
            "{count} pictures in {places} deployments",
            count=total,
            places=say.number(len(waiting)),
        ),
        classes="muted",
    )
    most_first = sorted(waiting, key=lambda name: (-waiting[name], name))[:MOST]
    rows = [
        [
            lambda name=name: _name(name),
            say.number(waiting[name]),
            lambda name=name: _begin(visitor, name),
        ]
        for name in most_first
    ]
    columns = [Column(say("Deployment")), Column(say("Waiting"), is_number=True), Column("", True)]
    table(columns, rows, label=say("Deployments with pictures that wait"))


def _waiting(workspace: Workspace, actor: str) -> dict[str, int]:
    return picks.waiting(workspace.scope, unseen_by=actor)


def _name(name: str) -> None:
    link(name, f"/deployments/{name}")


def _begin(visitor: Visitor, name: str) -> None:
    made = link(visitor.say("Review"), f"/review/{name}", classes="button primary")
    made.props["aria-label"] = visitor.say("Review {name}", name=name)
