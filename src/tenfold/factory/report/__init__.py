"""The report of a make: values in, one self-contained page out."""

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
    "render",
]
