"""Run benchmarks one after another, keep the JSON of each, then write the tables of the docs."""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results"
SCRIPTS: dict[str, list[str]] = {
    "embed": ["embed.py"],
    "elpv": ["elpv.py"],
    "sets": ["sets.py"],
    "anomaly": ["anomaly.py", "--peer"],
    "miss": ["miss.py"],
    "loop": ["loop.py"],
    "watch": ["watch.py"],
    "false_acceptance": ["false_acceptance.py"],
    "fleet_1000": ["fleet.py", "--models", "1000"],
    "fleet": ["fleet.py", "--models", "34000"],
    "catalog": ["catalog.py"],
    "engines": ["engines.py"],
    "serving": ["serving.py"],
    "serving_faults": ["serving_faults.py"],
    "console": ["console.py"],
    "line": ["line.py"],
    "line_quality": ["line_quality.py"],
    "line_faults": ["line_faults.py"],
}
"""Script and options, by the name of the result."""


def main() -> None:
    failed = [name for name in sys.argv[1:] or SCRIPTS if not measured(name)]
    subprocess.run([sys.executable, HERE / "tables.py"], check=True)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def measured(name: str) -> bool:
    """Run one script and keep its last line as `results/NAME.json`."""
    print(f"== {name}", flush=True)
    # Some machines narrow BLAS for tests; timings must not inherit that.
    plain = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}
    run = subprocess.run(
        [sys.executable, HERE / SCRIPTS[name][0], *SCRIPTS[name][1:]],
        env=plain,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    print(run.stdout, flush=True)
    if run.returncode:
        return False
    result = json.loads(run.stdout.strip().splitlines()[-1])
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(result, indent=1, sort_keys=True)
    (RESULTS / f"{name}.json").write_text(text + "\n")
    return True


if __name__ == "__main__":
    main()
