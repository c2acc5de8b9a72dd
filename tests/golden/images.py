# SPDX-License-Identifier: MIT
"""Pictures in the formats that fumarole reads, with what Pillow makes of them.

    python tests/golden/images.py tests/data/images.safetensors

Tensors: `file/NAME` a file's bytes, `pixels/NAME` the upright picture [height, width, 3], and `fit/NAME/WIDTHxHEIGHT`
the same scaled and cropped as torchvision's Resize (bilinear) and CenterCrop do, [3, height, width] in 0..1.
"""
import io
import sys

import numpy as np
from PIL import Image, ImageOps
from safetensors.numpy import save_file


def scene(width, height, channels):
    """Smooth colours with an edge and a little noise."""
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    draw = np.random.default_rng(width * height)
    planes = [127 + 100 * np.sin(6 * x + c) * np.cos(5 * y - c) + 30 * (x + y > 0.9) for c in range(channels)]
    noise = draw.normal(size=(height, width, channels)) * 4
    return np.clip(np.stack(planes, -1) + noise, 0, 255).astype(np.uint8)


def saved(pixels, mode, kind, **options):
    buffer = io.BytesIO()
    Image.frombytes(mode, pixels.shape[1::-1], pixels.tobytes()).save(buffer, kind, **options)
    return buffer.getvalue()


def as_ycck(jpeg):
    """Marks the inks of a JPEG as luminance, chrominance and black in Adobe's segment."""
    at = jpeg.index(b"Adobe") + 11
    return jpeg[:at] + b"\2" + jpeg[at + 1:]


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    return data


def make_files():
    rgb, grey, inks = scene(45, 34, 3), scene(45, 34, 1), scene(45, 34, 4)
    wide = (scene(9, 7, 3).astype(np.uint16) * 257 + 100).clip(0, 65535)
    files = {
        "plain.jpg": saved(rgb, "RGB", "JPEG", quality=90),
        "fine.jpg": saved(rgb, "RGB", "JPEG", quality=95, subsampling=0, progressive=True),
        "coarse.jpg": saved(rgb, "RGB", "JPEG", quality=30, subsampling=2, optimize=True),
        "grey.jpg": saved(grey, "L", "JPEG", quality=90),
        "inks.jpg": saved(inks, "CMYK", "JPEG", quality=90),
        "ycck.jpg": as_ycck(saved(inks, "CMYK", "JPEG", quality=90)),
        "one.jpg": saved(rgb[:1, :1], "RGB", "JPEG"),
        "lossy.webp": saved(rgb, "RGB", "WEBP", quality=80),
        "lossless.webp": saved(rgb, "RGB", "WEBP", lossless=True),
        "alpha.webp": saved(scene(20, 13, 4), "RGBA", "WEBP", lossless=True, exact=True),
        "one.webp": saved(rgb[:1, :1], "RGB", "WEBP", lossless=True),
        "rgb.png": saved(rgb, "RGB", "PNG"),
        "one.png": saved(rgb[:1, :1], "RGB", "PNG"),
        "alpha.png": saved(scene(20, 13, 4), "RGBA", "PNG"),
        "grey.png": saved(grey, "L", "PNG"),
    }
    palette = io.BytesIO()
    Image.fromarray(rgb).quantize(16).save(palette, "PNG", bits=4)
    files["palette.png"] = palette.getvalue()
    bits = io.BytesIO()
    Image.fromarray(grey[..., 0] > 127).save(bits, "PNG")
    files["bits.png"] = bits.getvalue()
    deep = io.BytesIO()
    Image.fromarray(wide[..., 0]).save(deep, "PNG")
    files["deep.png"] = deep.getvalue()
    for orientation in range(1, 9):
        files[f"turned-{orientation}.jpg"] = saved(scene(24, 16, 3), "RGB", "JPEG", quality=90, exif=exif(orientation))
    return files


def decode(data):
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) // 256).astype(np.uint8))
    return np.asarray(image.convert("RGB"))


def fit(pixels, width, height):
    h, w = pixels.shape[:2]
    size = (width, max(h * width // w, height)) if width * h >= height * w else (max(w * height // h, width), height)
    left, top = round((size[0] - width) / 2), round((size[1] - height) / 2)
    image = Image.fromarray(pixels).resize(size, Image.BILINEAR).crop((left, top, left + width, top + height))
    return (np.asarray(image).astype(np.float32) / 255).transpose(2, 0, 1).copy()


def main():
    tensors = {}
    for name, data in make_files().items():
        tensors["file/" + name] = np.frombuffer(data, np.uint8)
        tensors["pixels/" + name] = decode(data)
    for width, height in ((16, 16), (20, 8), (45, 34), (64, 64), (7, 31), (1, 1)):
        tensors[f"fit/rgb.png/{width}x{height}"] = fit(tensors["pixels/rgb.png"], width, height)
    save_file(tensors, sys.argv[1])


main()
