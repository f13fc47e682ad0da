"""Our runtimes report home unless told not to; Tenfold tells them before they are imported.

OpenVINO sends an event when it is imported, through its package `openvino_telemetry`; where that
cannot be imported it uses its own stub that sends nothing. ONNX Runtime (1.32 on) opens a queue of
events in `~/.cache/Microsoft` and sends it, unless a variable is set when it starts (see its
Privacy.md).
"""

import os
import sys


def refuse_telemetry() -> None:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    sys.modules.setdefault("openvino_telemetry", None)  # pyright: ignore[reportArgumentType]
