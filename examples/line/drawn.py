"""Pictures for the demo: a drawn cover plate with two screws, a sealing face and a printed number,
as a camera might see it, moved, turned and lit a little. `drawn.py FOLDER` draws them all."""

import argparse
from pathlib import Path

import cv2
import numpy as np

SIZE = (360, 480)
REGIONS = {
    "face": (170, 80, 310, 220),
    "screw_left": (40, 110, 120, 190),
    "screw_right": (360, 110, 440, 190),
}
PRINT = (150, 262, 332, 318)
DEFECTS = ("scratch", "pit", "no_screw_left", "no_screw_right", "no_print")
BAD = {
    "face": ("scratch", "pit"),
    "screw_left": ("no_screw_left",),
    "screw_right": ("no_screw_right",),
}
BAD_OF_EACH = 20


def plate(rng: np.random.Generator, defect: str = "") -> np.ndarray:
    """The part; each has a brush of its own."""
    pixels = _brushed(rng)
    cv2.rectangle(pixels, (14, 14), (465, 345), (96, 94, 92), 5)
    for x, y in ((36, 36), (444, 40), (38, 322), (440, 318)):
        cv2.circle(pixels, (x, y), 11, (52, 50, 50), -1, cv2.LINE_AA)
        cv2.circle(pixels, (x - 2, y - 2), 12, (206, 204, 200), 1, cv2.LINE_AA)
    _face(pixels)
    for name in ("screw_left", "screw_right"):
        _screw(pixels, name, rng, is_there=defect != f"no_{name}")
    if defect != "no_print":
        font = cv2.FONT_HERSHEY_DUPLEX
        cv2.putText(pixels, "4711-B", (158, 305), font, 1.25, (44, 42, 42), 3, cv2.LINE_AA)
    if defect == "scratch":
        around = rng.uniform(0, 2 * np.pi)
        ends = [_on_face(around + turn, radius) for turn, radius in ((0.0, 32), (1.1, 50))]
        cv2.line(pixels, ends[0], ends[1], (66, 64, 62), 3, cv2.LINE_AA)
    if defect == "pit":
        where = _on_face(rng.uniform(0, 2 * np.pi), 40)
        cv2.circle(pixels, where, int(rng.integers(6, 9)), (58, 56, 60), -1, cv2.LINE_AA)
    noise = rng.normal(0, 2.5, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def seen(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Under the camera."""
    turn, scale = rng.uniform(-4, 4), rng.uniform(0.99, 1.01)
    matrix = cv2.getRotationMatrix2D((240, 180), turn, scale)
    matrix[:, 2] += rng.uniform(-7, 7, 2)
    moved = cv2.warpAffine(pixels, matrix, SIZE[::-1], borderMode=cv2.BORDER_REPLICATE)
    lit = moved.astype(np.float32) * rng.uniform(0.93, 1.07)
    return np.clip(lit, 0, 255).astype(np.uint8)


def draw_all(folder: Path, *, good: int, teach: int, seed: int = 0) -> None:
    """`reference.png`; `teach/good` and `teach/REGION` with defects there; `good/` and `bad/`, as
    they come on the line, whose files are named after their defect."""
    rng = np.random.default_rng(seed)
    _save(folder / "reference.png", plate(rng))
    for name, number in (("teach/good", teach), ("good", good)):
        for n in range(number):
            _save(folder / name / f"{n:03d}.png", seen(plate(rng), rng))
    for region, defects in BAD.items():
        for n in range(BAD_OF_EACH):
            pixels = seen(plate(rng, defects[n % len(defects)]), rng)
            _save(folder / "teach" / region / f"{n:03d}.png", pixels)
    for defect in DEFECTS:
        for n in range(8):
            _save(folder / "bad" / f"{defect}-{n}.png", seen(plate(rng, defect), rng))


def _brushed(rng: np.random.Generator) -> np.ndarray:
    grain = cv2.GaussianBlur(rng.normal(0, 30, SIZE).astype(np.float32), (61, 1), 0)
    light = np.linspace(8, -8, SIZE[1], dtype=np.float32)[None, :]
    grey = 158 + grain + light
    return np.clip(np.stack([grey, grey, grey - 2], axis=-1), 0, 255).astype(np.uint8)


def _face(pixels: np.ndarray) -> None:
    left, top, right, bottom = REGIONS["face"]
    middle = ((left + right) // 2, (top + bottom) // 2)
    for radius, grey in ((62, 120), (58, 198), (52, 205), (26, 132), (23, 70)):
        cv2.circle(pixels, middle, radius, (grey, grey, grey - 3), -1, cv2.LINE_AA)


def _on_face(around: float, radius: float) -> tuple[int, int]:
    """Between the bore and the rim of the sealing face."""
    left, top, right, bottom = REGIONS["face"]
    x = (left + right) / 2 + radius * np.cos(around)
    y = (top + bottom) / 2 + radius * np.sin(around)
    return round(float(x)), round(float(y))


def _screw(pixels: np.ndarray, name: str, rng: np.random.Generator, *, is_there: bool) -> None:
    left, top, right, bottom = REGIONS[name]
    middle = ((left + right) // 2, (top + bottom) // 2)
    cv2.circle(pixels, middle, 29, (104, 102, 100), -1, cv2.LINE_AA)
    if not is_there:
        cv2.circle(pixels, middle, 15, (30, 29, 29), -1, cv2.LINE_AA)
        return
    cv2.circle(pixels, middle, 25, (196, 194, 190), -1, cv2.LINE_AA)
    cv2.circle(pixels, (middle[0] - 2, middle[1] - 2), 21, (212, 210, 206), -1, cv2.LINE_AA)
    turn = rng.uniform(0, np.pi)
    corners = [(turn + k * np.pi / 3) for k in range(6)]
    socket = [(middle[0] + 12 * np.cos(a), middle[1] + 12 * np.sin(a)) for a in corners]
    cv2.fillPoly(pixels, [np.array(socket).round().astype(np.int32)], (66, 64, 64), cv2.LINE_AA)


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--good", type=int, default=60)
    parser.add_argument("--teach", type=int, default=30)
    asked = parser.parse_args()
    draw_all(asked.folder, good=asked.good, teach=asked.teach)


if __name__ == "__main__":
    main()
