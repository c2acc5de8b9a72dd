# SPDX-License-Identifier: MIT
"""Makes and reads PNGs for the tests of the server."""
import base64
import struct
import zlib


def make_png(width, height, pixel, channels=3, **texts):
    """Encodes a PNG whose pixel (x, y) is what the function `pixel` returns, one number a channel."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(v for x in range(width) for v in pixel(x, y)) for y in range(height))
    kind = {1: 0, 3: 2, 4: 6}[channels]
    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    text = b"".join(chunk(b"tEXt", key.encode() + b"\0" + value.encode("latin1")) for key, value in texts.items())
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + text + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def base64_of(data):
    return base64.b64encode(data).decode()


def texts_of(png):
    """Returns the texts of a PNG by their keys."""
    at, texts = 8, {}
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at:at + 8])
        data = png[at + 8:at + 8 + size]
        if kind == b"tEXt":
            key, _, value = data.partition(b"\0")
            texts[key.decode()] = value.decode("latin1")
        elif kind == b"iTXt":
            key, _, rest = data.partition(b"\0")
            texts[key.decode()] = rest.split(b"\0", 4)[-1].decode()
        at += 12 + size
    return texts


def size_of(png):
    if png[:8] != b"\x89PNG\r\n\x1a\n":
        raise AssertionError(f"no PNG: {png[:16]!r}")
    return struct.unpack(">II", png[16:24])
