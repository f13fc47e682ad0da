"""A network cable that can be cut: forwards TCP between station and controller, and breaks it."""

import argparse
import select
import socket
import threading
import time


class Cable:
    """Forwards `port` to `to_port` on this machine."""

    def __init__(self, port: int, to_port: int) -> None:
        self._to = to_port
        self._whole, self._flowing = threading.Event(), threading.Event()
        self._whole.set()
        self._flowing.set()
        self._ends: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", port))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Connections break, and new ones are refused."""
        self._whole.clear()
        for end in list(self._ends):
            end.close()
        self._ends.clear()

    def stall(self) -> None:
        """Nothing comes through any more, and nobody is told: like a switch that hangs."""
        self._flowing.clear()

    def mend(self) -> None:
        """What stalled arrives now, late."""
        self._whole.set()
        self._flowing.set()

    def close(self) -> None:
        self.cut()
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            if not self._whole.is_set():
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._to), 2)
            except OSError:
                near.close()
                continue
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._ends |= {near, far}
            threading.Thread(target=self._forward, args=(near, far), daemon=True).start()

    def _forward(self, near: socket.socket, far: socket.socket) -> None:
        other = {near: far, far: near}
        try:
            while self._whole.is_set():
                for end in select.select([near, far], [], [], 0.2)[0]:
                    data = end.recv(65536)
                    self._flowing.wait()
                    if not data:
                        return
                    other[end].sendall(data)
        except (OSError, ValueError):
            pass
        finally:
            for end in (near, far):
                end.close()
                self._ends.discard(end)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("to_port", type=int)
    parser.add_argument("--every", type=float, default=30.0, metavar="S", help="cut so often")
    parser.add_argument("--seconds", type=float, default=2.0, help="and for so long")
    parser.add_argument("--stall", action="store_true", help="stall it instead")
    asked = parser.parse_args()
    cable = Cable(asked.port, asked.to_port)
    while True:
        time.sleep(asked.every)
        cable.stall() if asked.stall else cable.cut()
        time.sleep(asked.seconds)
        cable.mend()


if __name__ == "__main__":
    main()
