"""Reasons of the loop are said in the reader's language, a person's words as they are."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tenfold.loop import rollout, watch
from tenfold.loop.retrain import Candidate, Rule, Situation, next_action
from tenfold.loop.rollout import Evidence, Operation
from tenfold.metrics.sequences import ConfidenceSequence
from tenfold.web.console.retold import ALARMS, retold
from tenfold.web.console.text import Text

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CALM = Situation(now=NOW, live="a" * 64, began=NOW - timedelta(days=9))
OPEN = Candidate("b" * 64, "accepted", is_over=False)
RULE = rollout.Rule(most=100)


ZH = Text("zh")
ENGLISH = re.compile(r"[A-Za-z]{3,}")


def evidence(differences, p95_ms=20.0):
    bounds = ConfidenceSequence.of_differences(alpha=RULE.alpha).fold(differences)
    return Evidence(bounds, disagreements=3, p95_ms=p95_ms)


SITUATIONS = [
    CALM,
    replace(CALM, is_retired=True),
    replace(CALM, shadow="c" * 64),
    replace(CALM, is_making=True),
    replace(CALM, new_labels=100),
    replace(CALM, new_labels=100, last_try=NOW - timedelta(minutes=1)),
    replace(CALM, new_misses=2),
    replace(CALM, alarms=1, labels_since_alarm=3),
    replace(CALM, alarms=1, labels_since_alarm=30),
    replace(CALM, new_labels=5, last_try=NOW - timedelta(days=8)),
    replace(CALM, new_labels=5, last_try=NOW + timedelta(days=8)),
    replace(CALM, candidate=OPEN),
    replace(CALM, candidate=OPEN, has_veto=True),
    replace(CALM, candidate=OPEN, was_tried=True),
    replace(CALM, candidate=OPEN, shadow="c" * 64),
    replace(CALM, candidate=OPEN, shadow=OPEN.model),
    replace(CALM, candidate=OPEN, shadow=OPEN.model, new_labels=500),
    replace(CALM, candidate=OPEN, canary=OPEN.model),
    replace(CALM, candidate=OPEN, live=OPEN.model),
]
SHADOWS = [
    evidence([0.0] * 900),
    evidence([0.0] * 900, p95_ms=None),
    evidence([0.0] * 900, p95_ms=900.0),
    evidence([0.0] * 20),
    evidence([0.0] * 90 + [1.0] * 10),
    evidence([1.0] * 90),
]
CANARIES = [
    Operation(answers=10, failures=0, unfit=0, p95_ms=20.0),
    Operation(answers=400, failures=0, unfit=0, p95_ms=20.0),
    Operation(answers=400, failures=90, unfit=0, p95_ms=20.0),
    Operation(answers=400, failures=0, unfit=90, p95_ms=20.0, live_unfit_share=0.01),
    Operation(answers=400, failures=0, unfit=0, p95_ms=900.0),
    Operation(answers=400, failures=0, unfit=0, p95_ms=None),
]
REASONS = [
    *(next_action(Rule(every_days=7), one, needs_nod=True).why for one in SITUATIONS),
    *(rollout.decide_shadow(RULE, one).reason for one in SHADOWS),
    *(rollout.decide_shadow(rollout.Rule(), one).reason for one in SHADOWS),
    *(rollout.decide_canary(RULE, one).reason for one in CANARIES),
    *watch.WORDS.values(),
]


@pytest.mark.parametrize("reason", dict.fromkeys(REASONS))
def test_every_reason_of_the_loop_is_said_in_chinese(reason):
    told = retold(ZH, reason)
    assert [word for word in ENGLISH.findall(told) if len({*word}) > 1] == [], "models are a … c"


def test_an_alarm_is_retold_with_what_changed():
    share = watch.Share(0.5, ConfidenceSequence.of_rate(alpha=0.05), alarmed_at=1_350, lower=0.62)
    for kind in watch.KINDS:
        (alarm,) = watch.alarms(watch.Rule(), watch.State(1.0, shares={kind: share}))
        assert retold(ZH, watch.WORDS[kind]) in retold(ZH, alarm.reason)


def test_a_persons_words_stay_as_they_are():
    assert retold(ZH, "looks right to me") == "looks right to me"


def test_every_kind_of_change_has_a_short_name():
    assert set(ALARMS) == set(watch.KINDS)
