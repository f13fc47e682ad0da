"""The card a package carries: what it decides, how well, what it is for, whose parts it holds."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tenfold.factory.report import words
from tenfold.factory.report.render import environment
from tenfold.factory.report.values import ModelReport

MARKDOWN_SIGNS = re.compile(r"([\\`*_\[\]|~#])")


@dataclass(frozen=True, slots=True, eq=False)
class CardFacts:
    """A model's report and what only its maker knows."""

    model: ModelReport
    data: str
    """The data it was made from, in words, with their licence."""
    intended_use: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    """Beside those that follow from the verdict, see `standing_limits`."""
    licences: Mapping[str, str] = field(default_factory=dict[str, str])
    """Licence by part: trunk, weights, data, code."""

    @property
    def package_file(self) -> str:
        return re.sub(r"[^\w.-]+", "-", self.model.name).strip("-") + ".tenfold"

    @property
    def usage(self) -> str:
        """The command that works where the package file lies."""
        return f"tenfold predict {shlex.quote(self.package_file)} pictures/"


def standing_limits(model: ModelReport) -> tuple[str, ...]:
    """What any reader must know before relying on it; follows from how it was judged."""
    verdict = model.verdict
    unproven = [bound.name for bound in verdict.bounds if bound.upper is None]
    said = [
        "Bounds hold for pictures like the judged ones: same kind of part, camera and light. "
        "After a change, judge again."
    ]
    if verdict.status != "accepted":
        said.append(f"This model is {verdict.status}, not accepted: do not rely on it alone.")
    if unproven:
        said.append(f"Unproven: {', '.join(unproven)}; no picture that could show it was judged.")
    if not verdict.grouped_by:
        said.append(
            "Split image by image: no groups were known, so pictures of one part may lie on both "
            "sides and the bounds may flatter."
        )
    said.append("Not a safety function: no person's safety may hang on its answer alone.")
    return tuple(said)


def card_html(facts: CardFacts) -> str:
    """The card as one self-contained page."""
    template = environment().get_template("card.html")
    return template.render(facts=facts, limits=standing_limits(facts.model) + facts.limits)


def card_markdown(facts: CardFacts) -> str:
    """The card as CommonMark with tables; names can neither style it nor hold HTML."""
    made = Environment(
        loader=PackageLoader("tenfold.factory.report"),
        autoescape=True,
        finalize=plain_markdown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for word in ("percent", "percent_up", "count", "unbroken"):
        made.filters[word] = getattr(words, word)
    text = made.get_template("card.md").render(
        facts=facts,
        usage=Markup("    " + facts.usage),  # safe: made of the package file's name only
        limits=standing_limits(facts.model) + facts.limits,
    )
    return text.replace(words.THIN, "\u00a0") + "\n"


def plain_markdown(value: object) -> object:
    """Text that Markdown shows as it is, on one line; `Markup` and numbers pass."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    flat = MARKDOWN_SIGNS.sub(r"\\\1", " ".join(value.split()))
    return Markup(flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
