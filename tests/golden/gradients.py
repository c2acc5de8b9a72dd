#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Gradients of every op that can be differentiated, on hard shapes, as PyTorch's autograd computes them in f64.

    python tests/golden/gradients.py tests/data

Writes tests/data/gradients.json (the cases: op and settings) and gradients.safetensors (by the number of the case:
inputs "in.K", "weights", the output "y" and gradients "grad.K" of sum(y weights)), which
tests/exec/golden_gradient.c reads. Tensors lie as in the graph: images are channels-last, weights of convolutions
[height, width, in, out].
"""
import json
import os
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(1)
CASES = []


def n(*shape):
    return torch.randn(shape, dtype=torch.float64)


def positive(*shape):
    return 0.5 + 1.5 * torch.rand(shape, dtype=torch.float64)


def whole(limit, *shape):
    return torch.randint(0, limit, shape, dtype=torch.int32)


def case(op, inputs, function, **settings):
    """`function` gets the inputs, of which None is absent, and returns y."""
    CASES.append((op, settings, inputs, function))


def shape(dims):
    return {"rank": len(dims), **{f"d{i}": d for i, d in enumerate(dims)}}


def first(x):  # channels first
    return x.permute(0, 3, 1, 2)


def last(x):
    return x.permute(0, 2, 3, 1)


def kernel(w):  # [height, width, in, out] to [out, in, height, width]
    return w.permute(3, 2, 0, 1)


def unary():
    act = {"silu": F.silu, "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
           "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x), "relu": F.relu, "tanh": torch.tanh,
           "sigmoid": torch.sigmoid, "exp": torch.exp, "expm1": torch.expm1, "square": torch.square}
    for op, function in act.items():
        case(op, [n(3, 5, 7)], function)
    for op, function in {"log": torch.log, "sqrt": torch.sqrt, "reciprocal": torch.reciprocal}.items():
        case(op, [positive(3, 5, 7)], function)
    case("clamp", [n(5, 9)], lambda x: x.clamp(-0.5, 0.8), min=-0.5, max=0.8)
    case("scale", [n(5, 9)], lambda x: -1.5 * x + 2, mul=-1.5, add=2)
    case("cast", [n(5, 9)], lambda x: x.clone(), dtype=0)


def products():
    case("matmul", [n(5, 7, 9), n(9, 11), n(11)], lambda x, w, b: x @ w + b)
    case("matmul", [n(33, 65), n(35, 65)], lambda x, w: x @ w.T, transpose_b=1)
    case("matmul", [n(6, 13, 5), n(6, 5, 7)], lambda x, w: 0.3 * (x @ w), scale=0.3)
    case("matmul", [n(9, 18), n(18, 10), n(10), None, n(9, 10)], lambda x, w, b, row, rest: x @ w + b + rest)

    def conv(x, w, b, **settings):
        return last(F.conv2d(first(x), kernel(w), b, **settings))
    case("conv2d", [n(2, 7, 5, 3), n(3, 3, 3, 6), n(6)], lambda *t: conv(*t, padding=1), pad=1)
    case("conv2d", [n(2, 9, 8, 5), n(3, 3, 5, 7), n(7)], lambda *t: conv(*t, stride=2, padding=1), stride=2, pad=1)
    case("conv2d", [n(1, 9, 7, 4), n(5, 5, 4, 3), n(3)], lambda *t: conv(*t, padding=2), pad=2)
    case("conv2d", [n(1, 11, 10, 3), n(7, 7, 3, 8), n(8)], lambda *t: conv(*t, stride=2, padding=3), stride=2, pad=3)
    case("conv2d", [n(2, 8, 8, 3), n(1, 1, 3, 5), n(5)], lambda *t: conv(*t, stride=2), stride=2)
    # As diffusers' downsampling without padding: one more row and column at the end.
    case("conv2d", [n(1, 8, 6, 4), n(3, 3, 4, 4), n(4)],
         lambda x, w, b: last(F.conv2d(F.pad(first(x), (0, 1, 0, 1)), kernel(w), b, stride=2)),
         stride=2, pad_end_extra=1)

    def transposed(x, w, b, **settings):
        return last(F.conv_transpose2d(first(x), kernel(w), b, **settings))
    case("conv_transpose2d", [n(2, 5, 4, 6), n(4, 4, 3, 6), n(3)], lambda *t: transposed(*t, stride=2, padding=1),
         stride=2, pad=1)
    case("conv_transpose2d", [n(1, 4, 5, 3), n(3, 3, 7, 3), n(7)],
         lambda *t: transposed(*t, stride=2, padding=1, output_padding=1), stride=2, pad=1, output_padding=1)
    case("conv_transpose2d", [n(1, 3, 3, 5), n(5, 5, 4, 5), n(4)],
         lambda *t: transposed(*t, stride=3, padding=2, output_padding=2), stride=3, pad=2, output_padding=2)


def attentions():
    def attention(q, k, v, heads, causal=False, scale=None):
        q, k, v = (t.unflatten(2, (heads, -1)).transpose(1, 2) for t in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=scale).transpose(1, 2).flatten(2)
    case("attention", [n(2, 9, 15), n(2, 7, 15), n(2, 7, 15)], lambda *t: attention(*t, 3), heads=3)
    case("attention", [n(1, 13, 16), n(1, 13, 16), n(1, 13, 16)], lambda *t: attention(*t, 2, True), heads=2, causal=1)
    case("attention", [n(1, 9, 8), n(1, 4, 8), n(1, 4, 8)], lambda *t: attention(*t, 1, True), causal=1)
    case("attention", [n(1, 33, 40), n(1, 65, 40), n(1, 65, 40)], lambda *t: attention(*t, 1, scale=0.2), scale=0.2)


def norms():
    def group(x, scale, shift, groups, eps):
        return last(F.group_norm(first(x), groups, scale, shift, eps))
    case("group_norm", [n(2, 5, 3, 12), n(12), n(12)], lambda *t: group(*t, 4, 1e-5), groups=4, eps=1e-5)
    case("group_norm", [n(1, 7, 5, 9), n(9), n(9)], lambda *t: group(*t, 3, 1e-6), groups=3, eps=1e-6)
    case("group_norm", [n(2, 3, 3, 8) + 5, n(8), n(8)], lambda *t: group(*t, 8, 1e-5), groups=8, eps=1e-5)
    case("layer_norm", [n(3, 5, 65), n(65), n(65)], lambda x, s, b: F.layer_norm(x, (65,), s, b, 1e-5), eps=1e-5)
    case("layer_norm", [n(9, 7)], lambda x: F.layer_norm(x, (7,), eps=1e-6), eps=1e-6)
    case("rms_norm", [n(3, 5, 33), n(33)], lambda x, s: F.rms_norm(x, (33,), s, 1e-6), eps=1e-6)
    case("batch_stats", [n(3, 5, 7, 6)], lambda x: torch.stack(
        [x.mean((0, 1, 2)), x.var((0, 1, 2), unbiased=False)]))
    case("batch_stats", [n(9, 5)], lambda x: torch.stack([x.mean(0), x.var(0)]), unbiased=1)
    case("batch_norm", [n(2, 5, 3, 6), positive(2, 6), n(6), n(6)],
         lambda x, s, w, b: (x - s[0]) / (s[1] + 1e-5).sqrt() * w + b, eps=1e-5)
    case("softmax", [n(3, 5, 33)], lambda x: x.softmax(-1))


def shapes():
    case("broadcast", [n(3, 1, 5)], lambda x: x.expand(2, 3, 4, 5), **shape((2, 3, 4, 5)))
    case("reduce_sum", [n(2, 3, 4, 5)], lambda x: x.sum((0, 2), keepdim=True)[0], **shape((3, 1, 5)))
    case("reduce_sum", [n(9, 7)], lambda x: x.sum().reshape(1), **shape((1,)))
    case("concat", [n(2, 3, 5), n(2, 3, 7), n(2, 3, 2)], lambda *t: torch.cat(t, -1))
    case("concat", [n(2, 3, 5), n(1, 3, 5)], lambda *t: torch.cat(t, 0), axis=0)
    case("slice", [n(4, 3, 9)], lambda x: x[..., 2:7], start=2, count=5)
    case("slice", [n(4, 3, 9)], lambda x: x[:, 1:3], axis=1, start=1, count=2)
    case("reshape", [n(2, 6, 9)], lambda x: x.reshape(3, 4, 9), **shape((3, 4, 9)))
    case("repack", [n(2, 6, 9)], lambda x: x.reshape(4, 27), **shape((4, 27)))
    case("transpose", [n(2, 3, 4, 5)], lambda x: x.permute(0, 3, 1, 2), p0=0, p1=3, p2=1, p3=2)
    case("upsample", [n(2, 3, 5, 6)], lambda x: last(F.interpolate(first(x), scale_factor=2.0)))
    case("upsample", [n(1, 2, 3, 5)], lambda x: last(F.interpolate(first(x), scale_factor=3.0)), factor=3)
    case("pixel_shuffle", [n(2, 3, 5, 12)], lambda x: last(F.pixel_shuffle(first(x), 2)))
    case("embedding", [whole(11, 3, 9), n(11, 7)], lambda ids, table: F.embedding(ids, table))

    def average(x, *settings, **more):
        return last(F.avg_pool2d(first(x), *settings, **more))
    case("average_pool", [n(2, 7, 5, 6)], lambda x: average(x, 2))
    case("average_pool", [n(1, 6, 7, 5)], lambda x: average(x, 3, 1, 1, count_include_pad=False), kernel=3, stride=1,
         pad=1, count_include_pad=0)
    case("average_pool", [n(1, 9, 8, 3)], lambda x: average(x, 5, 2, 2), kernel=5, stride=2, pad=2)
    case("max_pool", [n(2, 7, 5, 6)], lambda x: last(F.max_pool2d(first(x), 3, 2)), kernel=3, stride=2)
    case("max_pool", [n(1, 6, 7, 5)], lambda x: last(F.max_pool2d(first(x), 3, 1, 1)), kernel=3, stride=1, pad=1)
    # Equal elements: the first of a window gets its gradient.
    case("max_pool", [whole(2, 1, 6, 7, 5).double()], lambda x: last(F.max_pool2d(first(x), 3, 1, 1)), kernel=3,
         stride=1, pad=1)


def pairs():
    for op, function in {"add": torch.add, "mul": torch.mul, "sub": torch.sub,
                         "squared_error": lambda a, b: (a - b) ** 2}.items():
        case(op, [n(4, 5, 6), n(4, 5, 6)], function)
        case(op, [n(1, 3, 1, 8), n(2, 1, 5, 1)], function)
        case(op, [n(7), n(3, 5, 7)], function)
    case("prelu", [n(2, 5, 7), n(7)], lambda x, s: F.prelu(x.transpose(1, 2), s).transpose(1, 2))
    case("geglu", [n(3, 5, 18)], lambda x: x[..., :9] * F.gelu(x[..., 9:]))
    case("square_sum", [n(3, 33), positive(1)], lambda x, before: x.square().sum().reshape(1) + before)


def discretised(x, mean, log_scale):
    """-discretized_gaussian_log_likelihood of improved-diffusion."""
    def cdf(z):
        return 0.5 * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (z + 0.044715 * z ** 3)))
    plus, minus = (cdf((x - mean + s / 255) * torch.exp(-log_scale)) for s in (1, -1))
    return -torch.where(x < -0.999, plus.clamp(min=1e-12).log(),
                        torch.where(x > 0.999, (1 - minus).clamp(min=1e-12).log(),
                                    (plus - minus).clamp(min=1e-12).log()))


def losses():
    def kl(m1, v1, m2=0, v2=0):
        p, q = (torch.distributions.Normal(m, (v / 2).exp()) for m, v in ((m1, v1), (m2 + 0 * m1, v2 + 0 * v1)))
        return torch.distributions.kl_divergence(p, q)
    case("binary_cross_entropy", [3 * n(4, 9), torch.rand((4, 9), dtype=torch.float64)],
         lambda x, y: F.binary_cross_entropy_with_logits(x, y, reduction="none"))
    case("gaussian_kl", [n(4, 9), n(4, 9)], kl)
    case("gaussian_kl", [n(4, 9), n(4, 9), n(4, 9)], kl)
    case("gaussian_kl", [n(4, 9), n(4, 9), n(4, 9), n(4, 9)], kl)
    case("cross_entropy", [n(9, 10), whole(10, 9)], lambda x, y: F.cross_entropy(x, y.long(), reduction="none"))
    case("cross_entropy", [n(2, 3, 5, 7), whole(7, 2, 3, 5)],
         lambda x, y: F.cross_entropy(first(x), y.long(), reduction="none"))
    levels = whole(256, 3, 40).double() / 127.5 - 1  # of a picture, both ends among them
    levels[0, :4], levels[1, :4] = -1, 1
    case("discretised_gaussian", [levels, levels + 0.01 * n(3, 40), -4 + 0.3 * n(3, 40)], discretised)


def main(folder):
    unary(), products(), attentions(), norms(), shapes(), pairs(), losses()
    tensors, listed = {}, []
    for number, (op, settings, inputs, function) in enumerate(CASES):
        # Both sides start from the same f32 numbers.
        inputs = [t if t is None or not t.is_floating_point() else t.float().double().requires_grad_() for t in inputs]
        y = function(*inputs)
        weights = torch.randn(y.shape, dtype=torch.float64).float()
        (y * weights).sum().backward()
        for k, t in enumerate(inputs):
            if t is None:
                continue
            tensors[f"{number}.in.{k}"] = t.detach().float() if t.is_floating_point() else t
            if t.is_floating_point():
                tensors[f"{number}.grad.{k}"] = t.grad.float()
        tensors[f"{number}.y"], tensors[f"{number}.weights"] = y.detach().float(), weights
        listed.append({"op": op, "settings": settings})
    save_file({k: t.contiguous() for k, t in tensors.items()}, os.path.join(folder, "gradients.safetensors"))
    with open(os.path.join(folder, "gradients.json"), "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(c) for c in listed) + "\n]\n")


if __name__ == "__main__":
    main(sys.argv[1])
