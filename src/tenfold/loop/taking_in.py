"""What was answered since, taken into the state of every loop: each file of answers once.

One transaction notes that a file is taken in and what followed from it, for all loops together.
"""

import base64
import hashlib
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Float32

from tenfold import packages
from tenfold.catalog import deployments, loops, models, picks
from tenfold.catalog.deployments import Deployment
from tenfold.catalog.loops import Happening, Loop
from tenfold.catalog.picks import Pick
from tenfold.catalog.scope import Scope
from tenfold.errors import TenfoldError, Unavailable
from tenfold.loop import draws, review, shown, spec, trial, watch
from tenfold.loop.labelling import is_good_or_bad
from tenfold.loop.looks import LOOKS
from tenfold.loop.retrain import STAGES
from tenfold.loop.review import UNFIT, Candidate
from tenfold.loop.spec import LoopSpec
from tenfold.loop.state import LoopState
from tenfold.loop.suspecting import suspected
from tenfold.loop.trial import Told
from tenfold.loop.watch import Answers, Reference
from tenfold.packages import Manifest
from tenfold.predictions import PROJECTED, pictures
from tenfold.predictions.collector import settled
from tenfold.predictions.history import SCHEMA, fresh_files, last_of
from tenfold.workspace import Workspace

log = logging.getLogger(__name__)

DAYS_KNOWN = 3
"""Of which it is remembered how many pictures were put in the queue."""
MOST_WAITED_FOR = 50
"""Disagreements of live and shadow that are in the queue at once."""
AT_ONCE = 1 / 8
"""Share of a day's pictures that may be picked at its beginning; the rest comes evenly."""
MOST_REMEMBERED = 500
"""Picks; what is like one of them is not novel."""
MOST_ON_TRIAL = 500
"""Of its last answers on trial, which say what is usual to a model."""
SURELY_WORTH = 1.0
"""Of pairs that a trial waits for: nothing else goes on without them."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Answers about one deployment, in the order in which they were recorded."""

    plain: list[dict[str, Any]]
    """By the names of `predictions.history.SCHEMA`."""
    projections: Float32[np.ndarray, "n 128"]

    def of(self, model: str, *roles: str) -> "Rows":
        """Those that a model gave in one of the roles."""
        kept = [
            i
            for i, row in enumerate(self.plain)
            if row["model"] == model and row["role"] in roles and row["label"] is not None
        ]
        return Rows([self.plain[i] for i in kept], self.projections[kept])

    def __len__(self) -> int:
        return len(self.plain)


@dataclass(frozen=True, slots=True)
class Taken:
    """What followed from some answers for one loop."""

    state: LoopState
    picks: tuple[Pick, ...]
    happenings: tuple[Happening, ...]


def take_in(workspace: Workspace) -> int:
    """Take in every file of answers that was not; returns how many answers that were.

    Raises:
        Conflict: another hub is taking them in.
        Unavailable: the disk is full or the catalog away; the same can be done again.
    """
    scope, folder = workspace.scope, workspace.answers_folder
    files = fresh_files(folder)
    known = loops.is_folded(scope, [file.name for file in files])
    files = settled(scope, folder, [file for file in files if file.name not in known])
    if not files:
        return 0
    following = _Following(scope)
    return sum(_take_in(workspace, file, following) for file in files)


class _Following:
    """The loops as far as one pass has brought them; each is read once, when answers concern it."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._known: dict[str, Loop | None] = {}
        self.watched = loops.watched(scope)

    def loop(self, deployment: str) -> Loop | None:
        """None: it is watched no longer."""
        if deployment not in self._known:
            self._known[deployment] = loops.find(self._scope, deployment)
        return self._known[deployment]

    def advanced(self, loop: Loop, state: dict[str, Any]) -> None:
        self._known[loop.deployment] = replace(loop, state=state, version=loop.version + 1)


def _take_in(workspace: Workspace, file: Path, following: _Following) -> int:
    scope, table = workspace.scope, _table(file)
    if table is None:
        return 0
    by_name = _by_deployment(table, following.watched)
    taken: list[tuple[Loop, Taken]] = []
    problems: list[Happening] = []
    for name in sorted(by_name):
        loop = following.loop(name)
        if loop is None:
            continue
        try:
            now = deployments.get(scope, name)
            taken.append((loop, _taken(workspace, loop, now, by_name[name])))
        except Unavailable:  # a full disk, say: the whole file waits for the next pass
            raise
        except TenfoldError as error:  # the other loops go on
            problems.append(_problem(name, error))
    states = [one.state.to_json() for _, one in taken]
    with scope.write() as connection:
        loops.fold(connection, scope, file.name, answers=table.num_rows)
        loops.note(connection, scope, problems)
        for (loop, one), state in zip(taken, states, strict=True):
            loops.advance(connection, scope, loop, state)
            loops.note(connection, scope, one.happenings)
            picks.put(connection, scope, one.picks)
    for (loop, _), state in zip(taken, states, strict=True):
        following.advanced(loop, state)
    return table.num_rows


def _table(file: Path) -> Any | None:
    """What the file holds; one that is damaged stays where it is and counts as empty. None: it is
    gone, so it was taken in before and merged."""
    try:
        return pq.read_table(file, schema=SCHEMA)
    except FileNotFoundError:
        return None
    except pa.ArrowInvalid as error:
        log.error("the answers in %s cannot be read: %s", file, error)
        return SCHEMA.empty_table()


def _problem(deployment: str, error: TenfoldError) -> Happening:
    """That answers could not be looked at, once for each reason."""
    log.warning("answers of %s are not looked at: %s", deployment, error)
    key = f"problem:{hashlib.sha256(str(error).encode()).hexdigest()[:16]}"
    return Happening(deployment, "problem", key, detail={"problem": str(error)})


def _by_deployment(table: Any, wanted: set[str]) -> dict[str, Rows]:
    found: dict[str, list[dict[str, Any]]] = {}
    names = pa.array(sorted(wanted), pa.string())  # typed, as nothing may be watched
    for row in table.filter(pc.field("deployment").isin(names)).to_pylist():
        found.setdefault(row["deployment"], []).append(row)
    return {name: Rows(rows, _projections(rows)) for name, rows in found.items()}


def _projections(rows: Sequence[dict[str, Any]]) -> Float32[np.ndarray, "n 128"]:
    blank = bytes(2 * PROJECTED)
    data = b"".join(row["projection"] or blank for row in rows)
    return np.frombuffer(data, np.float16).reshape(-1, PROJECTED).astype(np.float32)


def _taken(workspace: Workspace, loop: Loop, now: Deployment, rows: Rows) -> Taken:
    rules = spec.parse(loop.spec, where=f"loop of {loop.deployment}")
    before = LoopState.from_json(loop.state)
    is_other = before.live != now.live
    state = _begun(workspace, now.name, before, rules, now.live) if is_other else before
    reference = shown.reference(workspace.blobs, state.reference)
    manifest = packages.of_model(workspace.blobs, models.get(workspace.scope, state.live)).manifest
    seen = rows.of(state.live, "live")
    state, happenings = _watched(workspace.scope, rules, state, seen, reference, name=now.name)
    if state.trial is not None:
        told = [_told(row) for row in rows.plain]
        folded = trial.fold(rules.rollout, state.trial, told, live=state.live)
        state = replace(state, trial=folded)
    picking = _Picking(workspace, rules, now, state, reference, manifest=manifest)
    chosen = [*picking.audits(rows), *picking.disagreements(), *picking.lessons(rows)]
    kept = [one for one in chosen if picking.keep(one)]
    state = replace(state, draws=picking.draws, queued=picking.queued)
    doubted = suspected(workspace, now.name, now.live) if is_other else []
    return Taken(state, (*kept, *doubted), happenings)


def _begun(
    workspace: Workspace, name: str, state: LoopState, rules: LoopSpec, live: str
) -> LoopState:
    """The watch of another model: what it saw on trial is usual to it, else a change that it learnt
    would be alarmed again."""
    seen = _on_trial(workspace, name, live)
    digest = shown.keep(workspace, live, on_trial=seen, lot=rules.watch.block)
    begun = watch.begin(rules.watch, shown.reference(workspace.blobs, digest))
    return state.watching(live, reference=digest, watch=begun.to_json())


def _on_trial(workspace: Workspace, name: str, model: str) -> Answers | None:
    """What a model answered before it went live; None: nothing."""
    told = deployments.history(workspace.scope, name)
    began = [one.at for one in told if one.model == model and one.action in STAGES]
    if not began:
        return None
    rows = last_of(
        workspace.answers_folder,
        name,
        model,
        roles=STAGES,
        since=began[0].date(),
        most=MOST_ON_TRIAL,
    )
    return _answers(Rows(rows, _projections(rows))) if rows else None


def _watched(
    scope: Scope,
    rules: LoopSpec,
    state: LoopState,
    seen: Rows,
    reference: Reference,
    *,
    name: str,
) -> tuple[LoopState, tuple[Happening, ...]]:
    """With what live answered, and the alarms that are new."""
    if not len(seen) or state.watch is None:
        return state, ()
    folded = watch.fold(rules.watch, reference, watch.State.from_json(state.watch), _answers(seen))
    fresh = [
        alarm for alarm in watch.alarms(rules.watch, folded) if alarm.kind not in state.alarmed
    ]
    happenings = tuple(
        Happening(
            name,
            "alarm",
            f"alarm:{state.live}:{alarm.kind}",
            state.live,
            {"what": alarm.kind, "why": alarm.reason, "at answer": alarm.at_answer},
        )
        for alarm in fresh
    )
    state = replace(state, watch=folded.to_json())
    if fresh:
        settled = picks.counts(scope, name).settled
        state = state.alarming([alarm.kind for alarm in fresh], settled=settled)
    return state, happenings


def _answers(seen: Rows) -> Answers:
    def column(name: str) -> Float32[np.ndarray, " n"]:
        return np.array([row[name] for row in seen.plain], np.float32)

    return Answers(
        projections=seen.projections,
        scores=column("score"),
        labels=tuple(row["label"] for row in seen.plain),
        latency_ms=column("latency_ms"),
        routes=tuple(row["route"] for row in seen.plain),
        at=np.array([row["at"].timestamp() for row in seen.plain], np.float64),
        looks=np.stack([column(kind) for kind in LOOKS], axis=1),
    )


def _told(row: dict[str, Any]) -> Told:
    return Told(
        id=row["id"],
        sample=row["sample"],
        route=hashlib.sha256(row["route"].encode()).hexdigest(),
        role=row["role"],
        model=row["model"],
        label=row["label"],
        latency_ms=row["latency_ms"],
    )


class _Picking:
    """What of some answers goes to the review queue."""

    def __init__(
        self,
        workspace: Workspace,
        rules: LoopSpec,
        now: Deployment,
        state: LoopState,
        reference: Reference,
        *,
        manifest: Manifest,
    ) -> None:
        self._workspace, self._rules, self._now = workspace, rules, now
        self._state, self._reference, self._manifest = state, reference, manifest
        self.queued = dict(state.queued)
        self.draws = state.draws

    def audits(self, rows: Rows) -> list[Pick]:
        """Drawn by lot from what live and canary answered; those of the live model are counted, and
        each drawn one remembers what was counted up to it."""
        good = self._manifest.classes[0] if is_good_or_bad(self._manifest) else None
        even = review.even_share(self._rules.review, good=good)
        found: list[Pick] = []
        for row in rows.plain:
            if row["role"] not in ("live", "canary") or row["label"] is None:
                continue
            stratum = review.stratum_of(row["label"], good=good)
            share = review.audit_share(self._rules.review, stratum)
            key = f"{row['id']}/{row['sample']}"
            lot = review.lot_of(key, salt=self._now.salt)
            is_drawn, counted = lot < share, {"even": lot < even}
            if (row["role"], row["model"]) == ("live", self._state.live):
                self.draws = draws.add(self.draws, stratum, share, is_drawn=is_drawn)
                counted |= {"watch": self._state.watched_as, "draws": self.draws}
            if is_drawn:
                found.append(self._audit(row, stratum, share, counted))
        return found

    def _audit(
        self, row: dict[str, Any], stratum: str, share: float, counted: dict[str, Any]
    ) -> Pick:
        worth = int.from_bytes(bytes.fromhex(row["sample"][:8]), "big") / 2**32
        pick = self._pick(row, worth)
        return replace(
            pick,
            reason="audit",
            stratum=stratum,
            probability=share,
            detail=pick.detail | counted,
        )

    def disagreements(self) -> list[Pick]:
        """Pairs that the trial waits for, the first ones: with those before them unknown, the truth
        of later ones decides nothing."""
        if self._state.trial is None:
            return []
        return [
            Pick(
                self._now.name,
                pair.sample,
                "disagreement",
                model=self._state.live,
                said=pair.live,
                worth=SURELY_WORTH,
                detail={"shadow said": pair.shadow},
            )
            for pair in self._state.trial.waits_for[:MOST_WAITED_FOR]
        ]

    def lessons(self, rows: Rows) -> list[Pick]:
        """What teaches most, within what is left of the day."""
        seen = rows.of(self._state.live, "live")
        budget = self._left(seen)
        if not len(seen) or budget <= 0:
            return []
        scores = np.array([row["score"] for row in seen.plain], np.float32)
        doubts = review.doubt_of(scores, threshold=self._threshold, spread=self._spread)
        novelties = review.novelty_of(seen.projections, self._known)
        candidates = [
            Candidate(i, row["sample"], float(doubts[i]), float(novelties[i]))
            for i, row in enumerate(seen.plain)
            if row["label"] != UNFIT
        ]
        usual = _usual_distance(self._reference.projections)
        chosen = review.choose(
            self._rules.review, candidates, seen.projections, budget=budget, usual=usual
        )
        day = f"{seen.plain[-1]['at']:%Y-%m-%d}"
        others = sorted(self.queued.keys() - {day})[1 - DAYS_KNOWN :]  # the clock may be set back
        self.queued = {name: self.queued.get(name, 0) for name in (*others, day)}
        self.queued[day] += len(chosen)
        is_changed = bool(self._state.alarmed)
        return [
            replace(
                self._pick(seen.plain[one.place], one.worth),
                reason="drift" if is_changed and one.reason == "novelty" else one.reason,
            )
            for one in chosen
        ]

    def keep(self, pick: Pick) -> bool:
        """Keep the picture for as long as the queue needs it; False where it is gone."""
        data = pictures.find(self._workspace.answers_folder, pick.sample)
        if data is None:
            return False
        return self._workspace.blobs.put(data) == pick.sample

    def _left(self, seen: Rows) -> int:
        """How many more may be picked by this time of the day."""
        if not len(seen):
            return 0
        at = seen.plain[-1]["at"]
        passed = (at.hour * 60 + at.minute) / (24 * 60)
        allowed = math.ceil(self._rules.review.per_day * max(AT_ONCE, passed))
        return allowed - self.queued.get(f"{at:%Y-%m-%d}", 0)

    @property
    def _known(self) -> Float32[np.ndarray, "n 128"]:
        """What nobody has to be asked about again: what had judged the head, and what was picked
        lately; else each day would pick what is like the picks of the day before."""
        last = picks.newest(self._workspace.scope, self._now.name, limit=MOST_REMEMBERED)
        data = b"".join(base64.b64decode(one.detail.get("projection", "")) for one in last)
        seen = np.frombuffer(data, np.float16).reshape(-1, PROJECTED)
        return np.concatenate([self._reference.projections, seen.astype(np.float32)])

    @property
    def _threshold(self) -> float | None:
        return self._manifest.thresholds[0] if is_good_or_bad(self._manifest) else None

    @property
    def _spread(self) -> float:
        scores = self._reference.scores
        return float(np.std(scores)) if len(scores) > 1 else 1.0

    def _pick(self, row: dict[str, Any], worth: float) -> Pick:
        return Pick(
            self._now.name,
            row["sample"],
            "doubt",
            answer=row["id"],
            model=row["model"],
            said=row["label"],
            score=row["score"],
            worth=worth,
            detail={"route": row["route"], **_projected(row)},
            answered_at=row["at"],
        )


def _projected(row: dict[str, Any]) -> dict[str, str]:
    """What a pick remembers of its answer's features, 256 bytes in base64."""
    data = row["projection"]
    return {"projection": base64.b64encode(data).decode()} if data else {}


def _usual_distance(projections: Float32[np.ndarray, "n 128"]) -> float:
    """Between two pictures, as seen in a few."""
    some = projections[:: max(1, len(projections) // 200)]
    if len(some) < 2:
        return 1.0
    squares = (some**2).sum(1)
    apart = squares[:, None] + squares - 2 * some @ some.T
    return float(np.sqrt(np.median(apart[np.triu_indices(len(some), 1)])))
