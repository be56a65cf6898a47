"""PyTorch files of every kind that is read, and what they hold.

    python3 make_weights.py weights

`expected.json` says of every file which tensors it holds: name, dtype, shape and values.
"""
import argparse
import collections
import datetime
import json
import os
import pathlib
import sys

import numpy
import torch

torch.manual_seed(0)
NAMES = {
    torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint8: "U8", torch.bool: "BOOL",
}


def dtypes():
    x = torch.tensor([[0.0, 1.0, -2.5], [3.25, 100.0, 0.0]])
    return {str(d).split(".")[1]: (x.abs() if d == torch.uint8 else x).to(d) for d in NAMES}


def strided():
    x = torch.arange(60, dtype=torch.float32).reshape(3, 4, 5)
    half = torch.arange(12, dtype=torch.float16)
    return collections.OrderedDict(
        whole=x, transposed=x.transpose(0, 2), permuted=x.permute(1, 2, 0), slice=x[1, 1:3],
        steps=x[:, ::2, 1::3], column=x[:, :, 2], scalar=x[1, 2, 3], expanded=x[:, :1, 0].expand(3, 6),
        empty=x[:0], half=half[3:], also_half=half.reshape(3, 4).t(), again=x,
        complex=torch.zeros(2, dtype=torch.complex64))


def net():
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))


def checkpoint():
    """As DINO's full checkpoints are: networks, optimiser, loss, arguments."""
    student, teacher = net(), net()
    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-3)
    student(torch.ones(5, 3)).sum().backward()
    optimizer.step()
    args = argparse.Namespace(arch="vit_small", patch_size=16, lr=0.0005, nested=argparse.Namespace(a=1))
    return {
        "student": {f"module.backbone.{k}": v for k, v in student.state_dict().items()},
        "teacher": {f"backbone.{k}": v for k, v in teacher.state_dict().items()},
        "optimizer": optimizer.state_dict(), "epoch": 801, "args": args,
        "dino_loss": collections.OrderedDict(center=torch.ones(1, 7)),
        "fp16_scaler": None, "best": True, 3: [torch.ones(2), {"x": (torch.zeros(1),)}],
    }


class Color(dict):
    """A foreign class, as Lightning and others keep them."""


class Hook:
    pass


def lightning():
    hook = Hook()
    hook.weights = torch.ones(3)
    values = collections.defaultdict(list, a=[1])
    return {
        "state_dict": net().state_dict(), "callbacks": {Hook: {"best": torch.tensor(0.5)}, "s": {1, 2}},
        "hyper_parameters": Color(lr=1), "path": pathlib.PurePosixPath("/a/b"), "hook": hook,
        "loops": values, "bytes": b"abc", "large": 2**80, "frozen": frozenset([1]), "size": torch.Size([2, 3]),
        "device": torch.device("cpu"), "dtype": torch.float16, "when": datetime.timedelta(1),
        "numpy": numpy.float64(0.5), "array": numpy.ones(3),
        "text": "ü" * 20, "none": None,
    }


def parameters():
    weight = torch.nn.Parameter(torch.arange(6, dtype=torch.float32).reshape(2, 3))
    named = torch.nn.Parameter(torch.ones(2))
    named.tag = "kept"  # becomes _rebuild_parameter_with_state where PyTorch has it
    buffer = torch.ones(2, 2, dtype=torch.bfloat16)
    return {"weight": weight, "named": named, "buffer": buffer, "grad": torch.ones(2, requires_grad=True)}


def rows(value, name=""):
    if isinstance(value, torch.Tensor):
        if value.dtype in NAMES:
            yield name or "tensor", value
    elif isinstance(value, dict) and type(value).__module__ != "__main__":
        for k, v in value.items():
            if isinstance(k, (str, int)):
                yield from rows(v, f"{name}.{k}" if name else str(k))
    elif isinstance(value, (list, tuple)):
        for i, v in enumerate(value):
            yield from rows(v, f"{name}.{i}" if name else str(i))


def main(folder):
    os.makedirs(folder, exist_ok=True)
    expected = {}
    cases = dict(dtypes=dtypes, strided=strided, checkpoint=checkpoint, lightning=lightning, parameters=parameters,
                 alone=lambda: torch.arange(4))
    for name, make in cases.items():
        value = make()
        for kind, options in dict(zip={}, legacy={"_use_new_zipfile_serialization": False}).items():
            file = f"{name}.{kind}.pth"
            torch.save(value, os.path.join(folder, file), **options)
            expected[file] = {
                n: [NAMES[t.dtype], list(t.shape), t.detach().double().flatten().tolist()] for n, t in rows(value)
            }
    for protocol in (3, 4, 5):
        for kind, new in dict(zip=True, legacy=False).items():
            file = f"protocol{protocol}.{kind}.pth"
            torch.save(checkpoint(), os.path.join(folder, file), pickle_protocol=protocol,
                       _use_new_zipfile_serialization=new)
            expected[file] = expected[f"checkpoint.{kind}.pth"]
    with open(os.path.join(folder, "expected.json"), "w") as f:
        json.dump(expected, f, separators=(",", ":"))


main(sys.argv[1])
