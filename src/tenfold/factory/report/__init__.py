"""The report of a make: values in, one self-contained page out."""

from tenfold.factory.report.card import CardFacts, card_html, card_markdown
from tenfold.factory.report.render import render
from tenfold.factory.report.values import (
    BoundLine,
    ClassLine,
    Confusion,
    DatasetSummary,
    Exhibit,
    JudgedScores,
    Lineage,
    ModelReport,
    Quarantined,
    ReportData,
    RungLine,
    SplitLine,
    VerdictLines,
)

__all__ = [
    "BoundLine",
    "CardFacts",
    "ClassLine",
    "Confusion",
    "DatasetSummary",
    "Exhibit",
    "JudgedScores",
    "Lineage",
    "ModelReport",
    "Quarantined",
    "ReportData",
    "RungLine",
    "SplitLine",
    "VerdictLines",
    "card_html",
    "card_markdown",
    "render",
]
