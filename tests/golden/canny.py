#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Edges of pictures as OpenCV finds them (opencv-python-headless).

    python tests/golden/canny.py tests/data

Writes tests/data/canny.safetensors: pictures I.picture [height, width, 1 or 3], their thresholds I.thresholds [2] and
edges I.edges [height, width]. tests/io/canny.c reads them.
"""
import sys

import cv2
import numpy as np
from safetensors.numpy import save_file

CASES = [(60, 80, 3, 100, 200), (41, 53, 1, 50, 150), (33, 64, 3, 20.5, 60), (30, 30, 3, 200, 100), (1, 40, 3, 10, 20),
         (25, 1, 1, 10, 20), (48, 48, 3, 0, 300)]


def main(folder):
    rng, tensors = np.random.default_rng(3), {}
    for i, (height, width, channels, low, high) in enumerate(CASES):
        small = rng.integers(0, 256, (max(height // 5, 1), max(width // 5, 1), channels), dtype=np.uint8)
        picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, channels)
        noise = rng.integers(-12, 13, picture.shape)
        picture = np.clip(picture.astype(int) + noise, 0, 255).astype(np.uint8)
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if channels == 3 else picture[:, :, 0]
        edges = cv2.Canny(grey, low, high, L2gradient=True)
        tensors.update({f"{i}.picture": picture, f"{i}.edges": edges,
                        f"{i}.thresholds": np.array([low, high], np.float32)})
        print(i, picture.shape, int((edges > 0).sum()))
    save_file(tensors, folder + "/canny.safetensors")


if __name__ == "__main__":
    main(sys.argv[1])
