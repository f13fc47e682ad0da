import json
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter

import pytest

import tenfold
from cells import write_cells
from tenfold.catalog import datasets, models, questions
from tenfold.errors import DataError, IntegrityError, NotFound, SpecError
from tenfold.factory import stock
from tenfold.factory.cohort import gather
from tenfold.factory.make import make_all
from tenfold.factory.plan import plan
from tenfold.packages import of_model
from tenfold.specs.task import TaskSpec, parse

pytestmark = pytest.mark.xdist_group("line")  # one worker makes the line


def spec_of(line, task):
    return parse(models.make_of(line.scope, task).spec, where="catalog")


def test_a_made_model_is_judged_packaged_and_reported(line):
    model = models.get(line.scope, "classify-cells")
    package = of_model(line.blobs, model)
    assert model.status in ("accepted", "undecided", "refused", "taught")
    assert {bound["name"] for bound in model.verdict["bounds"]} == {"escape", "overkill"}
    assert package.manifest.classes == ("good", "cracked")
    labels = {item.sha256: item.labels for item in datasets.items_of(line.scope, "cells")}
    of_goldens = Counter(labels[golden.sample] for golden in package.manifest.goldens)
    assert of_goldens == {("good",): 2, ("cracked",): 2}
    assert package.head_bytes <= 20_000
    assert "cells" in (line.reports_folder / "cells-2-tasks.html").read_text()


def test_making_again_finds_the_model_and_spends_nothing(line):
    spec = spec_of(line, "classify-cells")
    key = plan(line, spec).question_key
    before = questions.spent(line.scope, key)
    made = tenfold.make(line, plan(line, spec))
    assert made.was_found
    assert questions.spent(line.scope, key) == before


def test_a_renamed_task_finds_the_same_model_free_of_charge(line):
    spec = spec_of(line, "classify-cells")
    key = plan(line, spec).question_key
    before = questions.spent(line.scope, key)
    made = tenfold.make(line, plan(line, spec.model_copy(update={"task": "another-name"})))
    assert made.model.id == models.get(line.scope, "classify-cells").id
    assert questions.spent(line.scope, key) == before


@pytest.mark.parametrize(
    "sides", [{"positive": ("cracked",)}, {"positive": ("cracked",), "negative": ("good",)}]
)
def test_the_same_question_spelt_otherwise_finds_the_same_model(line, sides):
    spec = spec_of(line, "classify-cells")
    question = spec.question.model_copy(update={"negative": ()} | sides)
    made = tenfold.make(line, plan(line, spec.model_copy(update={"question": question})))
    assert made.model.id == models.get(line.scope, "classify-cells").id


def test_another_seed_is_another_look_at_the_same_judge_samples(line):
    spec = spec_of(line, "classify-cells")
    first = plan(line, spec)
    other = plan(line, spec.model_copy(update={"seed": 5, "task": "seed-5"}))
    assert other.splits.where("judge") == first.splits.where("judge")
    made = tenfold.make(line, other)
    assert made.verdict.look == first.lineage.next_look
    assert made.verdict.alpha < 0.05 * 6 / 9.86 / 3.9


def test_a_copy_of_the_dataset_under_another_name_does_not_buy_fresh_looks(line, cells, tmp_path):
    copy = shutil.copytree(cells, tmp_path / "copy")
    tenfold.ingest(line, copy, name="copy")
    spec = spec_of(line, "classify-cells").model_copy(update={"dataset": "copy"})
    assert plan(line, spec).lineage.next_look > 1


def test_judge_samples_never_fit(line):
    for spent in questions.spent(
        line.scope, plan(line, spec_of(line, "classify-cells")).question_key
    ):
        assert not spent.judge & spent.fit


def test_a_folder_needs_no_task_file(tmp_path):
    folder = write_cells(tmp_path / "caps", good=24, bad=0)
    (folder / "good" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    with tenfold.opened(tmp_path / "home") as workspace:
        batch = make_all(workspace, [str(folder)])
    assert "Only 'good'" in batch.understood[0]
    assert any("1 files set aside (" in sentence for sentence in batch.understood)
    assert batch.made[0].verdict.status != "accepted"
    assert "Escape is unproven" in batch.made[0].in_words
    (task_file,) = batch.task_files
    assert parse(task_file.read_text(), where="file").task == "caps-anomaly"


def test_what_cannot_be_made_says_what_to_do(line, tmp_path):
    spec = spec_of(line, "classify-cells")
    with pytest.raises(NotFound, match="tenfold ls"):
        plan(line, spec.model_copy(update={"dataset": "nothing"}))
    scratched = spec.question.model_copy(update={"negative": ("scratched",)})
    with pytest.raises(DataError, match=r"labelled 'scratched'; there are cracked, good"):
        plan(line, spec.model_copy(update={"question": scratched}))
    with pytest.raises(NotFound, match="There are: linear"):
        plan(line, spec.model_copy(update={"rung": "moon"}))
    elsewhere = spec.question.model_copy(update={"where": {"lot": "7"}})
    with pytest.raises(DataError, match="where"):
        plan(line, spec.model_copy(update={"question": elsewhere}))
    (tmp_path / "a.yaml").write_text("task: a\ndataset: cells\nquestion: {positive: [cracked]}\n")
    with pytest.raises(SpecError, match="two tasks are called 'a'"):
        make_all(line, [str(tmp_path / "a.yaml")] * 2)
    with pytest.raises(SpecError, match="either task files"):
        make_all(line, [str(tmp_path / "a.yaml"), str(tmp_path)])


def test_too_few_pictures_are_told_before_anything_is_embedded(tmp_path):
    folder = write_cells(tmp_path / "few", good=1, bad=1)
    with (
        tenfold.opened(tmp_path / "home") as workspace,
        pytest.raises(DataError, match=r"leave no 'good' for calibrate.*Add samples of 'good'"),
    ):
        make_all(workspace, [str(folder)])


def test_a_table_with_few_lots_is_made_and_one_lot_is_refused(tmp_path, cells):
    files = [*sorted((cells / "good").iterdir())[:24], *sorted((cells / "cracked").iterdir())[:24]]
    for lots in (8, 1):
        lines = [f"{file},{file.parent.name},lot{i % lots}" for i, file in enumerate(files)]
        (tmp_path / f"lots{lots}.csv").write_text("\n".join(["path,label,group", *lines]))
    spec = parse(
        "task: lots\ndataset: lots8\nquestion: {positive: [cracked]}\nrung: linear\n", where="t"
    )
    with tenfold.opened(tmp_path / "home") as workspace:
        tenfold.ingest(workspace, tmp_path / "lots8.csv")
        assert tenfold.make(workspace, plan(workspace, spec)).verdict.by_group
        tenfold.ingest(workspace, tmp_path / "lots1.csv")
        with pytest.raises(DataError, match="from other groups"):
            plan(workspace, spec.model_copy(update={"dataset": "lots1"}))


def test_a_bar_on_an_unknown_class_is_told_when_planned(line):
    text = "task: x\ndataset: cells\nbar: {miss: {zork: 0.1}}\n"
    with pytest.raises(SpecError, match=r"names 'zork'; the classes are cracked, good"):
        plan(line, parse(text, where="task"))


def test_reproduce_gives_the_same_bytes(line):
    outcome = tenfold.reproduce(line, "classify-cells")
    assert outcome.bytes_equal
    assert outcome.thresholds_equal
    assert outcome.worst_gap < 1e-5


def test_a_head_that_answers_otherwise_is_not_registered(line, monkeypatch):
    planned = plan(line, spec_of(line, "classify-cells").model_copy(update={"seed": 77}))
    real, before = stock.decode, questions.spent(line.scope, planned.question_key)
    monkeypatch.setattr(stock, "decode", lambda *given, **more: 255 - real(*given, **more))
    count = len(models.everything(line.scope))
    with pytest.raises(IntegrityError, match="golden sample"):
        tenfold.make(line, planned)
    assert len(models.everything(line.scope)) == count
    assert questions.spent(line.scope, planned.question_key) == before


def test_evidence_recomputes_without_tenfold(line, tmp_path):
    table, arithmetic = tenfold.evidence(line, "classify-cells")
    (tmp_path / "evidence.csv").write_text(table)
    head, program = arithmetic.split("-" * 72)
    (tmp_path / "recompute.py").write_text(program)
    command = re.search(r"python (recompute.py .*)", head).group(1)
    done = subprocess.run(
        [sys.executable, "-I", *shlex.split(command)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    again = json.loads(done.stdout)
    for bound in models.get(line.scope, "classify-cells").verdict["bounds"]:
        assert again[bound["name"]]["errors"] == bound["errors"]
        assert again[bound["name"]]["upper"] == pytest.approx(bound["upper"], rel=1e-9)


def test_a_table_without_labels_is_ingested_and_a_task_names_its_column(line, tmp_path):
    folder = write_cells(tmp_path / "plain", good=3, bad=3)
    files = sorted(folder.rglob("*.png"))
    rows = [f"{file.relative_to(folder)},{file.parent.name}" for file in files]
    (folder / "table.csv").write_text("path,state\n" + "\n".join(rows) + "\n")
    with pytest.raises(DataError, match="no picture has a label") as caught:
        make_all(line, [str(folder / "table.csv")])
    assert "state" in caught.value.hint
    name = next(d.name for d in datasets.everything(line.scope) if "table" in d.name)
    question = {"label": "state", "positive": ["cracked"]}
    spec = TaskSpec.model_validate({"task": "t", "dataset": name, "question": question})
    assert gather(spec, datasets.items_of(line.scope, name)).targets.sum(0).tolist() == [3, 3]
    tenfold.forget(line, tenfold.what_hangs_on(line, name))
