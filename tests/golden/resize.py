# SPDX-License-Identifier: MIT
"""Pictures scaled by Pillow's Lanczos filter, and blurred as OpenCV's GaussianBlur does it (by SciPy).

    python tests/golden/resize.py tests/data

Writes tests/data/resize.safetensors: `N.from` and `N.to`, 8-bit [height, width, channels]; `blur.from` and `blur.2`.
"""
import sys

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from scipy.ndimage import correlate1d

SIZES = ((20, 18, 24, 16, 3), (7, 5, 31, 40, 3), (64, 48, 8, 8, 3), (33, 21, 33, 10, 1), (33, 21, 12, 21, 1), (1, 1, 9, 4, 3),
         (50, 3, 1, 1, 1))


def blur(picture, deviation):
    radius = int(2.5 * deviation + 0.5)
    kernel = np.exp(-0.5 * np.arange(-radius, radius + 1) ** 2 / deviation ** 2)
    kernel /= kernel.sum()
    for axis in (1, 0):
        picture = correlate1d(picture.astype(np.float64), kernel, axis=axis, mode="mirror")
    return np.rint(picture).astype(np.uint8)


def main(data):
    g = np.random.default_rng(3)
    tensors = {}
    for i, (w, h, to_w, to_h, channels) in enumerate(SIZES):
        picture = g.integers(0, 256, (h, w, channels), np.uint8)
        image = Image.fromarray(picture[..., 0] if channels == 1 else picture)
        scaled = np.asarray(image.resize((to_w, to_h), Image.LANCZOS)).reshape(to_h, to_w, channels)
        tensors[f"{i}.from"], tensors[f"{i}.to"] = torch.from_numpy(picture), torch.from_numpy(scaled.copy())
    mask = (g.random((15, 22)) > 0.7).astype(np.uint8) * 255
    tensors["blur.from"], tensors["blur.2"] = torch.from_numpy(mask)[..., None].contiguous(), torch.from_numpy(blur(mask, 2.0))[..., None].contiguous()
    save_file(tensors, f"{data}/resize.safetensors")


if __name__ == "__main__":
    main(sys.argv[1])
