"""A line on this machine: a controller with conveyor and gate, a camera, a broker if there is one,
and a station that is taught a part and inspects 500 of them. `make demo-line` runs it.

Simulated: conveyor, light barrier, and the part, which is drawn. Real: OPC UA, MQTT, the station.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.request import urlopen

from drawn import PRINT, REGIONS, draw_all

HERE = Path(__file__).parent
STATION = "demo"
RABBITS = "R-0001,R-0002"
NOTE = (
    "A demo: conveyor and light barrier were simulated, and the pictures are drawn. "
    "OPC UA, the station and all that it recorded are real."
)
SPEC = """\
station: {station}
trigger: {{kind: controller}}
controller: {{kind: opcua, url: "opc.tcp://127.0.0.1:{opcua}", tags: {{prefix: "ns=2;s=Line."}}}}
camera: {{kind: folder, path: shown, order: newest, lead_ms: 200}}
deadline_ms: 1500
shifts: {{early: "06:00", late: "14:00", night: "22:00"}}
red_rabbits: [{rabbits}]
outputs: [{outputs}]
"""


class Line:
    """What runs, and ends with the demo."""

    def __init__(self, home: Path) -> None:
        self.home, self._running = home, []

    def start(self, *words: object, says: str = "") -> subprocess.Popen:
        """A process of its own; it is there once it says so."""
        log = (self.home / "demo.log").open("a")
        started = subprocess.Popen(
            [str(word) for word in words],
            stdout=subprocess.PIPE if says else log,
            stderr=log,
            text=True,
            env=self.environment,
            start_new_session=True,  # Ctrl-C is for the demo, which ends them one by one
        )
        self._running.append(started)
        if says and started.stdout.readline() != f"{says}\n":
            raise SystemExit(f"{words[1]} did not start; see {log.name}")
        return started

    def tenfold(self, *words: object) -> list[object]:
        return [sys.executable, "-c", "from tenfold.cli import main; main()", *words]

    def tell(self, *words: object) -> None:
        """A command of Tenfold, to its end; what it says is shown."""
        done = subprocess.run(self._as_text(words), env=self.environment, check=False)
        if done.returncode:
            raise SystemExit(done.returncode)

    def ask(self, *words: object) -> dict | None:
        """What a command says as JSON; None: it cannot."""
        done = subprocess.run(
            self._as_text((*words, "--json")),
            env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return json.loads(done.stdout) if done.returncode == 0 else None

    def _as_text(self, words) -> list[str]:
        return [str(word) for word in self.tenfold(*words)]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "TENFOLD_HOME": str(self.home / "data")}

    def close(self) -> None:
        """The last that was started ends first."""
        for one in reversed(self._running):
            if one.poll() is None:
                one.terminate()
                try:
                    one.wait(20)
                except subprocess.TimeoutExpired:
                    one.kill()
                    one.wait(10)


@contextmanager
def line(home: Path) -> Iterator[Line]:
    home.mkdir(parents=True, exist_ok=True)
    made = Line(home)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    try:
        yield made
    except KeyboardInterrupt:
        print("\nEnding …")
        raise SystemExit(130) from None
    finally:
        made.close()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def broker(made: Line) -> str:
    """An output of the station; empty: no broker is installed."""
    found = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
    if not found:
        print("No MQTT broker is installed (Debian: mosquitto); the demo does without.")
        return ""
    port = free_port()
    settings = made.home / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    made.start(found, "-c", settings)
    print(f"MQTT: verdicts go to {STATION}/verdict at 127.0.0.1:{port}")
    return f"{{kind: mqtt, host: 127.0.0.1, port: {port}, topic: {STATION}}}"


def teach(made: Line) -> None:
    """The part's file, and its heads from 30 good ones and 20 with each defect."""
    pictures, part = made.home / "pictures", made.home / "4711.yaml"
    if not (pictures / "bad").is_dir():
        print("Drawing pictures …")
        draw_all(pictures, good=60, teach=30)
    regions = [
        {"name": name, "box": list(box), "checks": [check_of(name)]}
        for name, box in {**REGIONS, "print": PRINT}.items()
    ]
    # JSON is YAML
    part.write_text(
        json.dumps({"part": "4711", "reference": "pictures/reference.png", "regions": regions})
    )
    shown = pictures / "teach"
    bad = [f"face=defect:{shown / 'face'}"]
    bad += [f"{name}=hole:{shown / name}" for name in ("screw_left", "screw_right")]
    options = [word for one in bad for word in ("--bad", one)]
    print("Teaching part 4711 from 30 good ones, and 20 with each defect …")
    made.tell("line", "teach", made.home / "station.yaml", part, shown / "good", *options)
    told = made.ask("line", "parts", STATION)
    if told and any(one["mode"] != "live" for one in told["parts"]):  # it would wait for a person
        made.tell("line", "live", STATION, "4711", "--why", "a demo: nobody inspects beside it")


def check_of(region: str) -> dict[str, object]:
    """A face must be whole, a screw be there, and the print look like the reference's."""
    head = f"{STATION}-4711-{region.replace('_', '-')}"
    if region == "print":
        return {"check": "golden"}
    if region == "face":
        return {"check": "surface", "head": head}
    told = {"thing": "screw", "present": ["screw"], "absent": ["hole"]}
    return {"check": "assembly", "head": head, **told}


def watch(controller: subprocess.Popen, counts: str) -> dict[str, int]:
    """Say how it goes until all parts have passed; what the gate counted."""
    said = 0
    while controller.poll() is None:
        time.sleep(0.5)
        try:
            with urlopen(counts, timeout=2) as answer:
                told = json.load(answer)
        except OSError:
            continue
        passed = told["released"] + told["rejected"]
        if passed >= said + 50 or (passed and not said):
            said = passed
            print(
                f"  {passed:>4} passed: {told['released']} left, {told['rejected']} rejected",
                flush=True,
            )
    return json.loads(controller.stdout.read())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path("demo-line"))
    parser.add_argument("--parts", type=int, default=500)
    asked = parser.parse_args()
    home, began = asked.home.absolute(), datetime.now().astimezone()
    with line(home) as made:
        opcua, barrier, counts = free_port(), free_port(), free_port()
        spec = home / "station.yaml"
        spec.write_text(
            SPEC.format(station=STATION, opcua=opcua, rabbits=RABBITS, outputs=broker(made))
        )
        teach(made)
        before = made.ask("line", "trace", STATION, "--last", 1)
        first = before["looks"][0]["sequence"] + 1 if before and before["looks"] else 1
        camera = (HERE / "camera.py", barrier, "--folder", home / "shown")
        made.start(sys.executable, *camera, says="ready")
        controller = made.start(
            sys.executable, HERE / "controller.py",
            "--opcua", opcua, "--counts", counts, "--barrier", barrier,
            "--parts", asked.parts, "--first", first, "--rabbits", RABBITS,
            "--every", 0.15, "--patience", 3, "--gate", 1.7, "--bad-share", 0.06,
            "--lot", f"L{began:%m%d}", "--pictures", home / "pictures", "--wait-ready",
            "--log", home / "gate.log", "--seed", first,
            says="ready",
        )  # fmt: skip
        station = made.start(*made.tenfold("line", "run", spec))
        rabbits = RABBITS.replace(",", " and ")
        print(f"The line runs: red rabbits {rabbits} first, then {asked.parts} parts.")
        print("To see the operator's screen meanwhile, in another terminal:")
        print(f"  TENFOLD_HOME={home / 'data'} tenfold up    (then /line/{STATION} in the browser)")
        told = watch(controller, f"http://127.0.0.1:{counts}")
        station.terminate()
        station.wait(30)
        print("The gate counted:", ", ".join(f"{name} {n}" for name, n in told.items()))
        csv = home / "parts.csv"
        since = began.isoformat(timespec="seconds")
        made.tell("line", "report", STATION, "--since", since, "--note", NOTE,
                  "--out", home / "shift.html", "--csv", csv)  # fmt: skip
        wrong = told["released_unjudged"] + told["released_wrong_part"]
        raise SystemExit(wrong and f"{wrong} parts left that should not have.")


if __name__ == "__main__":
    main()
