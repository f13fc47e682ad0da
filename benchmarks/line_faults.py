"""Whether anything leaves unjudged, whatever is killed, cut, blinded or filled up.

    python benchmarks/line_faults.py [--parts 100000] [--kills 20] [--disconnections 20]
        [--camera-losses 10] [--every 0.02]

The plant of `examples/line` and a station in processes of their own; one region, two part numbers
that alternate at random, pictures of three parts in ten bad, one part in fifty told with torn
words, one with a counter that flickers; the conveyor never waits. The trunk is one of
milliseconds: faults are tried here, not sight. At random moments the station is killed (and
started again at once, by OPC UA and by Modbus in turn), the cable is cut or stalls, the camera or
its folder is lost, and (as root) the disk of the station is filled up.

`released_unjudged` and `released_wrong_part` are the controller's own counts. `lost_verdicts` are
verdicts that the controller was told, and releases, which the journal does not hold with the same
outcome, and sequences that it holds twice. `not_recorded` parts got no verdict, since the disk was
full. `judged` of `parts` got a verdict before the gate;
the others came while the station was dead or blind, or too soon after the one before. Each `_s` is
the median time from a kill, or the end of another fault, until a part came that was judged.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from common import publish

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from faulty_line import Plan, live_through


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--parts", type=int, default=100_000)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--disconnections", type=int, default=None, help="as many as kills")
    options.add_argument("--camera-losses", type=int, default=None, help="half as many")
    options.add_argument("--every", type=float, default=0.02, help="seconds between parts")
    options.add_argument("--seed", type=int, default=0)
    asked = options.parse_args()
    cuts = asked.kills if asked.disconnections is None else asked.disconnections
    losses = (asked.kills + 1) // 2 if asked.camera_losses is None else asked.camera_losses
    faults = {"kill": asked.kills, "cut": cuts, "blind": losses, "full": 1}
    with tempfile.TemporaryDirectory(prefix="tenfold-line-") as name:
        publish(live_through(Path(name), Plan(asked.parts, asked.every, faults, asked.seed)))


if __name__ == "__main__":
    main()
