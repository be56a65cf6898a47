"""Patch-level losses in PyTorch, and the makers of their cases: iBOT, Gram anchoring, masked patch embedding.

Written from the papers: Zhou et al. 2022 (arXiv:2111.07832, eq. 2), DINOv2 (arXiv:2304.07193), DINOv3
(arXiv:2508.10104, section 4.2). Everything is done on full grids of patches with boolean masks; nothing is packed.
"""
from typing import Dict, Optional, Tuple

import numpy as np
import torch
import torch.nn.functional as F

import reference as R


# ---------------------------------------------------------------- reference
def sinkhorn(logits: torch.Tensor, temp: float, iterations: int = 3) -> torch.Tensor:
    """Assignments [N, K] that use all prototypes alike: columns to 1/K, rows to 1/N, in turns."""
    q = torch.exp((logits - logits.max()) / temp)
    q = q / q.sum()
    n, k = q.shape
    for _ in range(iterations):
        q = q / q.sum(0, keepdim=True) / k
        q = q / q.sum(1, keepdim=True) / n
    return q * n


def ibot_targets(teacher: torch.Tensor, center: torch.Tensor, temp: float, centering: str) -> torch.Tensor:
    """Distributions of masked tokens [N, K]."""
    if centering == "sinkhorn_knopp":
        return sinkhorn(teacher, temp)
    return torch.softmax((teacher - center if centering == "center" else teacher) / temp, -1)


def ibot_loss(student: torch.Tensor, teacher: torch.Tensor, mask: torch.Tensor, center: torch.Tensor, *,
              student_temp: float, teacher_temp: float, centering: str) -> Tuple[torch.Tensor, Dict[str, torch.Tensor]]:
    """Logits [S, P, K] of all patches, mask [S, P]: mean over the masked tokens of a sample, then over the samples
    that have some."""
    q = torch.zeros_like(teacher)
    q[mask] = ibot_targets(teacher[mask], center, teacher_temp, centering)
    cross = -(q * torch.log_softmax(student / student_temp, -1)).sum(-1)
    entropy = -torch.special.xlogy(q, q).sum(-1)

    def mean(values):
        per = (values * mask).sum(1) / mask.sum(1).clamp(min=1)
        return per.sum() / mask.any(1).sum().clamp(min=1)
    loss, own = mean(cross), mean(entropy)
    average = q[mask].mean(0)
    return loss, {"teacher_entropy": own, "kl_teacher_student": (loss - own).detach(),
                  "teacher_entropy_of_mean": -torch.special.xlogy(average, average).sum()}


def update_patch_center(center: torch.Tensor, teacher: torch.Tensor, mask: torch.Tensor, momentum: float) -> torch.Tensor:
    """Moves towards the mean of the masked tokens' logits."""
    return center * momentum + teacher[mask].mean(0) * (1 - momentum)


def gram_loss(student: torch.Tensor, anchor: torch.Tensor) -> torch.Tensor:
    """Patch tokens [n, P, D] of both networks."""
    def similarities(tokens):
        unit = F.normalize(tokens, dim=-1)
        return unit @ unit.transpose(1, 2)
    return F.mse_loss(similarities(student), similarities(anchor))


def masked_tokens(images: torch.Tensor, p: Dict[str, torch.Tensor], mask: Optional[torch.Tensor]) -> torch.Tensor:
    """Tokens [n, 1 + P, D] with positions; masked patches are the mask token, which keeps the patch's position."""
    w = p["patch_embed.proj.weight"]
    x = F.conv2d(images, w, p["patch_embed.proj.bias"], stride=w.shape[-1]).flatten(2).transpose(1, 2)
    if mask is not None:
        x = torch.where(mask.unsqueeze(-1), p["mask_token"].unsqueeze(0), x)
    return torch.cat([p["cls_token"].expand(len(x), -1, -1), x], 1) + p["pos_embed"]


# ---------------------------------------------------------------- cases
def random_mask(c: dict, rng: np.random.Generator, samples: int, patches: int) -> torch.Tensor:
    """Every `masked_every`-th sample has `masked_patches` of them (a list is gone through) at random places."""
    mask, counts = np.zeros((samples, patches), bool), c["masked_patches"]
    for i, s in enumerate(range(0, samples, c["masked_every"])):
        mask[s, rng.permutation(patches)[: counts[i % len(counts)]]] = True
    return torch.from_numpy(mask)


def makers(tools) -> dict:
    """By kind of case; `tools` is make_golden, whose precision and noise table they share."""
    normal, inputs, leaf, two_runs = tools.normal, tools.inputs, tools.leaf, tools.two_runs

    def ibot(c, rng):
        s, p, k = c["samples"], c["patches"], c["out_dim"]
        student, teacher, center = normal(rng, s, p, k), normal(rng, s, p, k), normal(rng, k, scale=c["center_scale"])
        if c["logits"] == "extreme":  # a third each of -scale, +scale and ordinary values
            for x in (student, teacher):
                pick = torch.from_numpy(rng.integers(0, 3, tuple(x.shape)))
                x[pick == 0], x[pick == 1] = -c["scale"], c["scale"]
        else:
            student, teacher = student * c["scale"], teacher * c["scale"]
        mask = random_mask(c, rng, s, p)
        ten = {**inputs(student=student, teacher=teacher, center=center), "in.mask": mask.int().numpy()}

        def run(dt):
            x, y, m = leaf(student, dt), teacher.to(dt), center.to(dt)
            loss, info = ibot_loss(x, y, mask, m, student_temp=c["student_temp"], teacher_temp=c["teacher_temp"],
                                   centering=c["centering"])
            loss.backward()
            out = {"grad_student": x.grad}
            if c["centering"] == "center":
                out["center"] = update_patch_center(m, y, mask, c["center_momentum"])
            return out, {"loss": float(loss.detach()), **{name: float(v) for name, v in info.items()}}
        out, info = two_runs(run)
        return {**ten, **out}, info

    def gram(c, rng):
        shape = (c["images"], c["tokens"], c["dim"])
        student, anchor = normal(rng, *shape), normal(rng, *shape)
        if c.get("near"):  # an anchor that the student has hardly left
            student = anchor + c["near"] * student
        if c.get("lengths_log10"):
            stretch = 10.0 ** rng.uniform(*c["lengths_log10"], (2, *shape[:2], 1))
            student, anchor = (x * torch.from_numpy(f.astype(np.float32)) for x, f in zip((student, anchor), stretch))
        ten = inputs(student=student, anchor=anchor)

        def run(dt):
            x = leaf(student, dt)
            loss = gram_loss(x[:, c["prefix"]:], anchor.to(dt)[:, c["prefix"]:])
            loss.backward()
            return {"grad_student": x.grad}, {"loss": float(loss.detach())}
        out, info = two_runs(run)
        return {**ten, **out}, info

    def maskembed(c, rng):
        b, ch, rows, cols, side, d = (c[key] for key in ("batch", "in_chans", "rows", "cols", "patch_size", "dim"))
        x, g = normal(rng, b, ch, rows * side, cols * side), normal(rng, b, 1 + rows * cols, d)
        p = {"cls_token": normal(rng, 1, 1, d), "pos_embed": normal(rng, 1, 1 + rows * cols, d), "mask_token": normal(rng, 1, d),
             "patch_embed.proj.weight": normal(rng, d, ch, side, side, scale=0.2), "patch_embed.proj.bias": normal(rng, d)}
        mask = random_mask(c, rng, b, rows * cols)
        ten = {**inputs(x=x, grad_y=g, param=p), "in.mask": mask.int().numpy()}

        def run(dt):
            q, a = {n: leaf(t, dt) for n, t in p.items()}, leaf(x, dt)
            y = masked_tokens(a, q, mask)
            (y * g.to(dt)).sum().backward()
            return {"y": y, "grad_x": a.grad, **{"grad." + n: t.grad for n, t in q.items()}}, {}
        out, info = two_runs(run)
        return {**ten, **out}, info

    def patchstep(c, rng):
        v, h = R.ViTConfig(**c["vit"]), R.HeadConfig(**c["head"])
        shapes = {**R.vit_shapes(v), "mask_token": (1, v.dim), **R.head_shapes(h)}
        if c["separate_head"]:
            shapes.update({"ibot_" + n: s for n, s in R.head_shapes(h).items()})
        student, teacher = R.init_rich(shapes, rng), R.init_rich(shapes, rng)
        for p in (student, teacher):
            for n in p:
                if n.endswith("weight_g"):
                    p[n].fill_(1)
        big, small = tools.make_crops(c, rng)
        mask = random_mask(c, rng, c["n_global"] * c["batch"], v.grid ** 2)
        center, ibot_center = normal(rng, h.out_dim, scale=0.2), normal(rng, h.out_dim, scale=0.2)
        ten = {**inputs(student=student, teacher=teacher, center=center, ibot_center=ibot_center,
                        **{"global": big, "local": small}), "in.mask": mask.int().numpy()}

        def tokens(p, images, m=None):
            trace = {}
            R.vit_forward(p, v, images, trace=trace, mask=m)
            return trace["normed"]

        def patch_logits(p, x):
            own = {n[5:]: t for n, t in p.items() if n.startswith("ibot_")} if c["separate_head"] else p
            return R.head_forward(own, h, x[:, 1:].flatten(0, 1)).view(*mask.shape, -1)

        def run(dt):
            s, t = {n: leaf(x, dt) for n, x in student.items()}, R.cast(teacher, dt)
            globals_, locals_ = big.flatten(0, 1).to(dt), small.flatten(0, 1).to(dt)
            seen, whole = tokens(s, globals_, mask), tokens(t, globals_)
            features = torch.cat([seen[:, 0], tokens(s, locals_)[:, 0]])
            m, pm = center.to(dt), ibot_center.to(dt)
            temps = {"student_temp": c["student_temp"], "teacher_temp": c["teacher_temp"]}
            logits = R.head_forward(t, h, whole[:, 0])
            dino, info = R.dino_loss(R.head_forward(s, h, features), logits, m, n_crops=c["n_global"] + c["n_local"],
                                     n_global=c["n_global"], **temps)
            patches_t = patch_logits(t, whole)
            ibot, patch_info = ibot_loss(patch_logits(s, seen), patches_t, mask, pm, centering="center", **temps)
            apart = gram_loss(seen[:, 1:], whole[:, 1:])  # the teacher is the anchor
            (dino + c["ibot_weight"] * ibot + c["gram_weight"] * apart).backward()
            out = {"center": R.update_center(m, logits, c["center_momentum"]),
                   "ibot_center": update_patch_center(pm, patches_t, mask, c["center_momentum"])}
            out.update({"grad." + n: x.grad for n, x in s.items() if not n.endswith("weight_g")})
            return out, {"loss": float(dino.detach()), "teacher_entropy": float(info["teacher_entropy"]),
                         "ibot": float(ibot.detach()), "ibot_teacher_entropy": float(patch_info["teacher_entropy"]),
                         "gram": float(apart.detach())}
        out, info = two_runs(run)
        return {**ten, **out}, info

    return {"ibot": ibot, "gram": gram, "maskembed": maskembed, "patchstep": patchstep}


def mutants(patch) -> dict:
    """Typical mistakes, as check_golden.py takes them."""
    import patches as P
    M = {}

    def loss(**kw):
        def new(old):
            def f(s, t, mask, c, **o):
                l, info = old(s, t, ~mask if kw.get("unmasked") else mask, c,
                              **{**o, **{k: v for k, v in kw.items() if k in o}})
                if kw.get("all_samples"):
                    l = l * mask.any(1).sum() / len(mask)
                if kw.get("flat"):
                    q = P.ibot_targets(t[mask], c, o["teacher_temp"], o["centering"])
                    l = -(q * torch.log_softmax(s[mask] / o["student_temp"], -1)).sum(-1).mean()
                return l, info
            return f
        return lambda: patch(P, "ibot_loss", new)
    M["ibot: divided by all samples"] = loss(all_samples=True)
    M["ibot: all masked tokens alike"] = loss(flat=True)
    M["ibot: what is not masked"] = loss(unmasked=True)
    M["ibot: no centre"] = loss(centering="none")
    M["ibot: student temperature 1"] = loss(student_temp=1.0)
    M["ibot: centre of all tokens"] = lambda: patch(P, "update_patch_center", lambda o: lambda c, t, m, mo: o(c, t, torch.ones_like(m), mo))
    M["ibot: Sinkhorn-Knopp ends with the prototypes"] = lambda: patch(P, "sinkhorn", lambda o: lambda x, t: o(x, t) / o(x, t).sum(0) * len(x) / x.shape[1])
    M["ibot: one Sinkhorn-Knopp iteration"] = lambda: patch(P, "sinkhorn", lambda o: lambda x, t: o(x, t, 1))
    M["gram: not normalised"] = lambda: patch(P, "gram_loss", lambda o: lambda s, a: F.mse_loss(s @ s.transpose(1, 2), a @ a.transpose(1, 2)))
    M["gram: a sum"] = lambda: patch(P, "gram_loss", lambda o: lambda s, a: o(s, a) * s.shape[1] ** 2)
    M["gram: images meet"] = lambda: patch(P, "gram_loss", lambda o: lambda s, a: o(s.flatten(0, 1)[None], a.flatten(0, 1)[None]))
    M["gram: half a gradient"] = lambda: patch(P, "gram_loss", lambda o: lambda s, a: half(o, s, a))
    M["mask token without a position"] = lambda: patch(P, "masked_tokens", lambda o: lambda x, p, m: torch.cat([o(x, p, m)[:, :1], torch.where(m.unsqueeze(-1), p["mask_token"].unsqueeze(0), o(x, p, None)[:, 1:])], 1))
    M["mask token added to the patch"] = lambda: patch(P, "masked_tokens", lambda o: lambda x, p, m: o(x, p, None) + F.pad(m, (1, 0)).unsqueeze(-1) * p["mask_token"].unsqueeze(0))
    return M


def half(loss, student, anchor):
    """The right loss with a gradient through one side of each pair."""
    unit, other = F.normalize(student, dim=-1), F.normalize(anchor, dim=-1)
    one = F.mse_loss(unit @ unit.detach().transpose(1, 2), other @ other.transpose(1, 2))
    return one + (loss(student, anchor) - one).detach()
