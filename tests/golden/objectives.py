"""Independent PyTorch reference for what joins or replaces DINO's loss.

As in reference.py everything is functional: weights are a dict ``{name: tensor}``, and the dtype of
that dict decides the precision. Written from the papers, each named where its formula stands.

Beside the names of reference.py there are those of the projector of the contrastive term,

    contrastive_head.mlp.<0,2,4>.{weight,bias}   (one layer alone: contrastive_head.mlp)
    contrastive_head.logit_scale                 (ln(1 / temperature), only where it is learned)
"""
from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
import torch.nn.functional as F

import reference as ref

Tensors = Dict[str, torch.Tensor]

# --------------------------------------------------------------------------
# features
# --------------------------------------------------------------------------
CELLS = {"mean": 1, "quad": 2, "grid": 4}  # down and across


def feature_width(name: str, dim: int) -> int:
    return {"class": dim, "class+mean": 2 * dim}.get(name) or CELLS[name] ** 2 * dim


def feature(tokens: torch.Tensor, rows: int, cols: int, name: str) -> torch.Tensor:
    """tokens [n, 1 + rows*cols, D] after the final norm, class token first -> [n, F].

    Patch tokens are averaged over the cells of adaptive_avg_pool2d; cells lie side by side, row by
    row. With fewer patches than cells some patches count for several cells."""
    if name == "class":
        return tokens[:, 0]
    if name == "class+mean":
        return torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], dim=1)
    n, _, d = tokens.shape
    plane = tokens[:, 1:].transpose(1, 2).reshape(n, d, rows, cols)
    return F.adaptive_avg_pool2d(plane, CELLS[name]).permute(0, 2, 3, 1).reshape(n, -1)


def features_of(p: Tensors, v: ref.ViTConfig, images: torch.Tensor,
                names: Sequence[str]) -> Dict[str, torch.Tensor]:
    """images [n, C, H, W] -> {name: [n, F]}, all from one forward pass."""
    trace: dict = {}
    ref.vit_forward(p, v, images, trace=trace)
    rows, cols = (side // v.patch_size for side in images.shape[2:])
    return {name: feature(trace["normed"], rows, cols, name) for name in names}


def read_out(p: Tensors, v: ref.ViTConfig, images: torch.Tensor, feature_name: str,
             last_blocks: int = 1, combine_blocks: str = "concat") -> torch.Tensor:
    """images [n, C, H, W] -> what is judged, [n, F]: a feature of each of the last blocks, each after
    the final norm, side by side (the last block at the end) or averaged."""
    trace: dict = {}
    ref.vit_forward(p, v, images, trace=trace)
    rows, cols = (side // v.patch_size for side in images.shape[2:])
    found = []
    for i in range(v.depth - last_blocks, v.depth):
        normed = F.layer_norm(trace[f"block.{i}"], (v.dim,), p["norm.weight"], p["norm.bias"],
                              v.ln_eps)
        found.append(feature(normed, rows, cols, feature_name))
    return torch.cat(found, 1) if combine_blocks == "concat" else torch.stack(found).mean(0)


def crop_features(p: Tensors, v: ref.ViTConfig, crops: Sequence[torch.Tensor],
                  names: Sequence[str]) -> Dict[str, torch.Tensor]:
    """crops: one [B, C, H, W] per view -> {name: [V * B, F]}, all samples of view 0 first."""
    parts, start = [], 0
    for i in range(1, len(crops) + 1):
        if i == len(crops) or crops[i].shape[-1] != crops[start].shape[-1]:
            parts.append(features_of(p, v, torch.cat(list(crops[start:i])), names))
            start = i
    return {name: torch.cat([part[name] for part in parts]) for name in names}


# --------------------------------------------------------------------------
# projector
# --------------------------------------------------------------------------
PROJECTOR = "contrastive_head.mlp"
LOGIT_SCALE = "contrastive_head.logit_scale"
MAX_LOGIT_SCALE = math.log(100)  # CLIP, Radford et al. 2021, arXiv:2103.00020, section 2.5


def projector_shapes(widths: Sequence[int]) -> Dict[str, Tuple[int, ...]]:
    """widths: of the input, of every layer's output. GELUs are counted in the names."""
    out: Dict[str, Tuple[int, ...]] = {}
    for i, (n_in, n_out) in enumerate(zip(widths, widths[1:])):
        name = PROJECTOR if len(widths) == 2 else f"{PROJECTOR}.{2 * i}"
        out[name + ".weight"], out[name + ".bias"] = (n_out, n_in), (n_out,)
    return out


def init_projector(shapes: Dict[str, Tuple[int, ...]], rng: np.random.Generator) -> Tensors:
    """What torch.nn.Linear begins with: weights and biases U(-1/sqrt(fan_in), 1/sqrt(fan_in))."""
    out = {}
    for name, shape in shapes.items():
        fan_in = shapes[name.rsplit(".", 1)[0] + ".weight"][1]
        values = rng.uniform(-1, 1, shape) / math.sqrt(fan_in)
        out[name] = torch.from_numpy(values.astype(np.float32))
    return out


def project(p: Tensors, x: torch.Tensor) -> torch.Tensor:
    """[n, F] -> [n, d], rows of length 1: linear layers with GELUs between."""
    names = sorted((n[:-len(".weight")] for n in p
                    if n.startswith(PROJECTOR) and n.endswith(".weight")),
                   key=lambda n: int(n.rsplit(".", 1)[1]) if n != PROJECTOR else 0)
    for i, name in enumerate(names):
        x = F.linear(x if i == 0 else F.gelu(x), p[name + ".weight"], p[name + ".bias"])
    return F.normalize(x, dim=1, eps=1e-12)


# --------------------------------------------------------------------------
# losses
# --------------------------------------------------------------------------
def koleo(features: torch.Tensor, groups: int, eps: float = 1e-8) -> torch.Tensor:
    """Sum over the groups (views) of -1/n sum_i log(||x_i - x_nn(i)|| + eps), rows scaled to
    length 1 (Sablayrolles et al. 2019, arXiv:1806.03198; Oquab et al. 2023, arXiv:2304.07193,
    section 4). The choice of the neighbour has no gradient, the neighbour has."""
    total = features.new_zeros(())
    for x in features.chunk(groups):
        x = F.normalize(x, dim=1, eps=eps)
        with torch.no_grad():
            near = (x @ x.t()).fill_diagonal_(-float("inf")).argmax(1)
        total = total - (torch.linalg.norm(x - x[near], dim=1) + eps).log().mean()
    return total


def sim_dino(student: torch.Tensor, teacher: torch.Tensor, *, gamma: float = 1.0,
             eps2: float = 0.5) -> Tuple[torch.Tensor, dict]:
    """SimDINO (Wu et al. 2025, arXiv:2502.10385): no prototypes, temperatures or centre.

    L = mean over pairs of different views of 1/2 ||z_s - z_t||^2  -  gamma c 1/G sum_i 2 R(Z_i)
    R(Z) = 1/2 log det(I + d / (n eps2) Z^T Z),  c = (d + n) / (d n)

    student [V, n, d], teacher [G, n, d], rows of length 1; Z_i the student's i-th global view, R
    its coding rate. The factor c balances the two and is that of the authors' program, as are
    eps2 0.5 and gamma 1."""
    n_global, n, d = teacher.shape
    pairs = [(i, j) for i in range(n_global) for j in range(len(student)) if i != j]
    apart = torch.stack([(student[j] - teacher[i]).square().sum(1).mean() / 2 for i, j in pairs])
    eye = torch.eye(d, dtype=student.dtype)
    rate = torch.stack([torch.linalg.slogdet(eye + d / (n * eps2) * z.t() @ z)[1] / 2
                        for z in student[:n_global]]).mean()
    loss = apart.mean() - gamma * (d + n) / (d * n) * 2 * rate
    return loss, {"apart": float(apart.mean()), "coding_rate": float(rate)}


# --------------------------------------------------------------------------
# one training step
# --------------------------------------------------------------------------
@dataclass(frozen=True)
class Settings:
    """What a step adds up. `objective`: dino, infonce or simdino; the others are terms beside it."""
    objective: str = "dino"
    feature: str = "class"              # what the DINO head reads
    n_global: int = 2
    student_temp: float = 0.1
    center_momentum: float = 0.9
    koleo_weight: float = 0.0
    contrastive_weight: float = 0.0     # beside another objective
    contrastive_feature: str = "class"
    contrastive_temp: float = 0.1       # where it is learned: its first value
    contrastive_teacher: bool = False   # keys: False the student's, True the momentum teacher's
    simdino_gamma: float = 1.0
    simdino_eps2: float = 0.5
    clip_grad: float = 3.0
    freeze_last_layer: int = 1
    betas: Tuple[float, float] = field(default=(0.9, 0.999))
    eps: float = 1e-8

    @property
    def contrasts(self) -> bool:
        return self.objective == "infonce" or self.contrastive_weight > 0

    @property
    def needs_teacher(self) -> bool:
        return self.objective != "infonce" or self.contrastive_teacher


class Trainer:
    """Student, teacher (where somebody needs one), centre and optimiser. The order of a step is that
    of reference.Trainer; DINO alone gives the same numbers."""

    def __init__(self, params: Tensors, vit: ref.ViTConfig, head: Optional[ref.HeadConfig],
                 settings: Settings):
        self.vit, self.head, self.s = vit, head, settings
        fixed = [n for n in params if n.endswith("last_layer.weight_g") and head.norm_last_layer]
        if settings.objective == "simdino":
            fixed += [n for n in params if "last_layer" in n]
        self.student = {n: v.clone().requires_grad_(n not in fixed) for n, v in params.items()}
        self.teacher = {n: v.clone() for n, v in params.items()} if settings.needs_teacher else None
        dtype = next(iter(params.values())).dtype
        self.center = torch.zeros(head.out_dim, dtype=dtype) if head else None
        self.opt = ref.AdamW(settings.betas, settings.eps)

    @property
    def evaluated(self) -> Tensors:
        """The weights whose features count: the teacher's where there is one."""
        return self.teacher or {n: v.detach() for n, v in self.student.items()}

    def losses(self, crops: Sequence[torch.Tensor], teacher_temp: float) -> Tuple[torch.Tensor, dict]:
        """The sum that the gradient is of, and what it is made of."""
        s, n_views, n_global = self.s, len(crops), self.s.n_global
        names = [s.feature] + ([s.contrastive_feature] if s.contrasts else [])
        student = crop_features(self.student, self.vit, crops, names)
        teacher = None
        if self.teacher is not None:
            with torch.no_grad():
                teacher = crop_features(self.teacher, self.vit, crops[:n_global], names)

        def by_view(rows, views):
            return rows.view(views, -1, rows.shape[1])

        total, told = torch.zeros((), dtype=crops[0].dtype), {}
        if s.objective == "dino":
            logits = ref.head_forward(self.student, self.head, student[s.feature])
            with torch.no_grad():
                target = ref.head_forward(self.teacher, self.head, teacher[s.feature])
            loss, info = ref.dino_loss(
                logits, target, self.center, n_crops=n_views, n_global=n_global,
                student_temp=s.student_temp, teacher_temp=teacher_temp)
            total, told["loss"] = total + loss, loss
            told["teacher_entropy"] = info["teacher_entropy"]
            told["kl_teacher_student"] = info["kl_teacher_student"]
            told["teacher_logits"] = target
        if s.objective == "simdino":
            z = bottleneck(self.student, self.head, student[s.feature])
            with torch.no_grad():
                t = bottleneck(self.teacher, self.head, teacher[s.feature])
            loss, info = sim_dino(by_view(z, n_views), by_view(t, n_global),
                                  gamma=s.simdino_gamma, eps2=s.simdino_eps2)
            total, told["loss"] = total + loss, loss
            told.update(info)
        if s.contrasts:
            z = project(self.student, student[s.contrastive_feature])
            keys = z[:n_global * len(crops[0])]  # with their gradient
            if s.contrastive_teacher:
                with torch.no_grad():
                    keys = project(self.teacher, teacher[s.contrastive_feature])
            scale = torch.tensor(1 / s.contrastive_temp, dtype=z.dtype)
            if LOGIT_SCALE in self.student:
                scale = self.student[LOGIT_SCALE].clamp(max=MAX_LOGIT_SCALE).exp()
            loss, info = ref.info_nce(z, keys, n_views=n_views, n_global=n_global, scale=scale)
            alone = s.objective == "infonce"
            total = total + (loss if alone else s.contrastive_weight * loss)
            told["contrastive"], told["contrastive_accuracy"] = loss, info["accuracy"]
            if alone:
                told["loss"] = loss
        if s.koleo_weight:
            rows = student[s.feature][:n_global * len(crops[0])]
            told["koleo"] = s.koleo_weight * koleo(rows, n_global)
            total = total + told["koleo"]
        return total, told

    def step(self, crops: Sequence[torch.Tensor], *, lr: float, wd: float, momentum: float,
             teacher_temp: float, epoch: int) -> dict:
        total, told = self.losses(crops, teacher_temp)
        logits = told.pop("teacher_logits", None)
        if logits is not None:
            self.center = ref.update_center(self.center, logits, self.s.center_momentum)
        trained = [n for n, v in self.student.items() if v.requires_grad]
        got = torch.autograd.grad(total, [self.student[n] for n in trained])
        grads: Dict[str, Optional[torch.Tensor]] = {n: g.clone() for n, g in zip(trained, got)}
        norms = ref.clip_gradients(grads, self.s.clip_grad)
        if epoch < self.s.freeze_last_layer:
            for n in grads:
                if "last_layer" in n:
                    grads[n] = None
        self.opt.step(self.student, grads, lr, wd)
        if LOGIT_SCALE in self.student:
            with torch.no_grad():
                self.student[LOGIT_SCALE].clamp_(max=MAX_LOGIT_SCALE)
        if self.teacher is not None:
            ref.ema_update(self.teacher, self.student, momentum)
        return {**{n: float(v) for n, v in told.items()}, "grad_norms": norms}


def bottleneck(p: Tensors, c: ref.HeadConfig, x: torch.Tensor) -> torch.Tensor:
    """The DINO head without its last layer: [n, F] -> [n, d], rows of length 1."""
    names: List[str] = [name for name, _, _ in ref.head_linears(c)]
    for i, name in enumerate(names):
        x = F.linear(x if i == 0 else F.gelu(x), p[name + ".weight"], p[name + ".bias"])
    return F.normalize(x, dim=1, eps=1e-12)
