#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws the five pictures of a monster that page 12 teaches to the emoji model, with Pillow.

    python docs/course/monster/draw.py docs/course/monster
"""
import sys

from PIL import Image, ImageDraw

SIDE, FINER = 128, 4  # drawn four times as large, then scaled down
# Where it stands, how large it is, its tilt in degrees, and where it looks.
POSES = [(0, 0, 0.98, 0, 0), (3, 2, 0.92, 10, 6), (-4, 0, 0.95, -10, -6), (0, 4, 0.85, 5, 4), (2, -2, 0.9, -5, -4)]
TEAL, ORANGE, LIME, VIOLET, WHITE = "#00897b", "#f57c00", "#b2ff59", "#4a148c", "#ffffff"


def at(x, y):
    return (SIDE / 2 + x) * FINER, (SIDE / 2 + y) * FINER


def monster(look):
    image = Image.new("RGBA", (SIDE * FINER, SIDE * FINER), (255, 255, 255, 0))
    draw = ImageDraw.Draw(image)

    def ellipse(x, y, rx, ry, colour):
        draw.ellipse([*at(x - rx, y - ry), *at(x + rx, y + ry)], fill=colour)

    for side in (-1, 1):
        ellipse(side * 17, 50, 13, 6, ORANGE)
    for side in (-1, 1):
        draw.polygon([at(side * 14, -34), at(side * 34, -56), at(side * 30, -24)], fill=ORANGE)
    ellipse(0, 8, 38, 43, TEAL)
    ellipse(0, 24, 22, 24, LIME)
    for y in (14, 24, 34):
        draw.line([at(-18, y), at(18, y)], fill=TEAL, width=4 * FINER)
    ellipse(0, -12, 19, 19, WHITE)
    ellipse(look, -11, 9, 9, VIOLET)
    ellipse(look + 3, -15, 3, 3, WHITE)
    return image


def picture(dx, dy, scale, tilt, look):
    image = monster(look).rotate(tilt, resample=Image.BICUBIC, center=at(0, 0))
    side = int(SIDE * scale)
    image = image.resize((side, side), Image.LANCZOS)
    page = Image.new("RGBA", (SIDE, SIDE), "white")
    page.paste(image, ((SIDE - side) // 2 + dx, (SIDE - side) // 2 + dy), image)
    return page.convert("RGB")


def main():
    for i, pose in enumerate(POSES):
        picture(*pose).save(f"{sys.argv[1]}/{i}.png", optimize=True)


if __name__ == "__main__":
    main()
