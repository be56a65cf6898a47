"""Vision transformers with the parameter names and shapes of timm, transformers and facebookresearch.

Written for strict loads of exported files: constructors take what config.json or the README of the export says,
`tokens(x)` gives all tokens after the final norm, `pooled(x)` a picture's feature.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn


def attend(q, k, v, heads, rotation=None, prefix=0):
    """q, k, v [B, N, D]; rotation (cos, sin) [patches, D / heads] turns what comes after `prefix` tokens."""
    batch, count, dim = q.shape
    q, k, v = (t.reshape(batch, count, heads, dim // heads).transpose(1, 2) for t in (q, k, v))
    if rotation is not None:
        cos, sin = rotation

        def turn(t):
            before, patches = t[:, :, :prefix], t[:, :, prefix:]
            first, second = patches.chunk(2, dim=-1)
            return torch.cat([before, patches * cos + torch.cat([-second, first], -1) * sin], 2)

        q, k = turn(q), turn(k)
    scores = q @ k.transpose(-2, -1) / math.sqrt(dim // heads)
    return (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, count, dim)


def rotary(height, width, head_dim, base):
    """Angles of patch centres in [-1, 1] per axis; base ** (i / n) are the n = head_dim / 4 periods."""
    count = head_dim // 4
    periods = base ** (torch.arange(count, dtype=torch.float64) / count)
    rows = 2 * (torch.arange(height, dtype=torch.float64) + 0.5) / height - 1
    cols = 2 * (torch.arange(width, dtype=torch.float64) + 0.5) / width - 1
    grid = torch.stack(torch.meshgrid(rows, cols, indexing="ij"), -1).reshape(-1, 2)
    angles = (2 * math.pi * grid[:, :, None] / periods).flatten(1).tile(2)
    return angles.cos().float(), angles.sin().float()


class Scale(nn.Module):
    def __init__(self, dim, name="gamma"):
        super().__init__()
        self.name = name
        self.register_parameter(name, nn.Parameter(torch.zeros(dim)))

    def forward(self, x):
        return x * getattr(self, self.name)


class Holder(nn.Module):
    """Modules and parameters by name."""

    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, nn.Parameter(part) if isinstance(part, torch.Tensor) else part)


# ---- timm


class TimmMlp(nn.Module):
    def __init__(self, dim, hidden, packed):
        super().__init__()
        self.packed = packed
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden // 2 if packed else hidden, dim)

    def forward(self, x):
        x = self.fc1(x)
        if self.packed:
            first, second = x.chunk(2, -1)
            return self.fc2(F.silu(first) * second)
        return self.fc2(F.gelu(x))


class TimmAttention(nn.Module):
    def __init__(self, dim, heads, bias):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=bias)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        return self.proj(attend(*self.qkv(x).chunk(3, -1), self.heads))


class TimmBlock(nn.Module):
    def __init__(self, dim, heads, hidden, bias, scale, packed, eps):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=eps)
        self.attn = TimmAttention(dim, heads, bias)
        self.ls1 = nn.Identity() if scale is None else Scale(dim)
        self.norm2 = nn.LayerNorm(dim, eps=eps)
        self.mlp = TimmMlp(dim, hidden, packed)
        self.ls2 = nn.Identity() if scale is None else Scale(dim)

    def forward(self, x):
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp(self.norm2(x)))


class TimmViT(nn.Module):
    def __init__(self, img_size=224, patch_size=16, in_chans=3, embed_dim=768, depth=12, num_heads=12, mlp_ratio=4.,
                 qkv_bias=True, init_values=None, class_token=True, no_embed_class=False, reg_tokens=0,
                 global_pool="token", fc_norm=None, packed=False, eps=1e-6):
        super().__init__()
        dim = embed_dim
        self.prefix = int(class_token) + reg_tokens
        self.no_embed_class, self.global_pool = no_embed_class, global_pool
        self.patch_embed = Holder(proj=nn.Conv2d(in_chans, dim, patch_size, patch_size))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim)) if class_token else None
        self.reg_token = nn.Parameter(torch.zeros(1, reg_tokens, dim)) if reg_tokens else None
        patches = (img_size // patch_size) ** 2
        places = patches if no_embed_class else patches + self.prefix
        self.pos_embed = nn.Parameter(torch.zeros(1, places, dim))
        self.blocks = nn.Sequential(*[
            TimmBlock(dim, num_heads, int(dim * mlp_ratio), qkv_bias, init_values, packed, eps) for _ in range(depth)
        ])
        after = (global_pool == "avg") if fc_norm is None else fc_norm
        self.norm = nn.Identity() if after else nn.LayerNorm(dim, eps=eps)
        self.fc_norm = nn.LayerNorm(dim, eps=eps) if after else nn.Identity()

    def tokens(self, x):
        x = self.patch_embed.proj(x).flatten(2).transpose(1, 2)
        before = [t.expand(len(x), -1, -1) for t in (self.cls_token, self.reg_token) if t is not None]
        if self.no_embed_class:
            x = torch.cat(before + [x + self.pos_embed], 1)
        else:
            x = torch.cat(before + [x], 1) + self.pos_embed
        return self.norm(self.blocks(x))

    def pooled(self, x):
        x = self.tokens(x)
        return self.fc_norm(x[:, self.prefix:].mean(1) if self.global_pool == "avg" else x[:, 0])


class EvaMlp(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.fc1_g = nn.Linear(dim, hidden)
        self.fc1_x = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x):
        return self.fc2(F.silu(self.fc1_g(x)) * self.fc1_x(x))


class EvaAttention(nn.Module):
    def __init__(self, dim, heads, bias):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(dim)) if bias else None
        self.v_bias = nn.Parameter(torch.zeros(dim)) if bias else None
        self.proj = nn.Linear(dim, dim)

    def forward(self, x, rotation, prefix):
        q, k, v = self.qkv(x).chunk(3, -1)
        if self.q_bias is not None:
            q, v = q + self.q_bias, v + self.v_bias
        return self.proj(attend(q, k, v, self.heads, rotation, prefix))


class EvaBlock(nn.Module):
    def __init__(self, dim, heads, hidden, bias, scale, gated, eps):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=eps)
        self.attn = EvaAttention(dim, heads, bias)
        self.gamma_1 = None if scale is None else nn.Parameter(torch.zeros(dim))
        self.norm2 = nn.LayerNorm(dim, eps=eps)
        self.mlp = EvaMlp(dim, hidden) if gated else TimmMlp(dim, hidden, False)
        self.gamma_2 = None if scale is None else nn.Parameter(torch.zeros(dim))

    def forward(self, x, rotation, prefix):
        y = self.attn(self.norm1(x), rotation, prefix)
        x = x + (y if self.gamma_1 is None else self.gamma_1 * y)
        y = self.mlp(self.norm2(x))
        return x + (y if self.gamma_2 is None else self.gamma_2 * y)


class TimmEva(nn.Module):
    def __init__(self, img_size=256, patch_size=16, in_chans=3, embed_dim=384, depth=12, num_heads=6, mlp_ratio=4.,
                 qkv_bias=True, init_values=1e-5, class_token=True, global_pool="avg", num_reg_tokens=4,
                 use_fc_norm=False, rope_temperature=100., swiglu_mlp=False, swiglu_align_to=0, eps=1e-5):
        super().__init__()
        dim, hidden = embed_dim, int(embed_dim * mlp_ratio)
        if swiglu_align_to:
            hidden += -hidden % swiglu_align_to
        self.prefix, self.global_pool = int(class_token) + num_reg_tokens, global_pool
        self.base, self.head_dim = rope_temperature, dim // num_heads
        self.patch_embed = Holder(proj=nn.Conv2d(in_chans, dim, patch_size, patch_size))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim)) if class_token else None
        self.reg_token = nn.Parameter(torch.zeros(1, num_reg_tokens, dim)) if num_reg_tokens else None
        self.blocks = nn.ModuleList([
            EvaBlock(dim, num_heads, hidden, qkv_bias, init_values, swiglu_mlp, eps) for _ in range(depth)
        ])
        self.norm = nn.Identity() if use_fc_norm else nn.LayerNorm(dim, eps=eps)
        self.fc_norm = nn.LayerNorm(dim, eps=eps) if use_fc_norm else nn.Identity()

    def tokens(self, x):
        grid = self.patch_embed.proj(x)
        rotation = rotary(*grid.shape[2:], self.head_dim, self.base)
        before = [t.expand(len(x), -1, -1) for t in (self.cls_token, self.reg_token) if t is not None]
        x = torch.cat(before + [grid.flatten(2).transpose(1, 2)], 1)
        for block in self.blocks:
            x = block(x, rotation, self.prefix)
        return self.norm(x)

    def pooled(self, x):
        x = self.tokens(x)
        return self.fc_norm(x[:, self.prefix:].mean(1) if self.global_pool == "avg" else x[:, 0])


# ---- transformers: a config is config.json as a dict


class HfAttention(nn.Module):
    def __init__(self, dim, heads, bias):
        super().__init__()
        self.heads = heads
        self.attention = Holder(**{name: nn.Linear(dim, dim, bias=bias) for name in ("query", "key", "value")})
        self.output = Holder(dense=nn.Linear(dim, dim))

    def forward(self, x):
        a = self.attention
        return self.output.dense(attend(a.query(x), a.key(x), a.value(x), self.heads))


class HfViTLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        dim, hidden, eps = c["hidden_size"], c["intermediate_size"], c["layer_norm_eps"]
        self.attention = HfAttention(dim, c["num_attention_heads"], c["qkv_bias"])
        self.intermediate = Holder(dense=nn.Linear(dim, hidden))
        self.output = Holder(dense=nn.Linear(hidden, dim))
        self.layernorm_before = nn.LayerNorm(dim, eps=eps)
        self.layernorm_after = nn.LayerNorm(dim, eps=eps)

    def forward(self, x):
        x = x + self.attention(self.layernorm_before(x))
        return x + self.output.dense(F.gelu(self.intermediate.dense(self.layernorm_after(x))))


class HfDinov2Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        dim, eps = c["hidden_size"], c["layer_norm_eps"]
        hidden = int(dim * c["mlp_ratio"])
        self.gated = c["use_swiglu_ffn"]
        self.norm1 = nn.LayerNorm(dim, eps=eps)
        self.attention = HfAttention(dim, c["num_attention_heads"], c["qkv_bias"])
        self.layer_scale1 = Scale(dim, "lambda1")
        self.norm2 = nn.LayerNorm(dim, eps=eps)
        if self.gated:
            hidden = (int(hidden * 2 / 3) + 7) // 8 * 8
            self.mlp = Holder(weights_in=nn.Linear(dim, 2 * hidden), weights_out=nn.Linear(hidden, dim))
        else:
            self.mlp = Holder(fc1=nn.Linear(dim, hidden), fc2=nn.Linear(hidden, dim))
        self.layer_scale2 = Scale(dim, "lambda1")

    def forward(self, x):
        x = x + self.layer_scale1(self.attention(self.norm1(x)))
        y = self.norm2(x)
        if self.gated:
            first, second = self.mlp.weights_in(y).chunk(2, -1)
            y = self.mlp.weights_out(F.silu(first) * second)
        else:
            y = self.mlp.fc2(F.gelu(self.mlp.fc1(y)))
        return x + self.layer_scale2(y)


class HfViT(nn.Module):
    """ViTModel without pooler, Dinov2Model, Dinov2WithRegistersModel."""

    def __init__(self, c):
        super().__init__()
        dim, patch, kind = c["hidden_size"], c["patch_size"], c["model_type"]
        places = 1 + (c["image_size"] // patch) ** 2
        parts = dict(
            cls_token=torch.zeros(1, 1, dim),
            position_embeddings=torch.zeros(1, places, dim),
            patch_embeddings=Holder(projection=nn.Conv2d(c["num_channels"], dim, patch, patch)),
        )
        if kind == "dinov2_with_registers":
            parts["register_tokens"] = torch.zeros(1, c["num_register_tokens"], dim)
        if kind == "dinov2_with_registers" or kind == "dinov2" and c["use_mask_token"]:
            parts["mask_token"] = torch.zeros(1, dim)
        self.embeddings = Holder(**parts)
        layer = HfViTLayer if kind == "vit" else HfDinov2Layer
        self.encoder = Holder(layer=nn.ModuleList([layer(c) for _ in range(c["num_hidden_layers"])]))
        self.layernorm = nn.LayerNorm(dim, eps=c["layer_norm_eps"])

    def tokens(self, x):
        e = self.embeddings
        x = e.patch_embeddings.projection(x).flatten(2).transpose(1, 2)
        x = torch.cat([e.cls_token.expand(len(x), -1, -1), x], 1) + e.position_embeddings
        if hasattr(e, "register_tokens"):
            x = torch.cat([x[:, :1], e.register_tokens.expand(len(x), -1, -1), x[:, 1:]], 1)
        for layer in self.encoder.layer:
            x = layer(x)
        return self.layernorm(x)

    def pooled(self, x):
        return self.tokens(x)[:, 0]


class HfDinov3Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        dim, hidden, eps = c["hidden_size"], c["intermediate_size"], c["layer_norm_eps"]
        self.heads, self.gated = c["num_attention_heads"], c["use_gated_mlp"]
        self.norm1 = nn.LayerNorm(dim, eps=eps)
        self.attention = Holder(
            q_proj=nn.Linear(dim, dim, bias=c["query_bias"]),
            k_proj=nn.Linear(dim, dim, bias=c["key_bias"]),
            v_proj=nn.Linear(dim, dim, bias=c["value_bias"]),
            o_proj=nn.Linear(dim, dim, bias=c["proj_bias"]),
        )
        self.layer_scale1 = Scale(dim, "lambda1")
        self.norm2 = nn.LayerNorm(dim, eps=eps)
        up = dict(up_proj=nn.Linear(dim, hidden), down_proj=nn.Linear(hidden, dim))
        self.mlp = Holder(**up, **(dict(gate_proj=nn.Linear(dim, hidden)) if self.gated else {}))
        self.layer_scale2 = Scale(dim, "lambda1")

    def forward(self, x, rotation, prefix):
        a, y = self.attention, self.norm1(x)
        y = a.o_proj(attend(a.q_proj(y), a.k_proj(y), a.v_proj(y), self.heads, rotation, prefix))
        x = x + self.layer_scale1(y)
        y = self.norm2(x)
        m = self.mlp
        y = F.silu(m.gate_proj(y)) * m.up_proj(y) if self.gated else F.gelu(m.up_proj(y))
        return x + self.layer_scale2(m.down_proj(y))


class HfDinov3(nn.Module):
    def __init__(self, c):
        super().__init__()
        dim, patch, registers = c["hidden_size"], c["patch_size"], c["num_register_tokens"]
        self.prefix, self.base = 1 + registers, c.get("rope_theta", 100.)
        self.head_dim = dim // c["num_attention_heads"]
        self.embeddings = Holder(
            cls_token=torch.zeros(1, 1, dim),
            mask_token=torch.zeros(1, 1, dim),
            register_tokens=torch.zeros(1, registers, dim),
            patch_embeddings=nn.Conv2d(c["num_channels"], dim, patch, patch),
        )
        self.layer = nn.ModuleList([HfDinov3Layer(c) for _ in range(c["num_hidden_layers"])])
        self.norm = nn.LayerNorm(dim, eps=c["layer_norm_eps"])

    def tokens(self, x):
        e = self.embeddings
        grid = e.patch_embeddings(x)
        rotation = rotary(*grid.shape[2:], self.head_dim, self.base)
        before = [t.expand(len(x), -1, -1) for t in (e.cls_token, e.register_tokens)]
        x = torch.cat(before + [grid.flatten(2).transpose(1, 2)], 1)
        for layer in self.layer:
            x = layer(x, rotation, self.prefix)
        return self.norm(x)

    def pooled(self, x):
        return self.tokens(x)[:, 0]


class HfConv(nn.Module):
    def __init__(self, inputs, outputs, side, stride):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False)
        self.normalization = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.normalization(self.convolution(x))


class HfResNetLayer(nn.Module):
    def __init__(self, inputs, outputs, stride, bottleneck):
        super().__init__()
        inner = outputs // 4
        shapes = [(inputs, inner, 1, 1), (inner, inner, 3, stride), (inner, outputs, 1, 1)] if bottleneck else [
            (inputs, outputs, 3, stride), (outputs, outputs, 3, 1)]
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else HfConv(inputs, outputs, 1, stride)
        self.layer = nn.Sequential(*[HfConv(*shape) for shape in shapes])

    def forward(self, x):
        y = x
        for i, conv in enumerate(self.layer):
            y = conv(y if i == 0 else F.relu(y))
        return F.relu(y + self.shortcut(x))


class HfResNet(nn.Module):
    """ResNetModel."""

    def __init__(self, c):
        super().__init__()
        inputs, stages = c["embedding_size"], []
        self.embedder = Holder(embedder=HfConv(c["num_channels"], inputs, 7, 2))
        for i, (outputs, depth) in enumerate(zip(c["hidden_sizes"], c["depths"])):
            layers = []
            for j in range(depth):
                stride = 2 if i > 0 and j == 0 else 1
                layers.append(HfResNetLayer(inputs, outputs, stride, c["layer_type"] == "bottleneck"))
                inputs = outputs
            stages.append(Holder(layers=nn.Sequential(*layers)))
        self.encoder = Holder(stages=nn.ModuleList(stages))

    def pooled(self, x):
        x = F.max_pool2d(F.relu(self.embedder.embedder(x)), 3, 2, 1)
        for stage in self.encoder.stages:
            x = stage.layers(x)
        return x.mean((2, 3))


# ---- facebookresearch


class FbMlp(nn.Module):
    def __init__(self, dim, hidden, kind):
        super().__init__()
        self.kind = kind
        if kind == "w12":
            self.w12 = nn.Linear(dim, 2 * hidden)
        elif kind == "w1":
            self.w1, self.w2 = nn.Linear(dim, hidden), nn.Linear(dim, hidden)
        if kind == "fc":
            self.fc1, self.fc2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        else:
            self.w3 = nn.Linear(hidden, dim)

    def forward(self, x):
        if self.kind == "fc":
            return self.fc2(F.gelu(self.fc1(x)))
        first, second = self.w12(x).chunk(2, -1) if self.kind == "w12" else (self.w1(x), self.w2(x))
        return self.w3(F.silu(first) * second)


class FbAttention(nn.Module):
    def __init__(self, dim, heads, bias, masked):
        super().__init__()
        self.heads, self.masked = heads, masked
        self.qkv = nn.Linear(dim, 3 * dim, bias=bias)
        if masked:
            self.qkv.register_buffer("bias_mask", torch.full((3 * dim,), math.nan))
        self.proj = nn.Linear(dim, dim)

    def forward(self, x, rotation, prefix):
        bias = self.qkv.bias * self.qkv.bias_mask if self.masked else self.qkv.bias
        qkv = F.linear(x, self.qkv.weight, bias)
        return self.proj(attend(*qkv.chunk(3, -1), self.heads, rotation, prefix))


class FbBlock(nn.Module):
    def __init__(self, dim, heads, hidden, bias, masked, scale, kind, eps):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=eps)
        self.attn = FbAttention(dim, heads, bias, masked)
        self.ls1 = Scale(dim) if scale else nn.Identity()
        self.norm2 = nn.LayerNorm(dim, eps=eps)
        self.mlp = FbMlp(dim, hidden, kind)
        self.ls2 = Scale(dim) if scale else nn.Identity()

    def forward(self, x, rotation, prefix):
        x = x + self.ls1(self.attn(self.norm1(x), rotation, prefix))
        return x + self.ls2(self.mlp(self.norm2(x)))


class FbViT(nn.Module):
    """family: dino, dinov2, dinov3."""

    def __init__(self, family, image, patch, chans, dim, depth, heads, hidden, bias="all", registers=0, scale=False,
                 gated=False, base=100., eps=1e-6):
        super().__init__()
        self.family, self.heads, self.base, self.prefix = family, heads, base, 1 + registers
        self.patch_embed = Holder(proj=nn.Conv2d(chans, dim, patch, patch))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        if family != "dino":
            self.mask_token = nn.Parameter(torch.zeros(1, dim))
        self.registers = {"dinov2": "register_tokens", "dinov3": "storage_tokens"}.get(family) if registers else None
        if self.registers:
            self.register_parameter(self.registers, nn.Parameter(torch.zeros(1, registers, dim)))
        if family == "dinov3":
            self.rope_embed = nn.Module()
            self.rope_embed.register_buffer("periods", torch.zeros(dim // heads // 4))
        else:
            self.pos_embed = nn.Parameter(torch.zeros(1, 1 + (image // patch) ** 2, dim))
        kind = "fc" if not gated else "w1" if family == "dinov3" else "w12"
        masked = family == "dinov3" and bias == "no_key"
        self.blocks = nn.ModuleList([
            FbBlock(dim, heads, hidden, bias != "none", masked, scale, kind, eps) for _ in range(depth)
        ])
        self.norm = nn.LayerNorm(dim, eps=eps)

    def tokens(self, x):
        grid, rotation = self.patch_embed.proj(x), None
        x = grid.flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1)
        if self.family == "dinov3":
            head_dim = 4 * len(self.rope_embed.periods)
            # The periods of the file, not those of the formula.
            count = head_dim // 4
            formula = self.base ** (torch.arange(count) / count)
            assert torch.allclose(self.rope_embed.periods, formula, rtol=1e-6)
            rotation = rotary(*grid.shape[2:], head_dim, self.base)
        else:
            x = x + self.pos_embed
        if self.registers:
            between = getattr(self, self.registers).expand(len(x), -1, -1)
            x = torch.cat([x[:, :1], between, x[:, 1:]], 1)
        for block in self.blocks:
            x = block(x, rotation, self.prefix)
        return self.norm(x)

    def pooled(self, x):
        return self.tokens(x)[:, 0]


class DINOHead(nn.Module):
    def __init__(self, in_dim, out_dim, nlayers, hidden_dim, bottleneck_dim, plain=False):
        super().__init__()
        widths = [in_dim] + [hidden_dim] * (nlayers - 1) + [bottleneck_dim]
        layers = []
        for i in range(nlayers):
            layers += [nn.Linear(widths[i], widths[i + 1]), nn.GELU()]
        self.mlp = layers[0] if nlayers == 1 else nn.Sequential(*layers[:-1])
        last = nn.Linear(bottleneck_dim, out_dim, bias=False)
        self.last_layer = last if plain else nn.utils.weight_norm(last)

    def forward(self, x):
        return self.last_layer(F.normalize(self.mlp(x), dim=-1, p=2))
