"""What the docs say is there, is complete, and is true: names, code, links and tables."""

import ast
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import typer
import yaml

import tenfold
from tenfold import errors
from tenfold.apps.line import part, station
from tenfold.catalog.picks import REASONS
from tenfold.cli import app
from tenfold.cli.output import EXIT_CODES, NOT_ACCEPTED
from tenfold.factory.judge import Status
from tenfold.factory.ladder import LADDERS, VIEWS_OF
from tenfold.formats import FORMATS
from tenfold.formats.csv_table import NAMES as COLUMNS
from tenfold.heads import HEADS
from tenfold.loop.retrain import Rule as RetrainRule
from tenfold.loop.review import Rule as ReviewRule
from tenfold.loop.rollout import Costs
from tenfold.loop.rollout import Rule as RolloutRule
from tenfold.loop.spec import LoopSpec
from tenfold.loop.watch import KINDS as WATCHED
from tenfold.loop.watch import Rule as WatchRule
from tenfold.settings import Settings
from tenfold.specs import fleet
from tenfold.specs.bar import Bar
from tenfold.specs.task import Budget, Question, Shares, TaskSpec, parse
from tenfold.trunks import TRUNKS
from tenfold.trunks.user_onnx import TrunkSpec

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
PAGE_NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
MACHINE_PATH = re.compile(r"(?<![\w.~<])/(?:tmp|work|root|home|Users|mnt|var)/")

each_page = pytest.mark.parametrize("page", PAGES, ids=PAGE_NAMES)


def words_in(name):
    """What stands between back-ticks on a page."""
    text = (DOCS / name).read_text(encoding="utf-8")
    return set(re.findall(r"`([^`\n]+)`", text))


def commands(group, above=""):
    """Full names and options of every command, as typer knows them."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{above}{name} ")
        else:
            options = [o for p in command.params for o in p.opts if o.startswith("--")]
            yield f"{above}{name}", options


@pytest.mark.parametrize(("name", "options"), list(commands(typer.main.get_command(app))))
def test_every_command_and_option_is_documented(name, options):
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| `tenfold {name}[ `].*$", text, re.MULTILINE)
    assert row, f"docs/commands.md has no row for tenfold {name}."
    missing = [o for o in options if o not in ("--help", "--json") and o not in row.group()]
    assert not missing, f"docs/commands.md: tenfold {name} lacks {', '.join(missing)}."


def test_every_exit_code_is_documented_with_its_error():
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    codes = {f"| {code} | `{kind.__name__}` |" for kind, code in EXIT_CODES.items()}
    codes |= {f"| {NOT_ACCEPTED} | `NOT_ACCEPTED` |", "| 0 |", "| 1 |", "| 2 |", "| 130 |"}
    assert not {code for code in codes if code not in text}
    kinds = {k for k in vars(errors).values() if isinstance(k, type)} - {errors.TenfoldError}
    assert kinds == set(EXIT_CODES)


def test_every_setting_is_documented_with_its_default():
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    for field in fields(Settings):
        row = re.search(rf"^\| `TENFOLD_{field.name.upper()}` .*$", text, re.MULTILINE)
        assert row, f"docs/settings.md has no row for {field.name}."
        default = f"{field.default:g}" if isinstance(field.default, float) else str(field.default)
        assert default in row.group(), f"docs/settings.md: default of {field.name} is {default}."


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("fleets.md", {*fleet.FleetSpec.model_fields, *fleet.FleetBudget.model_fields}),
        ("tasks.md", {*TaskSpec.model_fields, *Question.model_fields, *Bar.model_fields}),
        ("tasks.md", {*Shares.model_fields, *Budget.model_fields, *VIEWS_OF, *LADDERS}),
        ("tasks.md", {*HEADS, *FORMATS, *(n for names in COLUMNS.values() for n in names)}),
        ("trunks.md", {*TrunkSpec.model_fields, *TRUNKS}),
        (
            "loop.md",
            {*LoopSpec.model_fields, *Costs.model_fields, *WATCHED}
            | {*RetrainRule.model_fields, *RolloutRule.model_fields, *WatchRule.model_fields},
        ),
        ("line.md", {*station.StationSpec.model_fields, *part.PartSpec.model_fields}),
        ("line.md", {*part.RegionSpec.model_fields, *station.FROM_STATION}),
        ("review.md", {*ReviewRule.model_fields, *REASONS}),
    ],
    ids=[
        "fleet",
        "task",
        "parts and choices",
        "heads and formats",
        "trunks",
        "loop",
        "station and part",
        "regions and words",
        "review",
    ],
)
def test_every_name_has_its_place_in_the_docs(page, names):
    missing = sorted(names - words_in(page))
    assert not missing, f"docs/{page} does not name {', '.join(missing)}."


def test_the_table_of_rungs_is_the_ladder():
    text = (DOCS / "tasks.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| (\w+) \| `(\w+)` \| `(\w+)` \|", text, re.MULTILINE)
    assert told == [(k, r.name, r.recipe) for k, rungs in LADDERS.items() for r in rungs]


def test_every_verdict_is_explained():
    text = (DOCS / "verdicts.md").read_text(encoding="utf-8")
    for status in Status.__args__:
        assert f"| {status} |" in text


def test_every_verb_of_the_package_is_in_the_readme():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [name for name in tenfold.__all__ if f"`{name}`" not in text]
    assert not missing, f"README.md does not name {', '.join(missing)}."


@each_page
def test_code_in_the_docs_holds(page):
    for language, code in FENCE.findall(page.read_text(encoding="utf-8")):
        if language == "python":
            ast.parse(code)
        elif language == "yaml" and code.lstrip("# ").startswith("task:"):
            parse(code, where=page.name)
        elif language == "yaml" and code.lstrip("# ").startswith("fleet:"):
            fleet.parse(code, where=page.name)
        elif language == "yaml" and code.startswith("station:"):
            station.parse(code, where=page.name)
        elif language == "yaml" and code.startswith("part:"):
            part.parse_part(code, where=page.name)
        elif language == "yaml":
            TrunkSpec.model_validate(yaml.safe_load(code))


@each_page
def test_links_lead_somewhere(page):
    for target in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), f"{page.name} links to {target}."
        if anchor:
            titles = HEADING.findall(there.read_text(encoding="utf-8"))
            assert anchor in map(_anchor, titles), f"{page.name} links to {target}."


@each_page
def test_no_path_of_somebodys_machine(page):
    found = MACHINE_PATH.search(page.read_text(encoding="utf-8"))
    assert not found, f"{page.name}: {found.group()}"


@each_page
def test_one_sentence_per_line(page):
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    for line in text.splitlines():
        if not line.startswith(("|", "<", "    ")):
            assert not re.search(r"[a-z)`]\. [A-Z]", line), f"{page.name}: {line}"


def test_every_decision_is_linked_from_a_page():
    linked = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    lost = [page.name for page in (DOCS / "decisions").glob("*.md") if page.name not in linked]
    assert not lost, f"nothing links to {', '.join(lost)}."


def test_measured_tables_are_up_to_date():
    command = [sys.executable, str(ROOT / "benchmarks" / "tables.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    code = next(code for language, code in FENCE.findall(text) if language == "python")
    shutil.copytree(ROOT / "tests" / "data" / "image_folder", tmp_path / "caps")
    shutil.copytree(ROOT / "tests" / "data" / "image_folder" / "good", tmp_path / "new")
    (tmp_path / "caps.yaml").write_text(
        "task: caps\nkind: anomaly\ndataset: caps\nquestion: {negative: [good]}\nrung: subspace\n"
    )
    monkeypatch.setenv("TENFOLD_HOME", str(tmp_path / "home"))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Taught" in done.stdout


def _anchor(title):
    """How GitHub names a heading."""
    plain = re.sub(r"[^\w\- ]", "", title.strip().lower())
    return plain.replace(" ", "-")
