"""What the core says in English has its Chinese, and is found quickly."""

import ast
import asyncio
import re
import time
from collections import Counter

import httpx
import pytest

import sayings
from sayings import shape
from tenfold.catalog import accounts, datasets, deployments
from tenfold.errors import TenfoldError
from tenfold.factory.plan import plan
from tenfold.factory.read_images import read_images
from tenfold.formats import image_folder
from tenfold.formats.pixels import decode
from tenfold.specs import task as tasks
from tenfold.specs import yaml_file
from tenfold.web.console import retold
from tenfold.web.console.retold import told_table
from tenfold.web.console.text import Text
from tenfold.web.hub_app import created

STARTS = ("tenfold.web.hub", "tenfold.web.console")
MODULES = sayings.reached(tuple(module for module in sayings.files() if module.startswith(STARTS)))
"""What a hub can import. The others are commands, and what commands alone use."""
COMMANDS_ALONE = {
    "tenfold.cli": "the commands",
    "tenfold.formats": "tools for labelling, which commands alone ask: cvat, label_studio",
    "tenfold.loop": "exchanging pictures with those tools",
    "tenfold.trunks": "adding one from a file or a network",
    "tenfold.factory": "tables of thresholds and economics that commands print",
    "tenfold.metrics": "measures of score maps, which benchmarks use",
    "tenfold.catalog": "migrations, which say nothing",
    "tenfold.apps": "stations, which run beside the hub",
    "tenfold.serving": "the desk, at which stations ask",
}
TOLD, FOREIGN = sayings.said_by(MODULES)
TABLE = told_table()
HOLE = re.compile(r"\{(\w+)\}")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
LETTERS = re.compile("[A-Za-z]")
COMMAND = re.compile(r"(POST|Content-Type:|curl) \S+.*")
SHAPES = Counter(map(shape, TABLE))
EN, ZH = Text("en"), Text("zh")
HANDED_ON = {
    ("tenfold.apps.line.asked", "first_of(error, root='body')[1]"),
    ("tenfold.apps.line.teach", "left_out[0] if left_out else 'Show more good parts.'"),
    ("tenfold.catalog.faults", "told.hint"),
    ("tenfold.engine.outcomes", "message"),
    ("tenfold.engine.ray_cluster", "words"),
    ("tenfold.factory.asked", "error.hint"),
    ("tenfold.factory.proposing", "first_of(error)[1]"),
    ("tenfold.factory.uploads", "str(error.args[0])"),
    ("tenfold.heads", "str(error)"),
    ("tenfold.ledger.in_force", "first_of(error)[1]"),
    ("tenfold.ledger.in_force", "headcount.HINT"),
    ("tenfold.ledger.in_force", "price.HINT"),
    ("tenfold.runtime", "hint"),
    ("tenfold.serving.protocol", "f\"{first['msg']}.\""),
    ("tenfold.specs.yaml_file", "hint"),
    ("tenfold.specs.yaml_file", "message"),
    ("tenfold.web.api.accounts", "'; '.join(wrong)"),
}
"""Said by others: by an error before, by Pydantic, Ray or Python, or by a caller whose own hint is
read where it stands."""
FROM_THE_SYSTEM = {
    "No such file or directory",
    "Permission denied",
    "Read-only file system",
    "No space left on device",
    "Input/output error",
    "Address already in use",
}
RUN_TOGETHER = "more per answer than live"
"""Of two lines that the source puts together from pieces; test_console_retold.py has it said."""


def source():
    """Every string below the modules, in small letters."""
    nodes = (node for module in MODULES for node in ast.walk(sayings.tree(module)))
    texts = (node.value for node in nodes if isinstance(node, ast.Constant))
    return "\n".join(text for text in texts if isinstance(text, str)).lower()


def test_everything_that_is_not_looked_at_is_for_commands_alone():
    left = {".".join(module.split(".")[:2]) for module in set(sayings.files()) - MODULES}
    assert left <= set(COMMANDS_ALONE)


@pytest.mark.parametrize("module", sorted({saying.at.split(":")[0] for saying in TOLD}))
def test_what_a_file_says_is_in_the_table(module):
    missing = {
        s.text: s.at for s in TOLD if s.at.startswith(f"{module}:") and s.shape not in SHAPES
    }
    lines = [f'{at}: add to told.yaml: "{text}": ""' for text, at in missing.items()]
    assert not lines, "\n".join(lines)


def test_what_cannot_be_read_from_the_source_is_known():
    assert set(HANDED_ON) == set(FOREIGN)


def test_what_pydantic_means_is_in_the_table():
    assert {shape(text) for text in yaml_file.PLAIN.values()} <= set(SHAPES)


def test_every_line_is_said_somewhere():
    said, text = {saying.shape for saying in TOLD}, source()
    idle = [
        english
        for english in TABLE
        if shape(english) not in said
        and english not in FROM_THE_SYSTEM
        and RUN_TOGETHER not in english
        and not all(part.lower().strip(" .,;:") in text for part in HOLE.split(english)[::2])
    ]
    assert not idle, "\n".join(idle)


def test_no_sentence_is_there_twice():
    assert [text for text, times in SHAPES.items() if times > 1] == []


@pytest.mark.parametrize("english", TABLE)
def test_a_line_has_the_same_holes_in_chinese(english):
    chinese, holes = TABLE[english], HOLE.findall(english)
    assert sorted(HOLE.findall(chinese)) == sorted(set(holes))
    assert len(set(holes)) == len(holes)
    assert (
        CHINESE.search(chinese)
        or COMMAND.fullmatch(chinese)
        or not LETTERS.search(HOLE.sub("", english))
    )


def error_of(verb, *given, **named):
    with pytest.raises(TenfoldError) as caught:
        verb(*given, **named)
    return caught.value


TASK = "task: cracks\ndataset: cells\nkind: classify\nquestion: {positive: [cracked]}\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{TASK}tsak: 1\n", "tsak：没有这个键。"),
        (f"{TASK}bar: {{escape: 2}}\n", "bar.escape：必须小于 1，而不是 2。"),
        (f"{TASK}seed: many\n", "seed：应为整数，而不是“many”。"),
        (TASK.replace("classify", "guess"), "kind：只能是“classify”或“anomaly”，而不是“guess”。"),
        (TASK.replace("task: cracks\n", ""), "task：必须填写。"),
        (f"{TASK}task: two\n", "“task”出现了两次。"),
        ("cracks", "应为“名称: 值”的行。"),
    ],
)
def test_a_wrong_task_is_told_in_chinese(text, told):
    error = error_of(tasks.parse, text, where="task.yaml")
    assert retold.retold(ZH, error.args[0]) == told
    assert retold.advice(ZH, error) in ("", "docs/tasks.md 列出了所有键。")


def test_errors_of_a_workspace_are_told_in_chinese(line):
    scope = line.scope
    error = error_of(datasets.get, scope, "nope")
    assert retold.problem(ZH, error) == "没有数据集“nope”。"
    assert retold.advice(ZH, error) == "`tenfold ls` 可列出现有的内容。"
    error = error_of(deployments.get, scope, "station-7/cap")
    assert retold.problem(ZH, error) == "没有名为“station-7/cap”的部署。"
    error = error_of(accounts.create, scope, "ann", "short", role="owner")
    assert "密码应有 10 至" in retold.problem(ZH, error)
    task = tasks.parse(TASK.replace("cracked", "dented"), where="task")
    error = error_of(plan, line, task)
    assert retold.problem(ZH, error).startswith(
        "任务 cracks，question：没有样本的标签是“dented”；现有"
    )


def test_a_place_a_sentence_and_its_advice_are_told_from_one_text():
    error = error_of(decode, b"\x89PNG\r\n\x1a\n", where="a b/c.png", max_pixels=10)
    told = retold.retold(ZH, str(error))
    job = "task cap, question: no sample is labelled 'x'; there are a, b."
    assert retold.retold(ZH, job) == "任务 cap，question：没有样本的标签是“x”；现有 a, b。"
    assert told.startswith("a b/c.png：")
    assert told.endswith("请从来源处重新复制。")


def test_what_is_set_aside_is_told_in_chinese(tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "notes.txt").write_text("words")
    rows = image_folder.read(tmp_path)
    for one in read_images(rows):
        assert CHINESE.search(retold.retold(ZH, one.detail)), one


def test_what_nobody_translated_stays():
    words = "looks right to me, ann: see lot 7. It was the lamp."
    assert retold.retold(ZH, words) == words
    assert retold.retold(EN, words) == words
    assert retold.retold(EN, "station-7/cap is retired.") == "station-7/cap is retired."
    assert retold.retold(EN, "its latency was not measured.") == "Its latency was not measured."
    assert retold.retold(ZH, "Station/7 is retired.") == "Station/7 已下线。"


def test_words_that_are_no_sentence_are_not_taken_for_one():
    assert retold.retold(ZH, "note: it is broken.") == "note: it is broken."


def test_a_long_timeline_is_retold_at_once():
    line = "{} of 4000 answers failed; 95 % took at most {} ms."
    rows = [line.format(i, i) for i in range(500)]
    rows += [f"somebody wrote: lot {i} is odd. See there: and here. And more." for i in range(500)]
    retold.sentences()
    begins = time.perf_counter()
    for row in rows:
        retold.retold(ZH, row)
    assert time.perf_counter() - begins < 1.0, "50 rows take more than 50 ms"


def test_routes_answer_a_page_in_its_language_and_a_program_in_english(line):
    app = created(line, None)
    app.add_exception_handler(TenfoldError, retold.answered)

    async def told(**headers):
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as one:
            return await one.get("/api/datasets/nope", headers=headers)

    chinese = asyncio.run(told(**{"Accept-Language": "zh-CN,zh;q=0.9"}))
    assert chinese.status_code == 404
    assert chinese.json()["error"].startswith("没有数据集“nope”。")
    assert asyncio.run(told()).json()["error"].startswith("no dataset 'nope'.")
