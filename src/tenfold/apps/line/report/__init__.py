"""The report of a shift or of some days: figures, alarms, red rabbits, who overruled what, and the
last rejects with their pictures."""

from tenfold.apps.line.report.gathering import Report, gather
from tenfold.apps.line.report.page import render

__all__ = ["Report", "gather", "render"]
