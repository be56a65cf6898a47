"""PIL and torchvision for pil.ts. stdin: u32 length, a JSON list of {height, width, ops}, u8 [H, W, 3] of each.
stdout: f32 [3, H, W] of each, one after the other; for an empty list, the versions."""
import json
import os
import struct
import sys

import numpy as np
import PIL
import torchvision

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../tests/golden"))
from reference import augment  # noqa: E402

source, sink = sys.stdin.buffer, sys.stdout.buffer
jobs = json.loads(source.read(struct.unpack("<I", source.read(4))[0]))
if not jobs:
    sink.write(f"PIL {PIL.__version__}, torchvision {torchvision.__version__}".encode())
for job in jobs:
    h, w = job["height"], job["width"]
    image = np.frombuffer(source.read(h * w * 3), np.uint8).reshape(h, w, 3)
    out = augment(image, job["ops"])
    if out.dtype == np.uint8:
        out = out.transpose(2, 0, 1)
    sink.write(np.ascontiguousarray(out, "<f4").tobytes())
