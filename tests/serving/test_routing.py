import pytest

from tenfold.catalog.deployments import Deployment, HeadRef
from tenfold.catalog.models import Stretch
from tenfold.errors import Conflict, NotFound
from tenfold.serving.routing import Routes, answering, position, shadow_of

KEYS = [f"part-{n}" for n in range(4000)]


def head(letter):
    return HeadRef(
        letter * 64, "classify", "linear", "cap", "caps", "", "", "p" * 64, Stretch(0, 1, "")
    )


def routes(deployment):
    return Routes().updated([deployment], map(head, "abc"))


def deployment(**more):
    plain = {"name": "station-7/cap", "state": "live", "live": "a" * 64, "salt": "s"}
    return Deployment(**(plain | {"generation": 3} | more))


def test_a_part_never_meets_two_heads():
    one = deployment(canary="b" * 64, canary_share=0.3)
    chosen = {key: answering(routes(one), one, key).role for key in KEYS}
    assert chosen == {key: answering(routes(one), one, key).role for key in KEYS}
    share = sum(role == "canary" for role in chosen.values()) / len(KEYS)
    assert share == pytest.approx(0.3, abs=0.03)


def test_a_larger_canary_keeps_the_parts_it_had():
    small, large = (deployment(canary="b" * 64, canary_share=share) for share in (0.1, 0.4))
    for key in KEYS:
        if answering(routes(small), small, key).role == "canary":
            assert answering(routes(large), large, key).role == "canary"


def test_positions_are_even_and_another_salt_mixes_anew():
    places = [position("s", key) for key in KEYS]
    assert sum(places) / len(places) == pytest.approx(0.5, abs=0.02)
    both = sum(position("t", k) < 0.5 and position("s", k) < 0.5 for k in KEYS)
    assert both / len(KEYS) == pytest.approx(0.25, abs=0.03)


def test_a_version_pins_a_package_of_the_deployment():
    one = deployment(shadow="b" * 64)
    assert answering(routes(one), one, "x", "bbbbbb").head.model == "b" * 64
    with pytest.raises(NotFound, match="no version 'cccccc'"):
        answering(routes(one), one, "x", "cccccc")
    with pytest.raises(NotFound):
        answering(routes(one), one, "x", "b")
    two = deployment(live="ab" * 32, shadow="ab" * 31 + "aa")
    with pytest.raises(Conflict, match="several"):
        answering(Routes().updated([two], []), two, "x", "ababab")


def test_a_shadow_is_asked_and_does_not_answer():
    one = deployment(shadow="b" * 64)
    assert answering(routes(one), one, "x").role == "live"
    assert shadow_of(routes(one), one).head.model == "b" * 64
    assert shadow_of(routes(one), deployment()) is None


def test_what_changed_replaces_and_retired_ones_go():
    before = routes(deployment())
    after = before.updated([deployment(live="b" * 64, generation=4)], [])
    assert after.generation == 4
    assert after.deployment("station-7/cap").live == "b" * 64
    assert before.deployment("station-7/cap").live == "a" * 64
    gone = after.updated([deployment(state="retired", generation=5)], [])
    with pytest.raises(NotFound, match="station-7/cap"):
        gone.deployment("station-7/cap")
