"""Task files: what they may say, what they mean, and where they are wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.errors import NotFound, SpecError
from tenfold.specs.bar import Bar
from tenfold.specs.task import TaskSpec, load, parse, propose

FULL = """\
task: scratch-on-caps
kind: classify
dataset: caps
question:
  positive: [scratch, dent]
  negative: [good]
  where: {station: [s1, s2], colour: red}
bar:
  confidence: 0.9
  escape: 0.02
  overkill: 0.1
split:
  stored: {train: fit, test: judge}
  column: part
symmetry: dihedral
budget: {seconds: 60, rungs: 3}
rung: linear
seed: 7
"""


def test_a_full_task_reads_as_written():
    spec = parse(FULL, where="caps.yaml")
    assert spec.question.where == {"station": ("s1", "s2"), "colour": "red"}
    assert (spec.bar.escape, spec.bar.alpha, spec.seed) == (0.02, 0.1, 7)


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("overkill: 0.1", "overkil: 0.1", 11, "overkil"),
        ("escape: 0.02", "escape: 2", 10, "must be below 1"),
        ("kind: classify", "kind: detect", 2, "anomaly"),
        ("seed: 7", "seed: seven", 18, "a whole number"),
        ("seed: 7", "seed: true", 18, "a whole number"),
        ("{station: [s1, s2], ", "{station: [], ", 4, "no value of 'station'"),
        ("  stored: {train: fit, test: judge}\n", "", 12, "column"),
        ("{train: fit, test: judge}", "{train: fit}", 12, "judge"),
        ("task: scratch-on-caps", "task: a b", 1, "name"),
        ("  where:", "  positive: [a]\n  where:", 7, "twice"),
        ("rung: linear", "rung: [", 19, "not YAML"),
        ("  negative: [good]", "  negative: [dent]", 4, "both positive and negative"),
        ("  escape: 0.02", "  error: 0.02", 1, "escape"),
        ("dataset: caps\n", "", 1, "dataset"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(old, new, line, says):
    with pytest.raises(SpecError) as caught:
        parse(FULL.replace(old, new), where="caps.yaml")
    assert caught.value.where == f"caps.yaml:{line}"
    assert says in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words", "a: &x [*x]\n"])
def test_what_is_no_task_at_all_is_told(text):
    with pytest.raises(SpecError, match=r"caps\.yaml"):
        parse(text, where="caps.yaml")


def test_a_missing_file_and_a_binary_one_are_told(tmp_path):
    with pytest.raises(NotFound):
        load(tmp_path / "none.yaml")
    (tmp_path / "raw.yaml").write_bytes(b"\xff\xfe\x00task")
    with pytest.raises(SpecError, match="UTF-8"):
        load(tmp_path / "raw.yaml")


labels = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=8)


@given(
    st.lists(labels, min_size=2, max_size=4, unique=True),
    st.dictionaries(
        labels, st.one_of(labels, st.lists(labels, min_size=1, max_size=3).map(tuple)), max_size=2
    ),
    st.floats(0.001, 0.999),
    st.integers(0, 2**32 - 1),
)
def test_yaml_reads_back_as_it_was(names, where, rate, seed):
    question = {"positive": names[:1], "negative": names[1:], "where": where}
    plain = {"task": "t", "dataset": "d", "question": question, "bar": {"escape": rate}}
    spec = TaskSpec.model_validate(plain | {"seed": seed})
    assert parse(spec.to_yaml(), where="t.yaml") == spec


def key(**more):
    base = {"task": "t", "dataset": "d", "question": {"classes": ["a", "b"]}}
    return TaskSpec.model_validate(base | more).question_key


def test_names_seeds_bars_and_spelling_do_not_make_another_question():
    assert key() == key(task="u", dataset="e", seed=3, bar={"error": 0.2}, rung="linear")
    assert key() == key(question={"classes": ["b", "a"]}, split={"fit": 0.6, "judge": 0.2})
    one = {"positive": ["x", "y"], "where": {"cell": "mono", "lot": ["1", "2"]}}
    same = {"positive": ["y", "x"], "where": {"lot": ["2", "1"], "cell": ["mono"]}}
    assert key(question=one) == key(question=same)


def test_what_is_decided_makes_another_question():
    asked = [
        {"classes": ["a", "b"]},
        {"classes": ["a", "c"]},
        {"classes": ["a", "b"], "multi_label": True},
        {"classes": ["a", "b"], "label": "cell"},
        {"classes": ["a", "b"], "where": {"cell": "mono"}},
        {"positive": ["a"]},
        {"negative": ["a"]},
    ]
    keys = {key(question=question) for question in asked} | {
        key(kind="anomaly", question={"positive": ["a"]})
    }
    assert len(keys) == len(asked) + 1


def test_a_folder_of_goods_and_defects_becomes_a_question_of_good_or_bad():
    spec = propose("caps", "classify", good="ok", labels=["ok", "dent", "chip"], splits=[])
    assert (spec.question.negative, spec.question.positive) == (("ok",), ())
    assert spec.bar.escape is not None
    assert spec.bar.overkill is not None


def test_a_folder_of_goods_alone_asks_nothing_of_escape():
    spec = propose("caps", "anomaly", good="ok", labels=["ok"], splits=[])
    assert (spec.kind, spec.bar.escape) == ("anomaly", None)


def test_a_folder_of_classes_with_its_own_split_keeps_it():
    spec = propose("fruit", "classify", good=None, labels=["fig", "kiwi"], splits=["train", "test"])
    assert spec.split.stored == {"train": "fit", "test": "judge"}
    assert spec.bar.error is not None
    assert parse(spec.to_yaml(), where="fruit.yaml") == spec


@pytest.mark.parametrize("rate", [0, 1, -0.1, "many"])
def test_a_bar_takes_shares_between_nothing_and_all(rate):
    with pytest.raises(ValueError, match="escape"):
        Bar.model_validate({"escape": rate})


@pytest.mark.parametrize("text", ["task: " + "[" * 60_000, "- " * 60_000 + "a", "{a: " * 60_000])
def test_a_text_of_very_many_levels_is_refused(text):
    with pytest.raises(SpecError, match="levels"):
        parse(text, where="caps.yaml")


def test_aliases_of_aliases_cost_no_more_than_their_text():
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 20):
        rows.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    with pytest.raises(SpecError) as caught:
        parse("\n".join([*rows, "task: *a19"]), where="caps.yaml")
    assert len(str(caught.value)) < 1000
