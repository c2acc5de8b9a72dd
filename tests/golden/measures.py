# SPDX-License-Identifier: MIT
"""Measures of features by NumPy and SciPy, and of pictures by scikit-image.

    python tests/golden/measures.py tests/data/evaluate

Writes features (NAME.safetensors), statistics of them as NumPy saves them in several ways (NAME.npz), and measures.json
with a row for each pair. "exact" FIDs come from singular values; scipy's sqrtm is beside it.
"""
import io
import json
import os
import sys
import warnings
import zipfile

import numpy as np
from PIL import Image
from safetensors.numpy import save_file
from scipy import linalg
from skimage import metrics

warnings.filterwarnings("ignore")


def make_features(seed, count, width, classes, shift):
    draw = np.random.default_rng(seed)
    mix = np.random.default_rng(width).normal(size=(width, width))
    features = (draw.normal(size=(count, width)) @ mix + shift).astype(np.float32)
    return features, (draw.normal(size=(count, classes)) * 2).astype(np.float32)


def fid(a, b):
    centred = [(x - x.mean(0)) / np.sqrt(len(x) - 1) for x in (a, b)]
    root = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + sum((x ** 2).sum() for x in centred) - 2 * root


def scipy_fid(a, b):
    s1, s2 = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = linalg.sqrtm(s1 @ s2)
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s1) + np.trace(s2) - 2 * np.trace(root.real)


def inception_score(logits, splits):
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    parts = [p[i * len(p) // splits:(i + 1) * len(p) // splits] for i in range(splits)]
    scores = [np.exp((q * (np.log(q) - np.log(q.mean(0)))).sum(1).mean()) for q in parts]
    return float(np.mean(scores)), float(np.std(scores))


def kid(a, b):
    def kernel(x, y):
        return (x @ y.T / a.shape[1] + 1) ** 3
    m, n, xx, yy = len(a), len(b), kernel(a, a), kernel(b, b)
    return ((xx.sum() - np.trace(xx)) / (m * (m - 1)) + (yy.sum() - np.trace(yy)) / (n * (n - 1))
            - 2 * kernel(a, b).mean())


def precision_recall(a, b):
    def distances(x, y):
        return ((x[:, None] - y[None]) ** 2).sum(-1)

    def radii(x):
        own = distances(x, x)
        np.fill_diagonal(own, np.inf)
        return np.sort(own, 1)[:, 2]
    between = distances(a, b)
    return (float((between <= radii(a)[:, None]).any(0).mean()), float((between <= radii(b)[None]).any(1).mean()))


def save_npz(path, features, version, deflated, dtype, fortran):
    arrays = {"mu": features.mean(0).astype(dtype), "sigma": np.cov(features, rowvar=False).astype(dtype)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            bytes_ = io.BytesIO()
            array = np.asfortranarray(array) if fortran else array
            np.lib.format.write_array(bytes_, array, version=version)
            entry = zipfile.ZipInfo(name + ".npy", (1980, 1, 1, 0, 0, 0))  # the same bytes at every run
            archive.writestr(entry, bytes_.getvalue(), archive.compression)


def write_pairs(folder):
    """Writes pictures and changed copies of them, and their PSNR and SSIM by scikit-image."""
    draw = np.random.default_rng(8)
    rows = []
    for i, (h, w, mode) in enumerate([(11, 11, "L"), (24, 17, "RGB"), (12, 40, "RGB"), (31, 33, "L")]):
        shape = (h, w, 3) if mode == "RGB" else (h, w)
        y, x = np.mgrid[:h, :w]
        wave = 128 + 90 * np.sin(0.3 * x + 0.2 * y)
        a = np.clip(wave.reshape(h, w, *[1] * (len(shape) - 2)) + draw.normal(0, 12, shape), 0, 255).astype(np.uint8)
        b = np.clip(a + draw.normal(0, 4 + 9 * i, shape), 0, 255).astype(np.uint8)
        for name, pixels in (("a", a), ("b", b)):
            os.makedirs(os.path.join(folder, name), exist_ok=True)
            Image.fromarray(pixels, mode).save(os.path.join(folder, name, f"{i}.png"))
        rows.append(dict(psnr=metrics.peak_signal_noise_ratio(a, b, data_range=255),
                         ssim=metrics.structural_similarity(a, b, data_range=255, gaussian_weights=True, sigma=1.5,
                                                            use_sample_covariance=False,
                                                            channel_axis=2 if mode == "RGB" else None)))
    with open(os.path.join(folder, "pairs.json"), "w") as file:
        json.dump(dict(psnr=np.mean([r["psnr"] for r in rows]), ssim=np.mean([r["ssim"] for r in rows]), rows=rows), file,
                  indent=1)
        file.write("\n")


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    sets = {
        "real": make_features(1, 60, 12, 7, 0.0),
        "fake": make_features(2, 45, 12, 7, 0.3),
        "few": make_features(3, 9, 12, 7, 0.1),  # fewer than features: a singular covariance
        "fewer": make_features(4, 7, 12, 7, 0.2),
        "two": make_features(5, 2, 12, 7, 0.2),
    }
    twice = np.concatenate([sets["real"][0][:10], sets["real"][0][:10], sets["fake"][0][:9]])  # equal points
    sets["twice"] = twice, np.concatenate([sets["real"][1][:20], sets["fake"][1][:9]])
    for name, (features, logits) in sets.items():
        save_file({"features": features, "logits": logits}, os.path.join(folder, name + ".safetensors"))
    double = {name: (f.astype(np.float64), l.astype(np.float64)) for name, (f, l) in sets.items()}
    save_npz(os.path.join(folder, "real.npz"), double["real"][0], (1, 0), False, np.float64, False)
    save_npz(os.path.join(folder, "fake.npz"), double["fake"][0], (2, 0), True, np.float64, True)
    save_npz(os.path.join(folder, "few.npz"), double["few"][0], (3, 0), True, ">f8", False)
    save_npz(os.path.join(folder, "fewer.npz"), double["fewer"][0], (1, 0), True, np.float64, False)
    save_npz(os.path.join(folder, "single.npz"), double["real"][0], (1, 0), False, np.float32, True)
    rows = []
    for real, fake, splits in [("real", "fake", 10), ("fake", "real", 4), ("few", "fewer", 3), ("real", "few", 9),
                               ("fewer", "fake", 1), ("real", "twice", 7), ("real", "real", 10), ("real", "two", 2)]:
        (a, _), (b, logits) = double[real], double[fake]
        row = dict(real=real, fake=fake, splits=splits, fid=fid(a, b), scipy=scipy_fid(a, b), kid=kid(a, b))
        row["is_mean"], row["is_std"] = inception_score(logits, splits)
        if min(len(a), len(b)) > 3:
            row["precision"], row["recall"] = precision_recall(a, b)
        rows.append(row)
        # where scipy's root of a singular product is worth comparing with
        assert abs(row["fid"] - row["scipy"]) <= 1e-6 * max(abs(row["fid"]), 1), row
    write_pairs(folder)
    with open(os.path.join(folder, "measures.json"), "w") as file:
        json.dump(rows, file, indent=1)
        file.write("\n")


main()
