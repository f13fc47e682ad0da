"""Records of everything that was ingested, made and judged; the only place that speaks SQL.

Functions take a `Scope`, return frozen dataclasses and never leak a row or a session.
"""

from tenfold.catalog.scope import Catalog, Scope

__all__ = ["Catalog", "Scope"]
