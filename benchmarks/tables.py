"""Write the measured tables of README.md and docs/ from `benchmarks/results/*.json`.

    python benchmarks/tables.py            # rewrite what lies between the markers
    python benchmarks/tables.py --check    # exit 1 and say where they differ

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; NAME is a key of `TABLES` and a
result file. What was not measured says so.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from run_all import SCRIPTS

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
NOT_YET = "not measured yet"

Row = tuple[str, str, str]
"""What it is, key in the JSON (dots go deeper), how it is written."""

ELPV: list[Row] = [
    ("accuracy, first rung", "linear_accuracy", "{:.3f}"),
    ("seconds from files to verdict, first rung, nothing cached", "linear_cold_seconds", "{:.1f}"),
    ("the same with features cached", "linear_warm_seconds", "{:.1f}"),
    ("accuracy, best rung", "accuracy", "{:.3f}"),
    ("seconds from files to verdict, best rung, nothing cached", "cold_seconds", "{:.0f}"),
    ("the same with features cached", "warm_seconds", "{:.1f}"),
]
ANOMALY: list[Row] = [
    ("image AUROC on magnetic tiles", "magnetic_tile_auroc", "{:.3f}"),
    ("image AUROC, ours minus the better peer (anomalib 2.7)", "auroc_delta", "{:+.3f}"),
    ("times faster to fit than PaDiM, from files", "fit_speedup_cold", "{:.1f}"),
    ("peak memory at 10,000 pictures, MB", "peak_mb_10k_images", "{:,.0f}"),
]
EMBED: list[Row] = [
    ("pictures a second, files on disk to features on disk", "images_per_second", "{:.0f}"),
    ("pictures a second of the bare trunk", "trunk_images_per_second", "{:.0f}"),
    ("ratio of the two, worst case", "ratio", "{:.2f}"),
]
FALSE_ACCEPTANCE: list[Row] = [
    ("alpha", "alpha", "{:.3f}"),
    ("lineages simulated", "lineages", "{:,}"),
    ("judgings", "judgings", "{:,}"),
    ("lineages with a false acceptance, a head exactly at its bar", "false_acceptance", "{:.4f}"),
    ("of somebody who follows the advice on labels", "false_acceptance_advised", "{:.4f}"),
    ("if every look spent alpha", "if_every_look_spent_alpha", "{:.4f}"),
    ("if every picture of a lot counted", "if_every_picture_of_a_lot_counted", "{:.4f}"),
]

CONSOLE: list[Row] = [
    ("from a key to the next picture of a review, 95th percentile, ms", "review_p95_ms", "{:.0f}"),
    ("the same, median, ms", "review_p50_ms", "{:.0f}"),
    ("gallery of 100,000 pictures, first picture, ms", "gallery_first_paint_ms", "{:.0f}"),
    ("slowest screen, ms", "slowest_screen_ms", "{:.0f}"),
    ("home, ms", "screens_ms./", "{:.0f}"),
    (
        "answers a second beside ten open browsers, of those without",
        "serving_with_browsers",
        "{:.2f}",
    ),
    ("memory of the hub, MB", "hub_memory_mb", "{:.0f}"),
]

LINE: list[Row] = [
    (
        "seconds to teach 8 regions from 30 good pictures, the whole command",
        "teach_seconds",
        "{:.1f}",
    ),
    ("trigger to output, 8 regions, median, ms", "p50_ms", "{:.0f}"),
    ("the same, 99.9th percentile, ms", "p999_ms", "{:.0f}"),
    ("parts timed", "parts", "{:,}"),
    ("share of it outside grab, decoding, trunk and heads", "outside_share", "{:.2f}"),
    ("of it heads, median, ms", "stages_ms.heads", "{:.0f}"),
    ("of it alignment, median, ms", "stages_ms.align", "{:.0f}"),
    ("parts a second, 8 regions", "parts_per_s_8", "{:.1f}"),
    ("parts a second, 1 region", "parts_per_s_1", "{:.1f}"),
    ("changing over at random among 2,000 part numbers, 99 %, ms", "changeover_p99_ms", "{:.0f}"),
]

LINE_QUALITY: list[Row] = [
    ("screws there or missing, 4 positions, stored test split", "screw_accuracy", "{:.3f}"),
    ("boards, official test split: boxes found at IoU 0.33", "board_box_recall", "{:.3f}"),
    ("the same: false boxes a board", "board_false_boxes", "{:.2f}"),
]

LINE_FAULTS: list[Row] = [
    ("parts that came", "parts", "{:,}"),
    ("got a verdict before the gate", "judged", "{:,}"),
    ("the station killed (-9)", "kills", "{:,}"),
    ("the controller's cable cut or hanging", "disconnections", "{:,}"),
    ("the camera lost", "camera_losses", "{:,}"),
    ("the disk full", "full_disks", "{:,}"),
    ("left without a verdict", "released_unjudged", "{:,}"),
    ("left on another part's release", "released_wrong_part", "{:,}"),
    ("bad parts that left", "released_bad", "{:,}"),
    ("verdicts or releases that the journal does not hold", "lost_verdicts", "{:,}"),
    ("seconds from a kill to the next part that is judged, median", "restart_s", "{:.1f}"),
    ("the same from the cable's mending", "reconnect_s", "{:.1f}"),
    ("the same from the camera's return", "camera_back_s", "{:.1f}"),
    ("the same from the first free byte", "disk_back_s", "{:.1f}"),
    ("parts a second", "parts_per_s", "{:.0f}"),
]

LOOP: list[Row] = [
    ("seeds, each with both arms", "seeds", "{:,}"),
    ("answers from the new light to the first alarm", "images_to_alarm", "{:,.0f}"),
    ("alarms before anything changed, all streams", "false_alarms", "{:,}"),
    (
        "labels after the new light until within the bar, queue",
        "labels_after_light_queue",
        "{:,.0f}",
    ),
    ("lines that never were, of the seeds", "not_back_after_light_queue", "{:,}"),
    ("labels, drawn by lot", "labels_after_light_random", "{:,.0f}"),
    ("lines that never were, of the seeds", "not_back_after_light_random", "{:,}"),
    (
        "labels after the unseen type until within the bar, queue",
        "labels_after_type_queue",
        "{:,.0f}",
    ),
    ("lines that never were, of the seeds", "not_back_after_type_queue", "{:,}"),
    ("labels, drawn by lot", "labels_after_type_random", "{:,.0f}"),
    ("lines that never were, of the seeds", "not_back_after_type_random", "{:,}"),
    ("labels drawn by lot for one of the queue, both changes", "label_saving", "{:.1f}"),
    (
        "minutes of computing from an alarm to a promotion, no person",
        "minutes_to_promotion",
        "{:.2f}",
    ),
    ("answers from an alarm to a promotion", "images_to_promotion", "{:,.0f}"),
    ("promotions", "promotions", "{:,}"),
    ("of a head whose true error is worse by more than the margin", "worse_live", "{:,}"),
]

FLEET: list[Row] = [
    ("models", "models", "{:,}"),
    ("different questions; the others are variants of them", "questions", "{:,}"),
    ("seconds, features cached", "total_seconds", "{:,.0f}"),
    (
        "linear heads a second: fit, calibrate, judge, package, register",
        "linear_per_second",
        "{:.1f}",
    ),
    ("the same, from the command's start to its end", "linear_whole_per_second", "{:.1f}"),
    ("anomaly heads with patch maps a second", "anomaly_per_second", "{:.1f}"),
    ("the same, from the command's start to its end", "anomaly_whole_per_second", "{:.1f}"),
    ("peak memory of all processes, MB", "peak_rss_mb", "{:,.0f}"),
    ("time of the last 1,000 over that of the first", "last_1000_over_first_1000", "{:.2f}"),
    ("bytes a linear model, everything counted", "bytes_per_linear", "{:,.0f}"),
    ("bytes an anomaly model", "bytes_per_anomaly", "{:,.0f}"),
    ("share accepted", "accepted_share", "{:.2f}"),
    ("share of CPU time that fits", "share_fit", "{:.2f}"),
    ("that judges", "share_judge", "{:.2f}"),
    ("that packages", "share_package", "{:.2f}"),
    ("that records", "share_catalog", "{:.2f}"),
]
ENGINES: list[Row] = [
    ("models", "models", "{:,}"),
    ("seconds, one core of this machine", "seconds.local_1", "{:.1f}"),
    ("two cores", "seconds.local_2", "{:.1f}"),
    ("Ray on one core", "seconds.ray_1", "{:.1f}"),
    ("Ray on two cores", "seconds.ray_2", "{:.1f}"),
    ("seconds a model that Ray takes longer, its start included", "overhead_per_model", "{:.3f}"),
    ("times faster with two cores", "scaling.local", "{:.2f}"),
    ("times faster with two cores, Ray", "scaling.ray", "{:.2f}"),
]
SERVING: list[Row] = [
    ("deployed heads, 5 % of them anomaly heads", "models", "{:,}"),
    ("private memory of the server, MB", "anon_mb", "{:,.0f}"),
    ("seconds until it is ready", "ready_seconds", "{:.1f}"),
    ("95th percentile of latency against one model alone", "p95_ratio", "{:.2f}"),
    ("answers a second against one model alone", "throughput_ratio", "{:.2f}"),
    ("pictures a second over HTTP against the bare trunk", "saturation_ratio", "{:.2f}"),
    ("share of an answer outside decode, trunk and head, idle", "overhead_idle", "{:.2f}"),
    ("the same and outside the queue, under load", "overhead_load", "{:.2f}"),
    ("memory of 100 whole networks against ours with 100 heads", "memory_ratio", "{:.1f}"),
    ("pictures a second of a panel of 20 heads against 20 networks", "panel_ratio", "{:.1f}"),
]
WATCH_NULL: list[Row] = [
    ("streams of 10,000 answers", "null_streams", "{:,}"),
    ("with an alarm", "alarms", "{:,}"),
    ("probability of an alarm", "alarm_probability", "{:.3f}"),
    ("the same at most, at 95 % confidence", "alarm_probability_upper", "{:.3f}"),
    (
        "average run length, answers (at least, at 95 % confidence, where nothing was alarmed)",
        "average_run_length",
        "{:,}",
    ),
]
FAULTS: list[Row] = [
    ("malformed requests", "malformed", "{:,}"),
    ("of them not answered by a 4xx with its reason", "not_refused", "{:,}"),
    ("crashes", "crashes", "{:,}"),
    ("private memory after against before", "memory_ratio", "{:.3f}"),
    ("kill -9 under load, durable", "kills", "{:,}"),
    ("answers given", "answers", "{:,}"),
    ("lost", "lost", "{:,}"),
    ("recorded twice", "doubled", "{:,}"),
    ("wrong", "wrong", "{:,}"),
    ("difference between ledger and record", "booked_gap", "{:,}"),
]


def main() -> None:
    asked = _options()
    differing: list[str] = []
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        fresh = BLOCK.sub(_block, text)
        if fresh == text:
            continue
        differing.append(str(path.relative_to(ROOT)))
        if not asked.check:
            path.write_text(fresh, encoding="utf-8")
    if asked.check and differing:
        sys.exit(f"{', '.join(differing)}: tables differ; run python benchmarks/tables.py.")
    print(", ".join(differing) or "nothing to change")


def table(name: str) -> str:
    """The Markdown of one table; `not measured yet` where its result file is missing."""
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        return f"{NOT_YET}: `python benchmarks/run_all.py {name}`\n"
    result = json.loads(path.read_text(encoding="utf-8"))
    lines = [*TABLES[name](result), "", _origin(name, result)]
    return "\n".join(lines) + "\n"


def rows(shown: list[Row]) -> Callable[[dict[str, Any]], list[str]]:
    def write(result: dict[str, Any]) -> list[str]:
        return _markdown(("what", "measured"), [_row(result, one) for one in shown])

    return write


def sets(result: dict[str, Any]) -> list[str]:
    """One line for each labelled set."""
    found = result.get("sets", {})
    each = found.items() if isinstance(found, dict) else [(one.get("name"), one) for one in found]
    lines = [
        (
            str(name),
            str(one.get("verdict", "–")),
            _written(one.get("accuracy"), "{:.3f}"),
            _written(one.get("seconds"), "{:.0f}"),
        )
        for name, one in each
    ]
    return _markdown(("set", "verdict", "accuracy", "seconds"), lines)


def misses(result: dict[str, Any]) -> list[str]:
    """One line for each type of defect, what was developed on last, then the medians."""
    by_name = {
        f"{case}: {name}": rates
        for part in ("reported", "development")
        for case, types in result.get("sets", {}).items()
        for name, rates in types.items()
        if rates["part"] == part and rates["seeds_with_ten_misses"]
    }
    by_name["median of those reported"] = {"part": "", **result.get("overall", {})}
    by_name["median of development"] = {"part": "", **result.get("overall_development", {})}
    counts = ("before", "after_1", "after_3", "after_10")
    lines = [
        (
            name,
            rates["part"],
            *(_written(rates.get(f"recall_{count}"), "{:.2f}") for count in counts),
            *(_written(rates.get(f"overkill_{count}"), "{:.3f}") for count in counts),
        )
        for name, rates in by_name.items()
    ]
    words = ("before", "1", "3", "10")
    head = ("type", "part", *(f"recall, {w}" for w in words), *(f"overkill, {w}" for w in words))
    return _markdown(head, lines)


def changes(result: dict[str, Any]) -> list[str]:
    """Null streams, then one line for each change."""
    lines = [_row(result, row) for row in WATCH_NULL]
    found = [
        (
            name.replace("_", " "),
            _written(change["found_share"], "{:.2f}"),
            str(change["median_delay_images"] or "not found"),
            ", ".join(f"{kind} {count}" for kind, count in change["found_by"].items()) or "–",
        )
        for name, change in result.get("changes", {}).items()
    ]
    head = ("change", "found", "median delay, pictures", "first alarm, streams")
    return [*_markdown(("nothing changes", "measured"), lines), "", *_markdown(head, found)]


def catalog(result: dict[str, Any]) -> list[str]:
    """One line for each call, both databases side by side."""
    both = [result.get(name, {}) for name in ("sqlite", "postgres")]
    lines = [
        (f"{call}, ms", *(_written(_at(one, f"p95_ms.{call}"), "{:.1f}") for one in both))
        for call in both[0].get("p95_ms", {})
    ]
    lines += [
        (
            f"economics by {by}, s",
            *(_written(_at(one, f"economics_s_by.{by}"), "{:.2f}") for one in both),
        )
        for by in both[0].get("economics_s_by", {})
    ]
    return _markdown(("95th percentile", "SQLite", "PostgreSQL"), lines)


TABLES = {
    "console": rows(CONSOLE),
    "line": rows(LINE),
    "line_quality": rows(LINE_QUALITY),
    "line_faults": rows(LINE_FAULTS),
    "loop": rows(LOOP),
    "fleet": rows(FLEET),
    "fleet_1000": rows(FLEET),
    "engines": rows(ENGINES),
    "catalog": catalog,
    "serving": rows(SERVING),
    "serving_faults": rows(FAULTS),
    "elpv": rows(ELPV),
    "anomaly": rows(ANOMALY),
    "miss": misses,
    "watch": changes,
    "sets": sets,
    "embed": rows(EMBED),
    "false_acceptance": rows(FALSE_ACCEPTANCE),
}


def _block(match: re.Match[str]) -> str:
    begin, name, end = match.groups()
    if name not in TABLES:
        sys.exit(f"no table {name!r}; there are {', '.join(TABLES)}.")
    return f"{begin}{table(name)}{end}"


def _row(result: dict[str, Any], row: Row) -> tuple[str, str]:
    words, key, form = row
    spread = _at(result, f"{key}_std")
    more = f" ± {_written(spread, form.replace('+', ''))}" if spread is not None else ""
    return words, _written(_at(result, key), form) + more


def _at(result: dict[str, Any], key: str) -> Any:
    value: Any = result
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _written(value: Any, form: str) -> str:
    return form.format(value) if isinstance(value, int | float) else NOT_YET


def _markdown(head: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> list[str]:
    ruled = ["---"] * len(head)
    return [f"| {' | '.join(cells)} |" for cells in (head, ruled, *lines)]


def _origin(name: str, result: dict[str, Any]) -> str:
    facts = [f"`benchmarks/{SCRIPTS[name][0]}`"]
    facts += [str(result[key]) for key in ("machine", "precision") if result.get(key)]
    facts += [f"{result['cores']} cores"] if result.get("cores") else []
    facts += [f"commit {result['commit']}"] if result.get("commit") else []
    return f"Measured by {', '.join(facts)}."


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
