"""Checks objectives.py in float64: values against loops in numpy that follow the formulas term by
term, gradients against finite differences, whole steps against reference.Trainer.

    python3 check_objectives.py
"""
from __future__ import annotations

import itertools
import math
import os
import sys

import numpy as np
import torch

import objectives as obj
import reference as ref

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench"))
import score  # noqa: E402

torch.set_num_threads(1)
RNG = np.random.default_rng(5)
F64 = torch.float64


def normal(*shape: int, scale: float = 1.0) -> torch.Tensor:
    return torch.from_numpy(RNG.standard_normal(shape) * scale)


def unit(x: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(x, dim=-1)


def close(what: str, found: float, expected: float, tol: float = 1e-12) -> None:
    apart = abs(found - expected) / max(1.0, abs(expected))
    print(f"{'ok  ' if apart <= tol else 'FAIL'} {what}: {found:.12g}, apart {apart:.1e}")
    if not apart <= tol:
        raise SystemExit(f"expected {expected} but found {found}")


def gradient(what: str, fn, *inputs: torch.Tensor) -> None:
    """Autograd against central differences."""
    inputs = tuple(x.clone().requires_grad_() for x in inputs)
    if not torch.autograd.gradcheck(fn, inputs, eps=1e-6, atol=1e-7, rtol=1e-5):
        raise SystemExit(f"{what}: gradient wrong")
    print(f"ok   {what}: gradient")


# -- features ------------------------------------------------------------------------------------
def pooled(tokens: np.ndarray, rows: int, cols: int, cells: int) -> np.ndarray:
    """Cell i of c along m patches: floor(i m / c) to ceil((i + 1) m / c)."""
    n, _, d = tokens.shape
    grid = tokens[:, 1:].reshape(n, rows, cols, d)
    out = []
    for y, x in itertools.product(range(cells), repeat=2):
        ys = range(y * rows // cells, -(-(y + 1) * rows // cells))
        xs = range(x * cols // cells, -(-(x + 1) * cols // cells))
        out.append(np.mean([grid[:, a, b] for a in ys for b in xs], axis=0))
    return np.concatenate(out, axis=1)


def check_features() -> None:
    for rows, cols in [(4, 4), (2, 2), (1, 1), (3, 5), (7, 6), (14, 14), (1, 9)]:
        tokens = normal(2, 1 + rows * cols, 3)
        for name, cells in obj.CELLS.items():
            found = obj.feature(tokens, rows, cols, name).numpy()
            expected = pooled(tokens.numpy(), rows, cols, cells)
            close(f"{name} of {rows}x{cols}", np.abs(found - expected).max(), 0)
            assert found.shape[1] == obj.feature_width(name, 3)
        both = obj.feature(tokens, rows, cols, "class+mean").numpy()
        expected = np.concatenate([tokens[:, 0], tokens[:, 1:].mean(1)], axis=1)
        close(f"class+mean of {rows}x{cols}", np.abs(both - expected).max(), 0)
    tokens = normal(2, 1 + 3 * 5, 2)
    for name in ["class", "mean", "quad", "grid", "class+mean"]:
        gradient(name, lambda t: obj.feature(t, 3, 5, name), tokens)


# -- losses --------------------------------------------------------------------------------------
def nce_loops(views: np.ndarray, keys: np.ndarray, temp: float) -> float:
    total = 0.0
    for i in range(len(keys)):
        of_key = []
        for j in range(len(views)):
            if j == i:
                continue
            for b in range(views.shape[1]):
                logits = [float(views[j, b] @ keys[i, c]) / temp for c in range(views.shape[1])]
                top = max(logits)
                of_key.append(top + math.log(sum(math.exp(x - top) for x in logits)) - logits[b])
        total += sum(of_key) / len(of_key)
    return total / len(keys)


def check_info_nce() -> None:
    for n_views, n_global, batch, d, temp in [(2, 2, 5, 3, 0.1), (6, 2, 4, 7, 0.2), (3, 1, 1, 2, 1),
                                              (5, 3, 3, 4, 0.02)]:
        z, k = unit(normal(n_views, batch, d)), unit(normal(n_global, batch, d))
        scale = torch.tensor(1 / temp, dtype=F64)
        what = f"InfoNCE V {n_views} G {n_global} B {batch} temp {temp}"

        def loss(x, y, s):
            return ref.info_nce(x.reshape(-1, d), y.reshape(-1, d), n_views=n_views,
                                n_global=n_global, scale=s)

        for keys in (k, z[:n_global]):
            found, info = loss(z, keys, scale)
            close(what, float(found), nce_loops(z.numpy(), keys.numpy(), temp))
            assert 0 <= info["accuracy"] <= 1
        gradient(what + ", both sides", lambda x: loss(x, x[:n_global], scale)[0], z)
        gradient(what + ", given keys, learned scale", lambda x, y, s: loss(x, y, s.exp())[0], z, k,
                 scale.log())


def check_koleo() -> None:
    x = normal(6, 4)
    total = 0.0
    for rows in x.numpy().reshape(2, 3, 4):
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        for i in range(3):
            near = max((j for j in range(3) if j != i), key=lambda j: rows[i] @ rows[j])
            total -= math.log(np.linalg.norm(rows[i] - rows[near]) + 1e-8) / 3
    close("KoLeo", float(obj.koleo(x, 2)), total)
    gradient("KoLeo", lambda t: obj.koleo(t, 2), x)


def check_sim_dino() -> None:
    for n_views, n_global, n, d in [(2, 2, 5, 3), (6, 2, 4, 7), (3, 1, 2, 2)]:
        s, t = unit(normal(n_views, n, d)), unit(normal(n_global, n, d))
        apart = [0.5 * float(((s[j, b] - t[i, b]) ** 2).sum())
                 for i in range(n_global) for j in range(n_views) if j != i for b in range(n)]
        rates = [sum(math.log1p(d / (n * 0.3) * e) for e in np.linalg.svd(z, compute_uv=False) ** 2)
                 for z in s[:n_global].numpy()]
        expected = np.mean(apart) - 0.7 * (d + n) / (d * n) * np.mean(rates)
        found, info = obj.sim_dino(s, t, gamma=0.7, eps2=0.3)
        close(f"SimDINO V {n_views} G {n_global} n {n} d {d}", float(found), expected)
        gradient("SimDINO", lambda x: obj.sim_dino(x, t)[0], s)


# -- steps ---------------------------------------------------------------------------------------
VIT = ref.ViTConfig(image_size=16, patch_size=4, dim=8, depth=2, heads=2)


def model(feature: str, contrastive: str = "quad", learned: bool = False):
    head = ref.HeadConfig(in_dim=obj.feature_width(feature, VIT.dim), out_dim=12, hidden_dim=10,
                          bottleneck_dim=6)
    projector = obj.projector_shapes([obj.feature_width(contrastive, VIT.dim), 9, 9, 5])
    params = ref.init_rich({**ref.vit_shapes(VIT), **ref.head_shapes(head)}, RNG)
    params = {**params, **obj.init_projector(projector, RNG)}
    if learned:
        params[obj.LOGIT_SCALE] = torch.tensor([math.log(5.0)])
    return ref.cast(params, F64), head


def crops(batch: int = 3):
    return [normal(batch, 3, 16, 16) for _ in range(2)] + [normal(batch, 3, 8, 8) for _ in range(3)]


def check_dino_is_the_references() -> None:
    params, head = model("class")
    params = {n: v for n, v in params.items() if not n.startswith("contrastive")}
    ours = obj.Trainer(params, VIT, head, obj.Settings())
    theirs = ref.Trainer(params, VIT, head)
    for step in range(3):
        batch = crops()
        values = dict(lr=1e-2, wd=0.04, momentum=0.9, teacher_temp=0.04, epoch=step)
        a, b = ours.step(batch, **values), theirs.step(batch, **values)
        close(f"DINO, step {step}", a["loss"], b["loss"])
        for name, norm in b["grad_norms"].items():
            assert abs(a["grad_norms"][name] - norm) <= 1e-10 * max(1, norm), name
    apart = max(float((ours.teacher[n] - theirs.teacher[n]).abs().max()) for n in params)
    close("DINO, teachers after it", apart, 0)


SETTINGS = {
    "infonce, both sides the student": dict(objective="infonce", contrastive_feature="quad"),
    "infonce, keys by a teacher": dict(objective="infonce", contrastive_feature="quad",
                                       contrastive_teacher=True),
    "dino + infonce + koleo": dict(contrastive_weight=0.7, contrastive_feature="quad",
                                   koleo_weight=0.1),
    "dino on quad + infonce, learned": dict(feature="quad", contrastive_weight=2.0, learned=True,
                                            contrastive_feature="quad"),
    "simdino": dict(objective="simdino", feature="class+mean"),
}


def check_steps() -> None:
    for what, given in SETTINGS.items():
        settings = dict(given)
        learned = settings.pop("learned", False)
        s = obj.Settings(**settings)
        params, head = model(s.feature, s.contrastive_feature if s.contrasts else "quad", learned)
        unused = {"infonce": "head.", "simdino": "contrastive"}.get(s.objective)
        if unused:
            params = {n: v for n, v in params.items() if not n.startswith(unused)}
        trainer = obj.Trainer(params, VIT, None if s.objective == "infonce" else head, s)
        batch = crops()
        if trainer.teacher:  # apart from the student, as it is in a run
            for value in trainer.teacher.values():
                value.add_(normal(*value.shape, scale=0.02))
        total, _ = trainer.losses(batch, 0.04)
        trained = {n: v for n, v in trainer.student.items() if v.requires_grad}
        grads = torch.autograd.grad(total, list(trained.values()))
        worst = 0.0
        for (name, value), grad in zip(trained.items(), grads):
            way = normal(*value.shape)
            sides = []
            for h in (1e-5, -1e-5):
                with torch.no_grad():
                    value.add_(way, alpha=h)
                    sides.append(float(trainer.losses(batch, 0.04)[0]))
                    value.sub_(way, alpha=h)
            slope, expected = (sides[0] - sides[1]) / 2e-5, float((grad * way).sum())
            worst = max(worst, abs(slope - expected) / max(1.0, abs(expected)))
        close(f"{what}: slopes of {len(trained)} weights", worst, 0, 1e-6)
        before = {n: v.clone() for n, v in trainer.evaluated.items()}
        told = [trainer.step(batch, lr=1e-2, wd=0.04, momentum=0.9, teacher_temp=0.04, epoch=1)
                for _ in range(8)]
        stuck = [n for n in trained if torch.equal(trainer.evaluated[n], before[n])]
        assert not stuck, stuck
        print(f"ok   {what}: loss {told[0]['loss']:.4f} -> {told[-1]['loss']:.4f}, "
              + ", ".join(f"{n} {v:.3f}" for n, v in told[-1].items()
                          if n not in ("loss", "grad_norms")))


# -- whitening -----------------------------------------------------------------------------------
def check_whitening() -> None:
    f = RNG.standard_normal((200, 7)) @ RNG.standard_normal((7, 7)) + 3
    mean, matrix = score.whitening(f, alpha=0)
    cov = np.cov(((f - mean) @ matrix).T, bias=True)
    close("whitened without shrinkage: covariance is I", np.abs(cov - np.eye(7)).max(), 0, 1e-9)
    mean, matrix = score.whitening(f, alpha=1)
    cov = np.cov(((f - mean) @ matrix).T, bias=True)
    s = np.linalg.eigvalsh(np.cov(f.T, bias=True))
    close("whitened with shrinkage: S / (S + mean S)",
          np.abs(np.sort(np.diag(cov)) - np.sort(s / (s + s.mean()))).max(), 0, 1e-9)


if __name__ == "__main__":
    for check in (check_features, check_info_nce, check_koleo, check_sim_dino, check_whitening,
                  check_dino_is_the_references, check_steps):
        check()
    print("all as they should be")
