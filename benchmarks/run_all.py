"""Run every benchmark on its own, keep its JSON, then write the tables of the docs."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = ("embed", "elpv", "sets", "anomaly", "false_acceptance")


def main() -> None:
    # Some machines narrow BLAS for tests; timings must not inherit that.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    failed: list[str] = []
    for name in sys.argv[1:] or SCRIPTS:
        print(f"== {name}", flush=True)
        run = subprocess.run([sys.executable, HERE / f"{name}.py"], env=plain, check=False)
        failed += [name] if run.returncode else []
    subprocess.run([sys.executable, HERE / "tables.py"], check=True)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
