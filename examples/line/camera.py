"""The camera over the conveyor. The controller's light barrier tells by UDP which part is there;
its picture is then put into a folder, or is what a GigE Vision camera on loopback sees."""

import argparse
import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

from PIL import Image

SYSTEM_PYTHON = "/usr/bin/python3"
KEPT = 50


class IntoFolder:
    """Shows the picture of part 17 as 00000017.png, whole at once, and removes what is old."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._shown = folder, []
        folder.mkdir(parents=True, exist_ok=True)

    def show(self, sequence: int, picture: Path) -> None:
        name = f"{sequence:08d}{picture.suffix}"
        hidden = self._folder / f".{name}"
        shutil.copyfile(picture, hidden)
        os.replace(hidden, self._folder / name)
        self._shown.append(self._folder / name)
        if len(self._shown) > KEPT:
            self._shown.pop(0).unlink(missing_ok=True)


class GigE:
    """A camera of `gige.py`, which runs in the system's Python."""

    def __init__(self, address: str, size: tuple[int, int]) -> None:
        script = str(Path(__file__).parent / "gige.py")
        command = [SYSTEM_PYTHON, script, address, "TF01", *map(str, size)]
        pipe = subprocess.PIPE
        self._size, self._process = size, subprocess.Popen(command, stdin=pipe, stdout=pipe)
        if self._process.stdout.readline() != b"ready\n":
            raise SystemExit("the GigE Vision camera does not run")

    def show(self, _sequence: int, picture: Path) -> None:
        with Image.open(picture) as image:
            self._process.stdin.write(image.convert("L").resize(self._size).tobytes())
        self._process.stdin.flush()
        self._process.stdout.readline()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("barrier", type=int, help="UDP port at which the light barrier tells")
    parser.add_argument("--folder", type=Path, help="put the pictures there")
    parser.add_argument("--gige", metavar="ADDRESS", help="be a GigE camera, such as 127.0.0.1")
    parser.add_argument("--width", type=int, default=512, help="pixels of the GigE camera")
    parser.add_argument("--height", type=int, default=512)
    asked = parser.parse_args()
    ways = [IntoFolder(asked.folder)] if asked.folder else []
    if asked.gige:
        ways.append(GigE(asked.gige, (asked.width, asked.height)))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as barrier:
        barrier.bind(("127.0.0.1", asked.barrier))
        print("ready", flush=True)
        while True:
            message, sender = barrier.recvfrom(65536)
            told = json.loads(message)
            if told["picture"]:
                for way in ways:
                    way.show(told["sequence"], Path(told["picture"]))
            barrier.sendto(b"seen", sender)


if __name__ == "__main__":
    main()
