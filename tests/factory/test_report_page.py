"""The report of a make: what a reader must find, and what must never happen to the page."""

import io
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from tenfold.errors import DataError
from tenfold.factory.report import (
    BoundLine,
    Confusion,
    DatasetSummary,
    Exhibit,
    JudgedScores,
    Lineage,
    ModelReport,
    Quarantined,
    ReportData,
    RungLine,
    SplitLine,
    VerdictLines,
    charts,
    render,
)
from tenfold.factory.report.words import THIN, duration, percent_up, size

EVIL = "<script>alert(1)</script>\"'&{{7*7}}"


class Page(HTMLParser):
    """Tags, attributes and words of a page as a browser would meet them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def picture(seed: int = 0, side_px: int = 64) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side_px, side_px, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def judged(*, positives: int = 40, negatives: int = 160) -> JudgedScores:
    rng = np.random.default_rng(3)
    scores = np.concatenate([rng.beta(6, 2, positives), rng.beta(2, 6, negatives)])
    truth = np.arange(positives + negatives) < positives
    return JudgedScores(scores, truth, threshold=0.45)


def model(name: str = "caps", **changes: object) -> ModelReport:
    bounds = (
        BoundLine("escape", "defects passed as good", 0.15, errors=2, n=40, upper=0.1489),
        BoundLine("overkill", "good parts rejected", 0.25, errors=20, n=160, upper=0.178),
    )
    made = ModelReport(
        name=name,
        kind="classify, two classes",
        decides="Says whether a cap is damaged.",
        verdict=VerdictLines(
            "accepted", "Accepted: at most 14.9 % escape.", ("Serve it.",), bounds
        ),
        lineage=Lineage("m1", "s1", "q1", "classify_linear", "lite2", "fp32", "openvino", 7, "0.1"),
        measures={"AUC": 0.95},
        scores=judged(),
        splits=(SplitLine("judge", {"good": 160, "defect": 40}),),
        mistakes=(Exhibit("a/b.png", "defect", "good", 0.1, picture()),),
        rungs=(RungLine("linear", 0.9, "kept", 1.2, is_chosen=True),),
        seconds={"fit": 1.2},
        bytes={"head": 17_800},
    )
    return replace(made, **changes)


def report(*models: ModelReport, **changes: object) -> ReportData:
    dataset = DatasetSummary("caps", "s1", {"good": 640, "defect": 160})
    when = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    return replace(ReportData("Caps", when, dataset, models), **changes)


def test_verdict_comes_before_next_steps_before_evidence():
    text = Page(render(report(model()))).text
    order = ["Accepted: at most 14.9 %", "Serve it.", "Where do scores fall?", "Worst mistakes"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_page_asks_no_host_and_runs_nothing():
    page = Page(render(report(model(), model("lids"))))
    addresses = [v for name, v in page.attributes if name in ("src", "href", "srcset", "action")]
    assert addresses
    assert all(a.startswith(("data:image/jpeg;base64,", "#")) for a in addresses)
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert any("default-src 'none'" in value for _, value in page.attributes)


def test_names_of_strangers_stay_text():
    confusion = Confusion((EVIL, "b"), np.array([[3, 1], [2, 4]]))
    evil = model(
        EVIL,
        kind=EVIL,
        decides=EVIL,
        confusion=confusion,
        verdict=VerdictLines("refused", EVIL, (EVIL,), (BoundLine(EVIL, EVIL, 0.1, 1, 9, 0.4),)),
        scores=replace(judged(), positive=EVIL, negative=EVIL),
        mistakes=(Exhibit(EVIL, EVIL, EVIL, 0.5, picture()),),
        splits=(SplitLine(EVIL, {EVIL: 3}),),
        rungs=(RungLine(EVIL, None, EVIL, 0.1),),
        measures={EVIL: 0.1},
        seconds={EVIL: 1.0},
    )
    dataset = DatasetSummary(EVIL, EVIL, {EVIL: 3}, (Quarantined(EVIL, EVIL),), 0, ((EVIL, EVIL),))
    html = render(report(evil, evil, title=EVIL, dataset=dataset))
    page = Page(html)
    assert "script" not in page.tags
    assert "<script" not in html
    assert EVIL in page.text


def test_normals_only_says_escape_unproven_and_draws_no_roc():
    unproven = BoundLine("escape", "defects passed as good", 0.05, errors=0, n=0, upper=None)
    taught = VerdictLines("taught", "Taught, not accepted.", (), (unproven,))
    scores = replace(judged(positives=0), threshold=1.0)
    only_good = model(verdict=taught, scores=scores, mistakes=())
    text = Page(render(report(only_good))).text
    assert "unproven" in text
    assert "no defect pictures judged" in text
    assert "Can an alarm be trusted?" not in text
    assert "No mistakes on judge" in text


def test_fleet_opens_with_a_table_linking_to_each_model():
    page = Page(render(report(model("caps"), model("lids"), expected_false_acceptances=0.1)))
    links = [v for name, v in page.attributes if name == "href" and v.startswith("#model-")]
    anchors = [v for name, v in page.attributes if name == "id"]
    assert [link[1:] for link in links] == ["model-1", "model-2"]
    assert set(anchors) >= {"model-1", "model-2"}
    assert "at most 0.1 of 2 models" in page.text.replace(THIN, " ")


def test_many_large_pictures_stay_within_three_megabytes_and_are_counted():
    big = tuple(Exhibit(f"{i}.png", "a", "b", 0.1, picture(i, side_px=400)) for i in range(14))
    html = render(report(*(model(f"m{i}", mistakes=big, mistake_count=14) for i in range(25))))
    assert len(html.encode()) < 3_000_000
    shown = html.count('src="data:')
    left_out = sum(int(n) for n in re.findall(r"(\d+) more mistake", html))
    assert 0 < shown < 350
    assert shown + left_out == 350


def test_mistakes_without_pictures_are_still_counted():
    confusion = Confusion(("a", "b"), np.array([[5, 2], [1, 5]]))
    text = Page(render(report(model(scores=None, confusion=confusion, mistakes=())))).text
    assert "3 mistakes, no picture kept" in text
    assert "No mistakes" not in text


def test_eighty_one_classes_list_the_most_confused_pairs():
    counts = np.eye(81, dtype=int) * 5
    counts[3, 7] = 9
    names = tuple(f"kind {i}" for i in range(81))
    html = render(report(model(scores=None, confusion=Confusion(names, counts))))
    text = Page(html).text
    assert "kind 3 → kind 7 9 of 14" in text
    assert "Confusion matrix" not in html


def test_rates_at_the_threshold_are_counted_as_the_decision_is():
    scores = JudgedScores(np.array([0.1, 0.5, 0.5, 0.9]), np.array([0, 0, 1, 1]) == 1, 0.5)
    escape, overkill, precision = charts.rates(scores).at(0.5)
    assert (escape, overkill) == (0, 0.5)
    assert precision == pytest.approx(2 / 3)
    assert charts.area_under_roc(scores) == pytest.approx(0.875)


def test_region_of_the_bar_is_exactly_where_both_limits_hold():
    scores = judged()
    span = charts.workable(charts.rates(scores), (0.1, 0.1))
    assert span is not None
    for threshold in (*np.linspace(*span, 9)[1:], span[1]):
        assert (scores.scores[scores.is_positive] < threshold).mean() <= 0.1
        assert (scores.scores[~scores.is_positive] >= threshold).mean() <= 0.1
    assert charts.workable(charts.rates(scores), (0.0, 0.0)) is None


@pytest.mark.parametrize("threshold", [0.3, 1.0, 250.0, -2.0])
@pytest.mark.parametrize("scores", [[0.3], [0.3, 0.3, 0.3], [0.0, 1e-9], [1.0, 2.0, 900.0]])
def test_charts_survive_any_scores(scores, threshold):
    truth = np.arange(len(scores)) == 0
    found = JudgedScores(np.array(scores), truth, threshold)
    for drawn in (charts.histogram(found), charts.trade_off(found, limits=(0.1, None))):
        assert "nan" not in drawn
        assert "inf" not in drawn


def test_upper_bounds_never_read_lower_than_they_are():
    assert percent_up(0.0501) == f"5.1{THIN}%"
    assert percent_up(0.041) == f"4.1{THIN}%"
    assert percent_up(None) == "–"
    assert duration(75) == f"1{THIN}min 15{THIN}s"
    assert size(17_800) == f"17.8{THIN}kB"


def test_nonsense_is_refused():
    with pytest.raises(DataError, match="9 errors of 4"):
        BoundLine("escape", "defects passed", 0.1, errors=9, n=4, upper=0.5)
    with pytest.raises(DataError, match="NaN"):
        JudgedScores(np.array([np.nan]), np.array([True]), 0.5)
    with pytest.raises(DataError, match="2 classes"):
        Confusion(("a", "b"), np.zeros((3, 3), dtype=int))
