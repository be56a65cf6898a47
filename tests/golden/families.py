"""The families of vision transformers that are trained on from published weights, in plain PyTorch: DINO, DINOv2 (with
and without registers, LayerScale, SwiGLU), DINOv3 (RoPE, no bias of keys), timm's with mean pooling.

Independent of reference.py: position embeddings go through torch's own `interpolate` (as in each repository's
`interpolate_pos_encoding` / `resample_abs_pos_embed`), attention through tensors of [3, B, heads, N, head_dim].
Parameters carry timm's names; SwiGLU's are DINOv2's.
"""
import math
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F

DEFAULTS = dict(mlp="gelu", mlp_hidden_dim=None, mlp_ratio=4, in_chans=3, class_token=True, registers=0, layer_scale=None,
                pos_embed="learned", rope_base=100.0, qkv_bias="all", fc_norm=False, norm_eps=1e-6, pos_interp="offset")


def settings(vit: dict) -> SimpleNamespace:
    c = SimpleNamespace(**{**DEFAULTS, **vit})
    c.hidden = c.mlp_hidden_dim or int(c.dim * c.mlp_ratio)
    c.grid = c.image_size // c.patch_size
    c.prefix = int(c.class_token) + c.registers
    return c


def shapes(c, mask: bool) -> dict:
    """Names and shapes, in the order of `VisionTransformer.specs()`."""
    d, out = c.dim, {}
    if c.class_token:
        out["cls_token"] = (1, 1, d)
    if c.pos_embed == "learned":
        out["pos_embed"] = (1, int(c.class_token) + c.grid ** 2, d)
    if c.registers:
        out["reg_token"] = (1, c.registers, d)
    out["patch_embed.proj.weight"], out["patch_embed.proj.bias"] = (d, c.in_chans, c.patch_size, c.patch_size), (d,)
    if mask:
        out["mask_token"] = (1, d)
    for i in range(c.depth):
        b = f"blocks.{i}."
        layers = [("norm1", None), ("attn.qkv", (3 * d, d)), ("attn.proj", (d, d)), ("ls1", None), ("norm2", None)]
        layers += [("mlp.w12", (2 * c.hidden, d)), ("mlp.w3", (d, c.hidden))] if c.mlp == "swiglu" else \
            [("mlp.fc1", (c.hidden, d)), ("mlp.fc2", (d, c.hidden))]
        for name, shape in layers + [("ls2", None)]:
            if name.startswith("ls"):
                if c.layer_scale is not None:
                    out[f"{b}{name}.gamma"] = (d,)
                continue
            out[f"{b}{name}.weight"] = shape or (d,)
            if name != "attn.qkv" or c.qkv_bias != "none":
                out[f"{b}{name}.bias"] = (shape or (d,))[:1]
    final = "fc_norm" if c.fc_norm else "norm"
    out[final + ".weight"], out[final + ".bias"] = (d,), (d,)
    return out


def init(shapes_: dict, rng) -> dict:
    """Large enough that a mistake anywhere shows."""
    out = {}
    for name, shape in shapes_.items():
        z = rng.standard_normal(shape)
        if name.endswith("gamma"):
            v = 0.7 + 0.4 * z
        elif "norm" in name:
            v = 1.0 + 0.2 * z if name.endswith("weight") else 0.1 * z
        elif name.endswith(".bias"):
            v = 0.3 * z
        elif name.endswith("token") or name == "pos_embed":
            v = 0.5 * z
        else:
            v = z / math.sqrt(np.prod(shape[1:]))
        out[name] = torch.from_numpy(np.asarray(v, np.float32).reshape(shape).copy())
    return out


def resample(pos: torch.Tensor, c, rows: int, cols: int) -> torch.Tensor:
    """As `interpolate_pos_encoding` of facebookresearch's repositories and timm's `resample_abs_pos_embed`."""
    n = int(c.class_token)
    if (rows, cols) == (c.grid, c.grid):
        return pos
    table = pos[:, n:].reshape(1, c.grid, c.grid, c.dim).permute(0, 3, 1, 2)
    how = dict(mode="bicubic", antialias=c.pos_interp.endswith("antialias"))
    if c.pos_interp.startswith("offset"):
        table = F.interpolate(table, scale_factor=((rows + 0.1) / c.grid, (cols + 0.1) / c.grid), **how)
    else:
        table = F.interpolate(table, size=(rows, cols), **how)
    assert table.shape[-2:] == (rows, cols)
    return torch.cat([pos[:, :n], table.permute(0, 2, 3, 1).reshape(1, rows * cols, c.dim)], 1)


def rope(c, rows: int, cols: int, dt):
    """sin and cos [rows * cols, head_dim] of DINOv3's RopePositionEmbedding with normalize_coords "separate"."""
    width = c.dim // c.heads
    periods = c.rope_base ** (2 * torch.arange(width // 4, dtype=dt) / (width // 2))
    down, across = torch.arange(0.5, rows, dtype=dt) / rows, torch.arange(0.5, cols, dtype=dt) / cols
    coords = 2.0 * torch.stack(torch.meshgrid(down, across, indexing="ij"), -1).flatten(0, 1) - 1.0
    angles = (2 * math.pi * coords[:, :, None] / periods[None, None, :]).flatten(1, 2).tile(2)
    return torch.sin(angles), torch.cos(angles)


def rotated(x: torch.Tensor, sin: torch.Tensor, cos: torch.Tensor) -> torch.Tensor:
    """x [B, heads, N, head_dim]; the last tokens are the patches."""
    n = x.shape[2] - sin.shape[0]
    first, patches = x[:, :, :n], x[:, :, n:]
    a, b = patches.chunk(2, dim=-1)
    return torch.cat([first, patches * cos + torch.cat([-b, a], -1) * sin], 2)


def forward(p: dict, c, images: torch.Tensor, *, mask=None, drop=None, trace=None) -> torch.Tensor:
    """All tokens after the final norm; before it with fc_norm."""
    b, _, height, width = images.shape
    rows, cols, d, heads = height // c.patch_size, width // c.patch_size, c.dim, c.heads
    x = F.conv2d(images, p["patch_embed.proj.weight"], p["patch_embed.proj.bias"], stride=c.patch_size)
    x = x.flatten(2).transpose(1, 2)
    if mask is not None:
        x = torch.where(mask.unsqueeze(-1), p["mask_token"].unsqueeze(0), x)
    if c.class_token:
        x = torch.cat([p["cls_token"].expand(b, -1, -1), x], 1)
    if c.pos_embed == "learned":
        x = x + resample(p["pos_embed"], c, rows, cols)
    if c.registers:  # they have no position
        n = int(c.class_token)
        x = torch.cat([x[:, :n], p["reg_token"].expand(b, -1, -1), x[:, n:]], 1)
    trace["tokens"] = x
    turns = rope(c, rows, cols, x.dtype) if c.pos_embed == "rope" else None
    for i in range(c.depth):
        def of(name):
            return p.get(f"blocks.{i}.{name}")

        def added(h, which, scale):
            h = h if c.layer_scale is None else h * of(f"{scale}.gamma")
            return h if drop is None else h * drop[i][which].to(h.dtype).view(b, 1, 1)
        h = F.layer_norm(x, (d,), of("norm1.weight"), of("norm1.bias"), c.norm_eps)
        bias = of("attn.qkv.bias")
        if c.qkv_bias == "no_key":  # LinearKMaskedBias
            keep = torch.ones_like(bias)
            keep[d:2 * d] = 0
            bias = bias * keep
        qkv = F.linear(h, of("attn.qkv.weight"), bias).reshape(b, -1, 3, heads, d // heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        if turns:
            q, k = rotated(q, *turns), rotated(k, *turns)
        att = (q * (d // heads) ** -0.5 @ k.transpose(-2, -1)).softmax(-1)
        h = (att @ v).transpose(1, 2).reshape(b, -1, d)
        x = x + added(F.linear(h, of("attn.proj.weight"), of("attn.proj.bias")), 0, "ls1")
        h = F.layer_norm(x, (d,), of("norm2.weight"), of("norm2.bias"), c.norm_eps)
        if c.mlp == "swiglu":
            gate, value = F.linear(h, of("mlp.w12.weight"), of("mlp.w12.bias")).chunk(2, dim=-1)
            h = F.linear(F.silu(gate) * value, of("mlp.w3.weight"), of("mlp.w3.bias"))
        else:
            h = F.linear(F.gelu(F.linear(h, of("mlp.fc1.weight"), of("mlp.fc1.bias"))), of("mlp.fc2.weight"), of("mlp.fc2.bias"))
        x = x + added(h, 1, "ls2")
        trace[f"block.{i}"], trace["attention"] = x, att
    if not c.fc_norm:
        x = F.layer_norm(x, (d,), p["norm.weight"], p["norm.bias"], c.norm_eps)
    trace["normed"] = x
    return x


def read(p: dict, c, x: torch.Tensor, word: str) -> torch.Tensor:
    if word == "tokens":
        return x
    y = x[:, 0] if word == "class" else x[:, c.prefix:].mean(1)
    return F.layer_norm(y, (c.dim,), p["fc_norm.weight"], p["fc_norm.bias"], c.norm_eps) if c.fc_norm else y


def makers(tools) -> dict:
    """By kind of case; `tools` is make_golden, whose precision and noise table they share."""
    def family(case, rng):
        c, (b, height, width) = settings(case["vit"]), case["input"]
        patches = height * width // c.patch_size ** 2
        p = init(shapes(c, "mask_share" in case), rng)
        x = tools.normal(rng, b, c.in_chans, height, width)
        g = tools.normal(rng, *((b, c.prefix + patches, c.dim) if case["read"] == "tokens" else (b, c.dim)))
        ten, mask, drop = tools.inputs(x=x, grad_y=g, param=p), None, None
        if "mask_share" in case:
            mask = torch.from_numpy(rng.random((b, patches)) < case["mask_share"])
            ten["in.mask"] = mask.int().numpy()
        if case.get("drop_path_rate"):
            rates = [case["drop_path_rate"] * i / (c.depth - 1) for i in range(c.depth)]
            drop = []
            for i, rate in enumerate(rates):
                keep = [(rng.random(b) >= rate).astype(np.float32) for _ in range(2)]
                ten[f"in.keep.{i}.attn"], ten[f"in.keep.{i}.mlp"] = keep
                drop.append([torch.from_numpy(k).double() / (1 - rate) for k in keep])

        def run(dt):
            q = {n: tools.leaf(t, dt) for n, t in p.items()}
            a, trace = tools.leaf(x, dt), {}
            y = read(q, c, forward(q, c, a, mask=mask, drop=drop, trace=trace), case["read"])
            (y * g.to(dt)).sum().backward()
            return {"y": y, "grad_x": a.grad, **trace, **{"grad." + n: t.grad for n, t in q.items()}}, {}
        out, info = tools.two_runs(run)
        return {**ten, **out}, info
    return {"family": family}
