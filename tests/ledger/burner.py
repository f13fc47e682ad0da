"""A run in a process of its own, as tests start and kill it: `burner.py HOME SECONDS KIND`."""

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

from tenfold.catalog import Catalog, ledger
from tenfold.catalog.ledger import Entry
from tenfold.ledger import meter


def say(word):
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(1000))


def work(folder, run_id, seconds):
    meter.join(folder, run_id)
    burn(seconds)


def main(home, seconds, kind):
    catalog = Catalog.open(home / "catalog.sqlite")
    scope = catalog.scope("local", "ann")
    with meter.running(scope, home / "runs", command="burn") as run:
        if kind == "workers":
            spawn = multiprocessing.get_context("spawn")
            given = (home / "runs", run.id, seconds)
            workers = [spawn.Process(target=work, args=given) for _ in range(2)]
            for worker in workers:
                worker.start()
            say(" ".join(str(worker.pid) for worker in workers))
            for worker in workers:
                worker.join()
            code = "import time\nwhile time.process_time() < 0.5: pass"
            subprocess.run([sys.executable, "-c", code], check=True)
        with meter.spent() as used:
            burn(seconds)
        ledger.book(scope, [Entry(run.id, "make", "caps", task="caps", cpu_s=used.cpu_s)])
        say("booked")
        if kind == "hang":
            burn(seconds)
            say("burnt")
            time.sleep(60)
        if kind == "raise":
            raise RuntimeError("on purpose")
    catalog.close()


if __name__ == "__main__":
    os.environ.pop("TENFOLD_HOME", None)
    main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
