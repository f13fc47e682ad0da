"""Screen."""

from tenfold.web.console.frame import title
from tenfold.web.console.visitor import Visitor


async def screen(visitor: Visitor) -> None:
    title(visitor.say("home"))
