"""The card of a package, as Markdown and as a page."""

from dataclasses import replace

from tenfold.factory.report import (
    BoundLine,
    CardFacts,
    Lineage,
    ModelReport,
    SplitLine,
    VerdictLines,
    card_html,
    card_markdown,
)

EVIL = "<img src=x>|`*[a](javascript:b)\n# head"


def facts(status: str = "accepted", **changes: object) -> CardFacts:
    bounds = (
        BoundLine("escape", "defects passed as good", 0.05, errors=1, n=150, upper=0.0412),
        BoundLine("overkill", "good parts rejected", 0.1, errors=0, n=0, upper=None),
    )
    model = ModelReport(
        name="caps",
        kind="classify, two classes",
        decides="Says whether a cap is damaged.",
        verdict=VerdictLines(status, "At most 4.2 % of defects escape.", (), bounds),
        lineage=Lineage("m1", "s1", "q1", "classify_linear", "lite2", "fp32", "openvino", 0, "0.1"),
        measures={"AUC": 0.95},
        splits=(SplitLine("judge", {"good": 600, "defect": 150}),),
    )
    licences = {"weights": "Apache-2.0"}
    return CardFacts(
        replace(model, **changes), "800 pictures of caps.", ("Sort caps.",), (), licences
    )


def test_both_cards_say_what_how_well_and_under_which_licence():
    for card in (card_markdown(facts()), card_html(facts())):
        assert "Says whether a cap is damaged." in card
        assert "4.2" in card
        assert "unproven" in card
        assert "Apache-2.0" in card
        assert "tenfold predict caps.tenfold pictures/" in card
        assert "Not a safety function" in card


def test_markdown_tables_hold_their_rows_together():
    lines = card_markdown(facts()).splitlines()
    start = lines.index("| bound | the bar asks | seen on judge | proven at most |")
    table = lines[start : start + 4]
    assert [line.count("|") for line in table] == [5, 5, 5, 5]
    assert lines[start + 4] == ""
    assert "| seed | 0 |" in lines


def test_a_model_that_is_not_accepted_says_so_in_its_limits():
    assert "not accepted: do not rely on it alone" in card_markdown(facts("taught"))
    assert "not accepted: do not rely on it alone" not in card_markdown(facts("accepted"))


def test_names_of_strangers_neither_style_nor_script_a_card():
    evil = facts(name=EVIL, kind=EVIL, decides=EVIL, measures={EVIL: 0.1})
    markdown, html = card_markdown(evil), card_html(evil)
    assert "<img" not in markdown
    assert "<img" not in html
    assert "\n# head" not in markdown
    assert "](javascript" not in markdown.replace("\\]", "")
    assert evil.package_file == "img-src-x-a-javascript-b-head.tenfold"
