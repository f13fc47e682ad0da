"""A GenICam camera in a process of its own, so that no fault in a driver ends the station.

Runs in the system's Python, which has `gi` and Aravis, and knows nothing of Tenfold. It reads one
line of JSON with the settings, then a line `NUMBER TIMEOUT_S WAITED_S` for each picture (the part
was told so long ago), and answers each on stdout with a header and a body: READY (name of the
camera), FRAME (pixels as the camera sends them) or FAILS (why not). It ends with its parent, and
when the camera is lost.
"""

# pyright: basic, reportMissingImports=false
import json
import os
import struct
import sys
import threading
import time

HEADER = struct.Struct(">4sIIIIIQ")
"""Kind, number of the request, width, height, GenICam pixel format, bytes of the body, and when it
was taken in ns since 1970."""
BUFFERS = 4
MOST_MISSED = 3
SYSTEM_PYTHON_PACKAGES = "gir1.2-aravis-0.8 and python3-gi"


def main():
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not come between
    settings = json.loads(sys.stdin.readline())
    try:
        camera = Camera(settings)
    except Exception as error:  # noqa: BLE001 - told to the parent, whatever it is
        _send(out, b"FAILS", body=str(error).encode())
        return 1
    _send(out, b"READY", body=camera.name.encode())
    try:
        return _serve(camera, settings, out)
    finally:
        camera.close()


def _serve(camera, settings, out):
    missed = 0
    for line in sys.stdin:
        number, timeout_s, waited_s = line.split()
        try:
            width, height, pixel_format, body, taken_ns = camera.grab(
                float(timeout_s), float(waited_s)
            )
        except Exception as error:  # noqa: BLE001 - told to the parent, whatever it is
            _send(out, b"FAILS", int(number), body=str(error).encode())
            missed += 1
            # A picture that comes too late must not answer the next request: begin anew.
            is_lost = missed >= MOST_MISSED or not isinstance(error, TimeoutError)
            if is_lost or settings["trigger"] == "software":
                return 1
            continue
        missed = 0
        _send(out, b"FRAME", int(number), (width, height, pixel_format), body, taken_ns)
    return 0


def _send(out, kind, number=0, shape=(0, 0, 0), body=b"", taken_ns=0):
    out.write(HEADER.pack(kind[:4], number, *shape, len(body), taken_ns))
    out.write(body)
    out.flush()


class Camera:
    def __init__(self, settings):
        try:
            import gi

            gi.require_version("Aravis", "0.8")
            from gi.repository import Aravis
        except (ImportError, ValueError) as error:
            raise RuntimeError(f"{SYSTEM_PYTHON_PACKAGES} are not installed") from error
        self._aravis, self._settings = Aravis, settings
        self._camera = Aravis.Camera.new(settings["address"] or None)
        self.name = f"{self._camera.get_vendor_name()} {self._camera.get_model_name()}"
        self._camera.get_device().connect("control-lost", _end)
        self._quietly(self._camera.stop_acquisition)  # a grabber that was killed left it running
        self._set_up()
        self._stream = self._camera.create_stream(None, None)
        payload = self._camera.get_payload()
        for _ in range(BUFFERS):
            self._stream.push_buffer(Aravis.Buffer.new_allocate(payload))
        self._camera.start_acquisition()

    def close(self):
        """Leave the camera to the next one, who else has to wait until it misses us."""
        self._quietly(self._camera.stop_acquisition)
        if self._camera.is_gv_device():
            self._quietly(self._camera.get_device().leave_control)

    def _quietly(self, act):
        try:
            act()
        except Exception as error:  # noqa: BLE001 - GLib.Error, known only once gi is there
            sys.stderr.write(f"{error}\n")

    def _set_up(self):
        camera, asked = self._camera, self._settings
        if asked["pixel_format"]:
            camera.set_pixel_format_from_string(asked["pixel_format"])
        if asked["packet_bytes"] and camera.is_gv_device():
            camera.gv_set_packet_size(asked["packet_bytes"])
        if asked["exposure_us"] is not None:
            if camera.is_exposure_auto_available():
                camera.set_exposure_time_auto(self._aravis.Auto.OFF)
            camera.set_exposure_time(asked["exposure_us"])
            _check("exposure_us", asked["exposure_us"], camera.get_exposure_time())
        if asked["gain_db"] is not None:
            if camera.is_gain_auto_available():
                camera.set_gain_auto(self._aravis.Auto.OFF)
            camera.set_gain(asked["gain_db"])
            _check("gain_db", asked["gain_db"], camera.get_gain())
        for line, source in asked["lights"]:
            camera.set_string("LineSelector", line)
            camera.set_string("LineMode", "Output")
            camera.set_string("LineSource", source)
        if asked["trigger"] == "free":
            camera.clear_triggers()
        else:
            camera.set_trigger("Software" if asked["trigger"] == "software" else asked["trigger"])

    def grab(self, timeout_s, waited_s):
        """Width, height, pixel format, bytes and time of a picture taken from now on, or since the
        part was told. Of several the newest: an older one may be of a part that was passed over."""
        since_ns, end = time.time_ns(), time.monotonic() + timeout_s
        if self._settings["trigger"] == "software":
            self._camera.software_trigger()
        else:
            since_ns -= int(self._settings["lead_ms"] * 1e6 + waited_s * 1e9)
        while (left_s := end - time.monotonic()) > 0:
            buffer = self._stream.timeout_pop_buffer(int(left_s * 1e6))
            if buffer is None:
                break
            while (newer := self._stream.try_pop_buffer()) is not None:
                self._stream.push_buffer(buffer)
                buffer = newer
            try:
                taken_ns = buffer.get_system_timestamp()
                is_whole = buffer.get_status() == self._aravis.BufferStatus.SUCCESS
                if is_whole and taken_ns >= since_ns:
                    shape = buffer.get_image_width(), buffer.get_image_height()
                    return (*shape, buffer.get_image_pixel_format(), buffer.get_data(), taken_ns)
            finally:
                self._stream.push_buffer(buffer)
        raise TimeoutError("no picture came in time")


def _check(name, asked, is_set):
    if abs(asked - is_set) > 0.05 * max(abs(asked), 1.0):
        raise ValueError(f"{name}: {asked:g} was asked for, the camera took {is_set:g}")


def _end(*_):
    sys.stderr.write("the camera is lost\n")
    os._exit(2)


if __name__ == "__main__":
    threading.current_thread().name = "grabber"
    sys.exit(main())
