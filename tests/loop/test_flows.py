"""The whole loop with real parts: answers, queue, labels, a new model, shadow, canary, live."""

import base64
import hashlib
import shutil
from dataclasses import replace

import pytest
from sqlalchemy import text

import tenfold
from production import CAP, TASK, answer, parts
from tenfold.blobs import Blobs
from tenfold.catalog import answers, datasets, deployments, loops, models, picks
from tenfold.catalog.answers import Progress
from tenfold.errors import Conflict, NotFound, Unavailable
from tenfold.loop import describing, draws, flows, shown
from tenfold.loop.labelling import Opinion, label
from tenfold.loop.making import retrain
from tenfold.loop.spec import parse
from tenfold.loop.state import LoopState
from tenfold.predictions import HEAD_BYTES, SEGMENT, history, merging

pytestmark = pytest.mark.xdist_group("line")

RULES = """\
approve: {approve}
canary_share: 0.5
review: {{audit_ok: 0.3, audit_reject: 0.3, audit_unfit: 0.3, per_day: 1000}}
retrain: {{labels: 10, rest_minutes: 0}}
rollout: {{margin: 0.9, alpha: 0.4, fewest_canary_answers: 3, latency_budget_ms: 60000}}
"""


@pytest.fixture
def workspace(workshop, tmp_path):
    home = shutil.copytree(workshop, tmp_path / "home")
    (home / "cap.yaml").write_text(TASK)
    with tenfold.opened(home, actor="ann") as opened:
        tenfold.make_all(opened, [str(home / "cap.yaml")])
        tenfold.deploy(opened, CAP, "cap", unproven=True)
        yield opened


@pytest.fixture
def truth(workspace):
    """What each picture shows, by its digest; of the task's own samples too."""
    old = {i.sha256: i.labels[0] for i in datasets.items_of(workspace.scope, "cells")}
    return old | {
        hashlib.sha256(file.read_bytes()).hexdigest(): said
        for file, said in parts(good=150, bad=150)
    }


def watch(workspace, approve="rule"):
    return flows.watch(workspace, CAP, parse(RULES.format(approve=approve), where="test"))


def inline(workspace):
    return lambda kind, arguments, key: retrain(workspace, **arguments)


def label_all(workspace, truth):
    waiting = picks.open_picks(workspace.scope, CAP)
    for one in waiting:
        label(workspace, CAP, Opinion(one.sample, truth[one.sample], seconds=2.0))
    return waiting


def some(start, count):
    return [file for file, _ in parts(good=150, bad=150)][start : start + count]


def kinds(workspace):
    return [one.kind for one in loops.timeline(workspace.scope, CAP)]


def to_candidate(workspace, truth):
    """Answers, labels and a try; returns the candidate."""
    answer(workspace, CAP, some(0, 60), run="run-1")
    flows.reconcile(workspace, inline(workspace))
    label_all(workspace, truth)
    flows.reconcile(workspace, inline(workspace))
    state = LoopState.from_json(loops.get(workspace.scope, CAP).state)
    assert state.candidate is not None, kinds(workspace)
    return state.candidate


def test_the_loop_closes_with_no_person_in_it(workspace, truth):
    first = deployments.get(workspace.scope, CAP).live
    watch(workspace)
    candidate = to_candidate(workspace, truth)
    assert candidate.status == "accepted"
    flows.reconcile(workspace, inline(workspace))
    assert deployments.get(workspace.scope, CAP).shadow == candidate.model
    for start in range(60, 200, 40):
        answer(workspace, CAP, some(start, 40), run=f"run-{start}")
        flows.reconcile(workspace, inline(workspace))
        label_all(workspace, truth)
        flows.reconcile(workspace, inline(workspace))
    now = deployments.get(workspace.scope, CAP)
    assert now.before == first, kinds(workspace)
    told = kinds(workspace)
    ordered = ["watched", "makes", "made", "shadow", "canary", "promote", "promoted"]
    assert [kind for kind in told if kind in ordered][: len(ordered)] == ordered
    answer(workspace, CAP, some(200, 20), run="run-last")
    flows.reconcile(workspace, inline(workspace))
    seen = shown.reference(workspace.blobs, state_of(workspace).reference)
    assert any(group.startswith("trial ") for group in seen.groups), "what it saw is usual to it"


def test_audits_judge_and_lessons_fit(workspace, truth):
    watch(workspace)
    candidate = to_candidate(workspace, truth)
    made = models.get(workspace.scope, candidate.model)
    assert made.dataset == "cells.station-7.cap"
    origins = {i.sha256: i.origin for i in datasets.items_of(workspace.scope, made.dataset)}
    drawn = {one.sample for one in picks.settled(workspace.scope, CAP) if one.reason == "audit"}
    assert drawn == {sample for sample, origin in origins.items() if origin == "audit"}
    assert "review" in origins.values()
    rows = tenfold.factory.evidence.read(tenfold.factory.evidence.of_model(workspace.blobs, made))
    judged = {row.sample for row in rows if row.split == "judge"}
    assert drawn <= judged
    assert not judged & {sample for sample, origin in origins.items() if origin == "review"}


def test_audits_that_were_drawn_for_being_rejects_teach_and_do_not_judge(workspace, truth):
    rules = RULES.format(approve="rule").replace("audit_reject: 0.3", "audit_reject: 1.0")
    flows.watch(workspace, CAP, parse(rules, where="test"))
    candidate = to_candidate(workspace, truth)
    settled = [one for one in picks.settled(workspace.scope, CAP) if one.reason == "audit"]
    even = {one.sample for one in settled if one.detail["even"]}
    rejects = {one.sample for one in settled if one.stratum == "reject"}
    assert even - rejects, "what passed is drawn at the smallest share"
    assert rejects - even, "of rejects all are, and most of them for being one"
    made = models.get(workspace.scope, candidate.model)
    origins = {i.sha256: i.origin for i in datasets.items_of(workspace.scope, made.dataset)}
    assert {origins[sample] for sample in even} == {"audit"}
    assert {origins[sample] for sample in rejects - even} == {"review"}


def test_a_pick_remembers_how_its_answer_looked(workspace, truth):
    """So that what is like it is not novel the next day."""
    watch(workspace)
    answer(workspace, CAP, some(0, 40), run="run-1")
    flows.take_in(workspace)
    rows = history.read(workspace.answers_folder).to_pylist()
    seen = {row["sample"]: row["projection"] for row in rows}
    newest = picks.newest(workspace.scope, CAP, limit=500)
    assert {one.reason for one in newest} >= {"audit", "novelty"}
    for one in newest:
        assert base64.b64decode(one.detail["projection"]) == seen[one.sample]
    assert picks.newest(workspace.scope, CAP, limit=3) == newest[-3:]


def test_a_person_is_waited_for_where_the_rules_say_so(workspace, truth):
    watch(workspace, approve="person")
    candidate = to_candidate(workspace, truth)
    flows.reconcile(workspace, inline(workspace))
    answer(workspace, CAP, some(60, 60), run="run-2")
    flows.reconcile(workspace, inline(workspace))
    label_all(workspace, truth)
    for _ in range(3):
        flows.reconcile(workspace, inline(workspace))
    assert kinds(workspace).count("waits for a nod") == 1
    assert deployments.get(workspace.scope, CAP).canary == ""
    assert flows.approve(workspace, CAP, why="looks right") == candidate.model
    flows.reconcile(workspace, inline(workspace))
    assert deployments.get(workspace.scope, CAP).canary == candidate.model
    flows.reject(workspace, CAP, why="on second thoughts")
    flows.reconcile(workspace, inline(workspace))
    now = deployments.get(workspace.scope, CAP)
    assert (now.canary, now.shadow) == ("", "")
    assert state_of(workspace).in_vain == 1
    with pytest.raises(Conflict, match="waits for anybody"):
        flows.approve(workspace, CAP)


def test_answers_are_taken_in_once_and_passes_may_be_repeated(workspace, truth):
    watch(workspace)
    answer(workspace, CAP, some(0, 80), run="run-1")
    flows.reconcile(workspace, inline(workspace))
    before = loops.get(workspace.scope, CAP), picks.open_picks(workspace.scope, CAP)
    flows.reconcile(workspace, inline(workspace))
    assert (loops.get(workspace.scope, CAP), picks.open_picks(workspace.scope, CAP)) == before
    (seen,) = describing.watched(workspace, CAP)
    assert seen.answers == 80
    assert seen.to_review == len(before[1])
    assert all("not known yet" in told for told in seen.rates)
    label_all(workspace, truth)
    (seen,) = describing.watched(workspace, CAP)
    assert [told.split()[0] for told in seen.rates[:2]] == ["escape", "overkill"]
    assert all("proven" in told for told in seen.rates[:2])


def state_of(workspace):
    return LoopState.from_json(loops.get(workspace.scope, CAP).state)


def audits_of(workspace):
    """Audits of this watch of the live model."""
    state = state_of(workspace)
    every = picks.audits(workspace.scope, CAP, state.live)
    return [one for one in every if one.detail.get("watch") == state.watched_as]


def test_every_answer_is_counted_with_its_lot_and_every_audit_knows_the_count(workspace, truth):
    watch(workspace)
    for start in (0, 20):
        answer(workspace, CAP, some(start, 20), run=f"run-{start}")
        flows.reconcile(workspace, inline(workspace))
    drawn, audits = state_of(workspace).draws, audits_of(workspace)
    assert sum(one.answers for one in drawn) == 40
    assert sum(one.drawn for one in drawn) == len(audits) > 5
    assert {one.probability for one in drawn} == {0.3}
    for number, one in enumerate(audits, 1):
        upto = draws.read(one.detail["draws"])
        assert sum(some.drawn for some in upto) == number


def test_an_alarm_begins_its_own_count_of_labels_and_tries(workspace):
    watch(workspace)
    tired = replace(state_of(workspace), in_vain=3)
    first = tired.alarming(["drift"], settled=40)
    assert (first.alarmed, first.settled_at_alarm, first.in_vain) == (("drift",), 40, 0)
    second = replace(first, in_vain=1).alarming(["features"], settled=70)
    assert second.alarmed == ("drift", "features")
    assert (second.settled_at_alarm, second.in_vain) == (40, 1)
    after = second.watching("b" * 64, reference="", watch=None)
    assert (after.alarmed, after.settled_at_alarm, after.in_vain) == ((), 0, 0)
    assert LoopState.from_json(second.to_json()) == second


def test_a_share_that_is_changed_is_counted_apart(workspace, truth):
    watch(workspace)
    answer(workspace, CAP, some(0, 20), run="run-1")
    flows.reconcile(workspace, inline(workspace))
    rules = RULES.format(approve="rule").replace("0.3", "0.9")
    flows.watch(workspace, CAP, parse(rules, where="test"))
    answer(workspace, CAP, some(20, 20), run="run-2")
    flows.reconcile(workspace, inline(workspace))
    by_share = dict.fromkeys((0.3, 0.9), 0)
    for one in state_of(workspace).draws:
        by_share[one.probability] += one.answers
    assert by_share == {0.3: 20, 0.9: 20}


def test_another_watch_counts_anew_and_what_was_drawn_before_is_told(workspace, truth):
    rules = parse(RULES.format(approve="rule").replace("0.3", "0.9"), where="test")
    flows.watch(workspace, CAP, rules)
    answer(workspace, CAP, some(0, 40), run="run-1")
    flows.reconcile(workspace, inline(workspace))
    before = len(audits_of(workspace))
    label_all(workspace, truth)
    flows.unwatch(workspace, CAP)
    flows.watch(workspace, CAP, rules)
    answer(workspace, CAP, some(0, 40), run="run-2")  # all were there: no pick of them is new
    flows.reconcile(workspace, inline(workspace))
    (seen,) = describing.watched(workspace, CAP)
    assert seen.answers == 40
    assert before > 0
    assert any("drawn before" in told for told in seen.rates)


def test_files_of_one_pass_follow_each_other(workspace, truth):
    watch(workspace)
    first = answer(workspace, CAP, some(0, 6), run="run-1")
    second = answer(workspace, CAP, some(6, 5), run="run-2")
    assert flows.take_in(workspace) == len(first) + len(second)
    assert loops.get(workspace.scope, CAP).version == 2
    assert sum(one.answers for one in state_of(workspace).draws) == 11


def test_a_file_that_its_collector_will_write_again_waits(workspace, truth):
    """It was killed before it booked; there may be more answers in it the next time."""
    watch(workspace)
    answer(workspace, CAP, some(0, 6), run="run-1")
    (file,) = history.fresh_files(workspace.answers_folder)
    name = file.stem.rpartition("-")[0]
    segment = workspace.answers_folder / f"{name}{SEGMENT}"
    segment.touch()
    with workspace.scope.write() as connection:
        before = answers.progress(workspace.scope, name)
        answers.advance(connection, workspace.scope, before, Progress(name, HEAD_BYTES))
    assert flows.take_in(workspace) == 0
    segment.unlink()
    assert flows.take_in(workspace) == 6


def test_merged_answers_are_not_taken_in_again(workspace, truth, monkeypatch):
    watch(workspace)
    answer(workspace, CAP, some(0, 6), run="run-1")
    flows.take_in(workspace)
    monkeypatch.setattr(merging, "FEWEST", 1)
    assert merging.tidy(workspace.scope, workspace.answers_folder, keep_days=400).merged == 1
    assert flows.take_in(workspace) == 0
    assert history.read(workspace.answers_folder).num_rows == 6


def test_a_deployment_that_is_retired_mid_way_is_left_alone(workspace, truth):
    watch(workspace)
    candidate = to_candidate(workspace, truth)
    tenfold.retire(workspace, CAP)
    flows.reconcile(workspace, inline(workspace))
    now = deployments.get(workspace.scope, CAP)
    assert (now.state, now.shadow) == ("retired", "")
    assert candidate.model not in now.models
    with pytest.raises(Conflict, match="is retired"):
        watch(workspace)


def test_a_loop_that_ends_mid_way_stops_its_try(workspace, truth):
    watch(workspace)
    answer(workspace, CAP, some(0, 60), run="run-1")
    flows.reconcile(workspace, inline(workspace))
    label_all(workspace, truth)
    asked = []
    flows.reconcile(workspace, lambda *job: asked.append(job))
    flows.unwatch(workspace, CAP)
    with pytest.raises(NotFound, match="is not watched"):
        retrain(workspace, **asked[0][1])
    assert kinds(workspace)[-1] == "not watched"


def test_a_loop_that_begins_again_takes_no_number_of_a_try_before(workspace, truth):
    """A number names a job, and a job that is known is not done again."""
    watch(workspace)
    to_candidate(workspace, truth)
    flows.unwatch(workspace, CAP)
    watch(workspace)
    asked = []
    flows.reconcile(workspace, lambda *job: asked.append(job))
    assert {arguments["number"] for _, arguments, _ in asked} == {2}


def test_a_clock_that_was_set_back_stops_no_loop(workspace):
    watch(workspace)
    loop = loops.get(workspace.scope, CAP)
    later = {f"2099-01-0{day}": 5 for day in (1, 2, 3)}
    with workspace.scope.write() as connection:
        loops.advance(connection, workspace.scope, loop, loop.state | {"queued": later})
    answer(workspace, CAP, some(0, 20), run="run-1")
    flows.reconcile(workspace, inline(workspace))
    state = LoopState.from_json(loops.get(workspace.scope, CAP).state)
    assert state.live
    assert len(state.queued) == 3
    assert f"{workspace.scope.now():%Y-%m-%d}" in state.queued


def test_answers_are_taken_in_where_nothing_is_watched(workspace):
    answer(workspace, CAP, some(0, 3), run="run-1")
    assert flows.take_in(workspace) == 3
    assert flows.take_in(workspace) == 0


def test_pictures_are_kept_once_a_deployment_is_watched(workspace):
    assert deployments.get(workspace.scope, CAP).keep_days == 0
    watch(workspace)
    assert deployments.get(workspace.scope, CAP).keep_days == flows.KEEP_DAYS
    with pytest.raises(NotFound, match="nothing is deployed"):
        flows.watch(workspace, "station-8/cap")


def test_a_label_that_is_likely_wrong_is_asked_about_and_corrected(workspace, truth):
    watch(workspace)
    answer(workspace, CAP, some(0, 5), run="run-1")
    flows.reconcile(workspace, inline(workspace))
    asked = [p for p in picks.open_picks(workspace.scope, CAP) if p.reason == "suspect"]
    items = {i.sha256: i for i in datasets.items_of(workspace.scope, "cells")}
    assert {one.sample for one in asked} <= set(items)
    for one in asked:
        assert items[one.sample].labels != (one.said,)
        assert one.detail["label"] == items[one.sample].labels[0]


def test_one_loop_that_cannot_be_looked_at_stops_no_other(workspace, truth):
    watch(workspace)
    tenfold.deploy(workspace, "station-8/cap", "cap", unproven=True)
    flows.watch(workspace, "station-8/cap")
    with workspace.scope.write() as connection:
        connection.execute(
            text("UPDATE loops SET spec = 'wrong: rule' WHERE deployment LIKE '%8/cap'")
        )
    answer(workspace, CAP, some(0, 20), run="run-1")
    answer(workspace, "station-8/cap", some(0, 20), run="run-2")
    flows.reconcile(workspace, inline(workspace))
    assert LoopState.from_json(loops.get(workspace.scope, CAP).state).live
    told = loops.timeline(workspace.scope, "station-8/cap")
    assert told[-1].kind == "problem"
    assert "wrong" in told[-1].detail["problem"]


def with_shadow(workspace, truth):
    """A loop whose accepted candidate has just become the shadow."""
    watch(workspace)
    candidate = to_candidate(workspace, truth)
    flows.reconcile(workspace, inline(workspace))
    assert deployments.get(workspace.scope, CAP).shadow == candidate.model
    return candidate


def forget_trial(workspace):
    """As a hub leaves it that was killed between setting the stage and noting what it shows."""
    loop = loops.get(workspace.scope, CAP)
    state = replace(LoopState.from_json(loop.state), trial=None)
    with workspace.scope.write() as connection:
        loops.advance(connection, workspace.scope, loop, state.to_json())


def test_a_hub_killed_between_setting_a_shadow_and_noting_it_goes_on(workspace, truth):
    with_shadow(workspace, truth)
    forget_trial(workspace)
    flows.reconcile(workspace, inline(workspace))
    answer(workspace, CAP, some(60, 40), run="run-2")
    flows.reconcile(workspace, inline(workspace))
    state = LoopState.from_json(loops.get(workspace.scope, CAP).state)
    assert state.trial is not None
    assert state.trial.evidence.n + len(state.trial.tail) == 40


def test_a_candidate_that_a_person_took_off_trial_is_not_put_back(workspace, truth):
    candidate = with_shadow(workspace, truth)
    tenfold.rollback(workspace, CAP, why="I do not trust it")
    for _ in range(3):
        flows.reconcile(workspace, inline(workspace))
    assert deployments.get(workspace.scope, CAP).shadow == ""
    assert kinds(workspace).count("shadow") == 1
    assert kinds(workspace)[-1] == "given up"
    state = LoopState.from_json(loops.get(workspace.scope, CAP).state)
    assert (state.candidate.model, state.candidate.is_over) == (candidate.model, True)


def test_answers_wait_while_the_disk_is_full(workspace, truth, monkeypatch):
    watch(workspace)
    answer(workspace, CAP, some(0, 40), run="run-1")

    def full(self, data):
        raise Unavailable("the disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(Blobs, "put", full)
        with pytest.raises(Unavailable):
            flows.reconcile(workspace, inline(workspace))
    flows.reconcile(workspace, inline(workspace))
    (seen,) = describing.watched(workspace, CAP)
    assert seen.answers == 40
    assert "problem" not in kinds(workspace)


def test_a_file_of_answers_that_cannot_be_read_stops_nothing(workspace, truth):
    watch(workspace)
    answer(workspace, CAP, some(0, 20), run="run-1")
    (workspace.answers_folder / "parquet" / "run-0-000000000008.parquet").write_bytes(b"torn")
    flows.reconcile(workspace, inline(workspace))
    (seen,) = describing.watched(workspace, CAP)
    assert seen.answers == 20
