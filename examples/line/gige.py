"""`Aravis.GvFakeCamera`: real GigE Vision on loopback, of a camera that is not real.

Runs in the system's Python (gir1.2-aravis-0.8, python3-gi): `gige.py ADDRESS SERIAL WIDTH HEIGHT`.
What it sees comes on stdin: width × height bytes, grey, once for each new picture.
"""

import ctypes
import sys
import threading

import gi

gi.require_version("Aravis", "0.8")
from gi.repository import Aravis  # noqa: E402

WIDTH_REGISTER, HEIGHT_REGISTER = 0x100, 0x104
LIBRARY = ctypes.CDLL("libaravis-0.8.so.0")
LIBRARY.arv_buffer_get_data.restype = ctypes.c_void_p
LIBRARY.arv_buffer_get_data.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
SHAPE = (LIBRARY.arv_buffer_get_image_width, LIBRARY.arv_buffer_get_image_height)
for get in SHAPE:
    get.argtypes = [ctypes.c_void_p]
Fill = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_uint32] * 3)
LIBRARY.arv_fake_camera_set_fill_pattern.argtypes = [ctypes.c_void_p, Fill, ctypes.c_void_p]
"""Called by the library itself: `gi` forgets a callback that is kept, and has no call that writes
into a buffer."""


def main():
    address, serial, width, height = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    camera = Aravis.GvFakeCamera.new(address, serial)
    if not camera.is_running():
        sys.exit(f"no GigE Vision camera can run at {address}: is there one already?")
    seen, lock = [bytes(width * height)], threading.Lock()

    @Fill
    def fill(buffer, _data, _exposure_us, _gain, _pixel_format):
        shape = [get(buffer) for get in SHAPE]
        data = LIBRARY.arv_buffer_get_data(buffer, None)
        with lock:
            pixels = seen[0]
        if data and shape == [width, height]:
            ctypes.memmove(data, pixels, len(pixels))

    fake = camera.get_fake_camera()
    fake.write_register(WIDTH_REGISTER, width)
    fake.write_register(HEIGHT_REGISTER, height)
    LIBRARY.arv_fake_camera_set_fill_pattern(hash(fake), fill, None)
    print("ready", flush=True)
    while len(pixels := sys.stdin.buffer.read(width * height)) == width * height:
        with lock:
            seen[0] = pixels
        print("seen", flush=True)


if __name__ == "__main__":
    main()
