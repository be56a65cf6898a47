"""Loads exported files strictly into PyTorch modules with the names of timm, transformers and facebookresearch, and
compares their features with Hatchling's: `deno run -A tests/export/make_cases.ts FOLDER`, then
`python3 check_export.py FOLDER`.
"""
import json
import struct
import sys
from pathlib import Path

import numpy as np
import torch

import export_models as models

TYPES = {"I64": (np.int64, torch.int64),
         "F32": (np.float32, torch.float32), "F16": (np.float16, torch.float16), "BF16": (np.int16, torch.bfloat16)}
# Of the largest value: the features are float32 on both sides.
MOST = 2e-5

# What timm's models have where nothing is said, as far as it is not the default of its class.
DIMS = {"tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16),
        "giant": (1536, 40, 24), "huge": (1280, 32, 20)}


def read(path):
    data = Path(path).read_bytes()
    length, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    about = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        kind, dtype = TYPES[entry["dtype"]]
        values = torch.from_numpy(np.frombuffer(data[8 + length:][begin:end], kind).copy())
        values = values.view(torch.bfloat16) if dtype is torch.bfloat16 else values
        tensors[name] = values.reshape(entry["shape"]).to(torch.int64 if dtype is torch.int64 else torch.float32)
    return tensors, about


def timm_model(config):
    name, args = config["architecture"], config["model_args"]
    words = name.split("_")
    dim, depth, heads = DIMS[words[1]]
    patch = next(int(word[5:]) for word in words if word.startswith("patch"))
    given = dict(embed_dim=dim, depth=depth, num_heads=heads, patch_size=patch)
    if "dinov3" in name:
        gated = "plus" in name
        return models.TimmEva(**{**given, "qkv_bias": "qkvb" in name, "swiglu_mlp": gated,
                                 "swiglu_align_to": 8 if gated else 0, **args})
    if "dinov2" in name:
        given.update(img_size=518, init_values=1e-5, packed="giant" in name)
        if "giant" in name:
            given.update(mlp_ratio=2.66667 * 2)
        if "reg4" in name:
            given.update(reg_tokens=4, no_embed_class=True)
    return models.TimmViT(**{**given, **args})


def loaded(model, tensors):
    model.load_state_dict(tensors, strict=True)
    return model.eval()


def compare(what, found, wanted):
    error = ((found - wanted).abs().max() / wanted.abs().max()).item()
    print(f"{what}: {error:.1e}")
    return found.shape == wanted.shape and error < MOST


def torchvision_model(name):
    """timm's ResNets have torchvision's names."""
    import torchvision

    model = getattr(torchvision.models, name)()
    model.fc = torch.nn.Identity()
    model.pooled = model.forward
    return model


def hf_model(config):
    kinds = {"dinov3_vit": models.HfDinov3, "resnet": models.HfResNet}
    return kinds.get(config["model_type"], models.HfViT)(config)


@torch.no_grad()
def check(case):
    values, about = read(case / "features.safetensors")
    shape = json.loads(about["shape"])
    resnet = shape["family"].startswith("resnet")
    found = []

    def both(layout, model):
        name = f"{case.name} {layout}"
        found.append(compare(f"{name} pooled", model.pooled(values["pixels"]), values["pooled"]))
        if not resnet:
            found.append(compare(f"{name} tokens", model.tokens(values["pixels"]), values["tokens"]))

    if (case / "timm").exists():
        config = json.loads((case / "timm/config.json").read_text())
        model = torchvision_model(config["architecture"]) if resnet else timm_model(config)
        both("timm", loaded(model, read(case / "timm/model.safetensors")[0]))
    if (case / "hf").exists():
        config = json.loads((case / "hf/config.json").read_text())
        tensors, about = read(case / "hf/model.safetensors")
        assert about["format"] == "pt"
        both("hf", loaded(hf_model(config), tensors))
    if (case / "fb").exists():
        tensors, _ = read(case / "fb/model.safetensors")
        backbone = {k[len("backbone."):]: v for k, v in tensors.items() if k.startswith("backbone.")}
        both("fb", loaded(torchvision_model(shape["family"]) if resnet else models.FbViT(**shape), backbone))
        head = {k[len("head."):]: v for k, v in tensors.items() if k.startswith("head.")}
        hidden, dim = head["mlp.0.weight"].shape
        plain = "last_layer.weight" in head
        out, bottleneck = head["last_layer.weight" if plain else "last_layer.weight_v"].shape
        count = 1 + max(int(k.split(".")[1]) for k in head if k.startswith("mlp.")) // 2
        module = loaded(models.DINOHead(dim, out, count, hidden, bottleneck, plain), head)
        found.append(compare(f"{case.name} fb head", module(values["pooled"]), values["logits"]))
    return all(found)


if __name__ == "__main__":
    cases = sorted(p.parent for p in Path(sys.argv[1]).glob("*/features.safetensors"))
    results = [check(case) for case in cases]
    print(f"{sum(results)} of {len(results)} cases")
    sys.exit(0 if results and all(results) else 1)
