"""How far a deployment's loop is: kept as JSON in the catalog, changed one step at a time."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from tenfold.loop.draws import Draws, read
from tenfold.loop.retrain import Candidate, Trigger
from tenfold.loop.trial import Trial


@dataclass(frozen=True, slots=True)
class Try:
    """A model that is being made."""

    number: int
    trigger: Trigger
    why: str
    began: datetime
    settled: int
    """Pictures that people had agreed on."""
    misses: int
    """Of those, missed defects."""


@dataclass(frozen=True, slots=True)
class LoopState:
    base: str
    """Dataset of the task, without what production taught."""
    began: datetime
    live: str = ""
    """The model that is watched."""
    reference: str = ""
    """Blob of what that model had shown; empty: not known yet."""
    watch: dict[str, Any] | None = None
    """See `tenfold.loop.watch`; None: not begun."""
    watches: int = 0
    """How many were begun."""
    draws: Draws = ()
    """Of that model's answers, since it is watched."""
    alarmed: tuple[str, ...] = ()
    """Kinds of change that are on the timeline already."""
    settled_at_alarm: int = 0
    """Pictures that people had agreed on when the first of those alarms came."""
    in_vain: int = 0
    """Tries since then, or since that model is watched, that did not become live."""
    queued: dict[str, int] = field(default_factory=dict[str, int])
    """Pictures put in the review queue, by day; the last days only."""
    tries: int = 0
    trying: Try | None = None
    last_try: datetime | None = None
    settled: int = 0
    """As of the last try."""
    misses: int = 0
    """As of the last try."""
    candidate: Candidate | None = None
    trial: Trial | None = None

    def to_json(self) -> dict[str, Any]:
        plain = asdict(self)
        for name in ("began", "last_try"):
            plain[name] = _written(plain[name])
        if self.trying is not None:
            plain["trying"]["began"] = _written(self.trying.began)
        plain["trial"] = None if self.trial is None else self.trial.to_json()
        return plain

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> "LoopState":
        trying, candidate, trial = plain["trying"], plain["candidate"], plain["trial"]
        fields: dict[str, Any] = {
            "began": datetime.fromisoformat(plain["began"]),
            "last_try": _read(plain["last_try"]),
            "alarmed": tuple(plain["alarmed"]),
            "draws": read(plain["draws"]),
            "trying": trying and Try(**trying | {"began": _read(trying["began"])}),
            "candidate": candidate and Candidate(**candidate),
            "trial": trial and Trial.from_json(trial),
        }
        return cls(**plain | fields)

    @property
    def watched_as(self) -> str:
        """Names this watch of this model; audits remember in which they were drawn."""
        return f"{self.began.isoformat()}/{self.watches}"

    def watching(self, live: str, *, reference: str, watch: dict[str, Any] | None) -> "LoopState":
        """The watch begun anew for another model."""
        return replace(
            self,
            live=live,
            reference=reference,
            watch=watch,
            watches=self.watches + 1,
            draws=(),
            alarmed=(),
            settled_at_alarm=0,
            in_vain=0,
        )

    def alarming(self, kinds: Sequence[str], *, settled: int) -> "LoopState":
        """With more kinds of change; what was tried before the first of them does not count."""
        if self.alarmed:
            return replace(self, alarmed=(*self.alarmed, *kinds))
        return replace(self, alarmed=tuple(kinds), settled_at_alarm=settled, in_vain=0)


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _read(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
