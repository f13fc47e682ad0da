"""Parts as a camera might see them: a plate with marks, moved, turned and lit a little."""

import cv2
import numpy as np

SIZE = (240, 320)
BOXES = {"left": (30, 60, 110, 140), "right": (200, 60, 280, 140)}


def plate(rng):
    """The part itself: a rim, holes and letters by which it is found."""
    pixels = np.full((*SIZE, 3), 150, np.uint8)
    cv2.rectangle(pixels, (10, 10), (310, 230), (90, 90, 90), 4)
    for x, y in ((25, 25), (295, 30), (30, 215), (290, 205)):
        cv2.circle(pixels, (x, y), 9, (40, 40, 40), -1)
    cv2.putText(pixels, "T-4711", (95, 205), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (30, 30, 30), 3)
    for left, top, right, bottom in BOXES.values():
        cv2.rectangle(pixels, (left, top), (right, bottom), (190, 190, 190), -1)
        cv2.circle(pixels, ((left + right) // 2, (top + bottom) // 2), 22, (120, 120, 125), -1)
    noise = rng.normal(0, 3, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def scratched(pixels, region):
    found = pixels.copy()
    left, top, right, bottom = BOXES[region]
    cv2.line(found, (left + 15, top + 15), (right - 15, bottom - 20), (20, 20, 20), 4)
    return found


def seen(pixels, rng):
    """Under the camera."""
    turn, scale = rng.uniform(-4, 4), rng.uniform(0.99, 1.01)
    matrix = cv2.getRotationMatrix2D((160, 120), turn, scale)
    matrix[:, 2] += rng.uniform(-6, 6, 2)
    moved = cv2.warpAffine(pixels, matrix, SIZE[::-1], borderMode=cv2.BORDER_REPLICATE)
    lit = moved.astype(np.float32) * rng.uniform(0.92, 1.08)
    return np.clip(lit, 0, 255).astype(np.uint8)
