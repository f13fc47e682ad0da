import pytest

from tenfold.apps.line.decide import NOT_READY, OTHER_SCENE, complaints, decide, not_aligned
from tenfold.apps.line.part import PartSpec
from tenfold.apps.line.values import Said
from tenfold.factory.edge.graph import REASONS

SCREW = {
    "check": "assembly",
    "head": "screws",
    "thing": "screw",
    "present": ["screw"],
    "absent": ["hole"],
    "wrong": ["bolt"],
    "turned": ["slanted"],
}


def part(**regions: list[dict[str, object]]) -> PartSpec:
    return PartSpec.model_validate(
        {
            "part": "p",
            "reference": "p.png",
            "regions": [
                {"name": name, "box": [0, 0, 9, 9], "checks": checks}
                for name, checks in regions.items()
            ],
        }
    )


def outcome(spec: PartSpec, *said: Said, **inside: float) -> tuple[str, str]:
    whole = {region.name: 1.0 for region in spec.regions} | inside
    decided = decide(7, spec.part, complaints(spec, said, whole))
    assert (decided.sequence, decided.part) == (7, "p")
    return decided.outcome, decided.reason


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("screw", ("ok", "")),
        ("hole", ("reject", "missing screw a")),
        ("bolt", ("reject", "wrong screw a")),
        ("slanted", ("reject", "turned screw a")),
        ("cat", ("manual", "unknown answer 'cat' a")),
        ("", ("manual", "unknown answer '' a")),
    ],
)
def test_what_must_be_present(answer, expected):
    assert outcome(part(a=[SCREW]), Said("a", 0, answer, 0.9)) == expected


def test_a_head_that_only_tells_good_from_bad_rejects_what_is_bad():
    """As one does that was taught from good ones alone, or from several that are bad."""
    told = {"good": "screw", "threshold": 0.5}
    assert outcome(part(a=[SCREW]), Said("a", 0, "defect", 0.9, **told)) == (
        "reject",
        "wrong screw a",
    )
    sure = part(a=[SCREW | {"least_sure": 0.8}])
    assert outcome(sure, Said("a", 0, "screw", 0.1, **told)) == ("ok", "")
    assert outcome(sure, Said("a", 0, "screw", 0.4, **told)) == ("manual", "unsure screw a")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("hole", ("ok", "")), ("screw", ("reject", "unwanted screw a"))],
)
def test_what_must_be_absent(answer, expected):
    spec = part(a=[SCREW | {"must": "absent"}])
    assert outcome(spec, Said("a", 0, answer, 0.9)) == expected


def test_an_answer_that_is_not_sure_goes_to_manual_inspection():
    spec = part(a=[SCREW | {"least_sure": 0.8}])
    assert outcome(spec, Said("a", 0, "screw", 0.7)) == ("manual", "unsure screw a")
    assert outcome(spec, Said("a", 0, "screw", 0.8)) == ("ok", "")


def test_a_surface_is_rejected_by_what_the_head_calls_it():
    spec = part(a=[{"check": "surface", "head": "h", "good": ["good"]}])
    assert outcome(spec, Said("a", 0, "good")) == ("ok", "")
    assert outcome(spec, Said("a", 0, "scratch", 0.9)) == ("reject", "scratch a")


def test_differences_from_the_reference_reject_beyond_what_may_be_there():
    spec = part(a=[{"check": "golden", "most": 1}])
    assert outcome(spec, Said("a", 0, differences=1)) == ("ok", "")
    assert outcome(spec, Said("a", 0, differences=2)) == ("reject", "differs a")


def test_silence_is_never_ok():
    spec = part(a=[SCREW, {"check": "golden"}], b=[SCREW])
    assert outcome(spec) == ("manual", NOT_READY)
    said = [Said("a", 0, "screw", 1), Said("a", 1)]
    assert outcome(spec, *said) == ("manual", NOT_READY)
    assert outcome(spec, *said, Said("b", 0, "screw", 1)) == ("ok", "")


def test_a_region_that_nobody_should_judge_goes_to_manual_inspection():
    spec = part(a=[SCREW])
    assert outcome(spec, Said("a", 0, "screw", 1, unfit="blurred")) == ("manual", "unfit: blurred")
    assert outcome(spec, Said("a", 0, "screw", 1), a=0.5) == ("manual", "out of picture a")
    assert complaints(spec, [Said("a", 0, "screw", 1)], {})  # nobody said where it lies


def test_what_is_known_to_be_bad_is_rejected_though_something_else_is_unfit():
    spec = part(a=[SCREW], b=[SCREW])
    unfit, missing = Said("a", 0, unfit="dark"), Said("b", 0, "hole", 0.9)
    assert outcome(spec, unfit, missing) == ("reject", "missing screw b")


def test_the_worst_comes_first():
    spec = part(a=[{"check": "surface", "head": "h"}], b=[SCREW], c=[SCREW])
    said = [Said("a", 0, "scratch", 0.99), Said("b", 0, "bolt", 0.9), Said("c", 0, "hole", 0.6)]
    reasons = [c.reason for c in complaints(spec, said, dict.fromkeys("abc", 1.0))]
    assert reasons == ["missing screw c", "wrong screw b", "scratch a"]


def counted(least: int, most: int) -> PartSpec:
    any_screw = SCREW | {"present": ["screw", "hole"], "absent": []}
    plain = part(a=[any_screw], b=[any_screw], c=[any_screw]).model_dump()
    count = {"thing": "screw", "of": ["screw"], "regions": list("abc")}
    return PartSpec.model_validate(plain | {"counts": [count | {"least": least, "most": most}]})


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (("screw", "screw", "hole"), ("ok", "")),
        (("screw", "hole", "hole"), ("reject", "count screw 1")),
        (("screw", "screw", "screw"), ("reject", "count screw 3")),
    ],
)
def test_so_many_of_some_regions(answers, expected):
    said = [Said(name, 0, answer, 1) for name, answer in zip("abc", answers, strict=True)]
    assert outcome(counted(2, 2), *said) == expected


def test_what_was_not_said_is_not_counted_as_missing():
    assert outcome(counted(2, 2), Said("a", 0, "screw", 1))[0] == "manual"
    assert outcome(counted(2, 2), *(Said(n, 0, "hole", 1) for n in "ab"))[0] == "reject"


def test_a_part_that_cannot_be_aligned_is_for_a_person():
    assert decide(3, "p", [not_aligned()]).outcome == "manual"


@pytest.mark.parametrize(
    ("unfit", "score", "expected"),
    [
        (OTHER_SCENE, 0.9, ("reject", "defect a")),
        (OTHER_SCENE, 0.5, ("reject", "defect a")),
        (OTHER_SCENE, 0.4, ("manual", "unfit: a different scene")),
        ("too dark", 0.9, ("manual", "unfit: too dark")),
    ],
)
def test_a_score_over_the_threshold_rejects_what_looks_like_another_scene(unfit, score, expected):
    spec = part(a=[{"check": "surface", "head": "h"}])
    said = Said("a", 0, "unfit", score, unfit=unfit, threshold=0.5, good="good")
    assert outcome(spec, said) == expected


def test_a_head_without_a_threshold_is_not_asked_for_its_score():
    spec = part(a=[{"check": "surface", "head": "h"}])
    assert outcome(spec, Said("a", 0, "unfit", 0.9, unfit=OTHER_SCENE))[0] == "manual"
    spec = part(a=[SCREW])
    said = Said("a", 0, "unfit", 0.9, unfit=OTHER_SCENE, threshold=0.5)
    assert outcome(spec, said)[0] == "manual"


def test_another_scene_is_what_the_gate_calls_it():
    assert OTHER_SCENE in REASONS


def test_a_good_surface_is_called_as_its_head_calls_it():
    spec = part(a=[{"check": "surface", "head": "h"}])
    assert outcome(spec, Said("a", 0, "clean", good="clean")) == ("ok", "")
    assert outcome(spec, Said("a", 0, "good", good="clean")) == ("reject", "good a")
    assert outcome(spec, Said("a", 0, "good")) == ("ok", "")
