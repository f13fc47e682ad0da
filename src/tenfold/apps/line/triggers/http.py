"""`POST /trigger` is a part in place."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tenfold.apps.line.station import ByHttp
from tenfold.apps.line.triggers import Latest, counting, trigger_of
from tenfold.apps.line.values import Trigger
from tenfold.errors import DataError, Unavailable

MOST_BYTES = 10_000
PATIENCE_S = 5


class HttpTrigger:
    def __init__(self, spec: ByHttp) -> None:
        latest, own = Latest(), counting()

        class Handler(BaseHTTPRequestHandler):
            timeout = PATIENCE_S

            def do_POST(self) -> None:
                size = self.headers.get("Content-Length", "0")
                if self.path != "/trigger" or not size.isdecimal() or int(size) > MOST_BYTES:
                    self._answer(404 if self.path != "/trigger" else 413, "")
                    return
                try:
                    trigger = trigger_of(self.rfile.read(int(size)), own, part=spec.part)
                except DataError as error:
                    self._answer(400, str(error.args[0]))
                    return
                latest.tell(trigger)
                self._answer(202, str(trigger.sequence))

            def _answer(self, status: int, text: str) -> None:
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._latest = latest
        try:
            self._server = ThreadingHTTPServer((spec.host, spec.port), Handler)
        except OSError as error:
            raise Unavailable(
                f"cannot listen: {error.strerror}.",
                where=f"{spec.host}:{spec.port}",
                hint="Give the trigger a free `port`.",
            ) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float) -> Trigger | None:
        return self._latest.wait(timeout_s)

    def problem(self) -> str:
        return ""

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
