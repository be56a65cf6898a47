"""PyTorch's side of the benchmark: reads jobs as lines of JSON, answers with lines of JSON.

{"op": "prepare", "job": ...} -> {"sample": [...]} or {"sample": null} when there is nothing for it
{"op": "run", "n": 3}         -> {"ms": milliseconds}
"""
import json
import os
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

from torch_models import attention, resnet_features, vit_features

SAMPLES = 4


def values(shape, seed, scale=1.0):
    """The same numbers as values.ts."""
    size = int(np.prod(shape))
    u = np.uint32
    h = np.arange(1, size + 1, dtype=np.uint32) * u(0x9E3779B1) + u(seed * 0x85EBCA6B & 0xFFFFFFFF)
    h = (h ^ (h >> u(15))) * u(0x2C1B3C6D)
    h = (h ^ (h >> u(13))) >> u(8)
    return torch.from_numpy(((h / 2.0**24 - 0.5) * scale).astype(np.float32)).reshape(shape)


def read_weights(job):
    """Weights by name, from a file that has one after the other."""
    raw = torch.from_numpy(np.fromfile(job["weights"], dtype=np.float32))
    parts = raw.split([int(np.prod(spec["shape"])) for spec in job["specs"]])
    return {s["name"]: w.clone().reshape(s["shape"]) for s, w in zip(job["specs"], parts)}


def dino_loss(student, teacher, center, views, globals_, const):
    """Cross-entropy over all pairs of different views; rows are view-major."""
    out_dim = student.shape[1]
    logs = F.log_softmax(student / const["studentTemp"], -1).view(views, -1, out_dim)
    targets = F.softmax((teacher - center) / const["teacherTemp"], -1).view(globals_, -1, out_dim)
    pairs = [
        -(targets[g] * logs[v]).sum(-1).mean()
        for g in range(globals_) for v in range(views) if v != g
    ]
    return sum(pairs) / len(pairs)


class Step:
    """One whole training step of DINO."""

    def __init__(self, job, const, seed):
        self.job, self.const, self.vit = job, const, job["vit"]
        self.student, self.teacher = read_weights(job), read_weights(job)
        for spec in job["specs"]:
            self.student[spec["name"]].requires_grad_(spec["trainable"])
        self.crops = [
            values(shape, seed + i, const["cropScale"]) for i, shape in enumerate(job["crops"])
        ]
        self.center = torch.zeros(job["head"]["outDim"])
        self.trained = [s["name"] for s in job["specs"] if s["trainable"]]
        groups = [
            {"params": [self.student[n] for n in self.trained if n in job["decayed"]],
             "weight_decay": const["weightDecay"]},
            {"params": [self.student[n] for n in self.trained if n not in job["decayed"]],
             "weight_decay": 0.0},
        ]
        self.adamw = torch.optim.AdamW(groups, const["lr"], tuple(const["betas"]), const["eps"])

    def logits(self, p, crops):
        x = torch.cat([vit_features(p, c, self.vit, self.const["layerNormEps"]) for c in crops])
        for i in (0, 2, 4):
            x = F.linear(x, p[f"head.mlp.{i}.weight"], p[f"head.mlp.{i}.bias"])
            x = F.gelu(x) if i < 4 else F.normalize(x, dim=-1)
        g, v = p["head.last_layer.weight_g"], p["head.last_layer.weight_v"]
        return x @ (g * v / v.norm(dim=1, keepdim=True)).T

    def __call__(self):
        job, const = self.job, self.const
        with torch.no_grad():
            teacher = self.logits(self.teacher, self.crops[:1])
        views = job["globals"] + job["locals"]
        loss = dino_loss(self.logits(self.student, self.crops), teacher, self.center, views,
                         job["globals"], const)
        self.adamw.zero_grad()
        loss.backward()
        with torch.no_grad():
            for name in self.trained:
                g = self.student[name].grad
                g.mul_(torch.clamp(const["clip"] / (g.norm() + 1e-6), max=1.0))
            self.center.lerp_(teacher.mean(0), 1 - const["centerMomentum"])
        self.adamw.step()
        with torch.no_grad():
            for name, w in self.teacher.items():
                w.lerp_(self.student[name], 1 - const["momentum"])
        return loss.detach().reshape(1)


class Backbone:
    """Features of pictures, or the gradients of all parameters from a given one of the features."""

    def __init__(self, job, const, seed):
        self.model, self.grad, self.eps = job["model"], job["grad"], const["layerNormEps"]
        self.p = read_weights(job)
        self.trained = [self.p[spec["name"]] for spec in job["specs"] if spec["trainable"]]
        if self.grad:
            for w in self.trained:
                w.requires_grad_()
        self.images = values(job["images"], seed["a"], const["cropScale"])
        self.dy = values(job["features"], seed["d"])

    def features(self):
        if "vit" in self.model:
            return vit_features(self.p, self.images, self.model["vit"], self.eps)
        return resnet_features(self.p, self.images, train=self.grad)

    def __call__(self):
        if self.grad:
            return torch.autograd.grad(self.features(), self.trained, self.dy)
        with torch.no_grad():
            return self.features()

    def sample(self):
        """First features; or logarithms of the norm of every matrix's gradient and of all vectors'."""
        if not self.grad:
            return self().flatten()[:SAMPLES].tolist()
        gradients = self()
        norms = [g.norm() for g in gradients if g.dim() > 1]
        norms.append(torch.cat([g for g in gradients if g.dim() == 1]).norm())
        return (torch.stack(norms) + 1e-12).log().tolist()


def prepare(job, const, seed):
    """A function without arguments that runs the job once and returns its result."""
    op = job["op"]
    if op == "matmul":
        m, k, n = job["m"], job["k"], job["n"]
        a = values((k, m) if job["transA"] else (m, k), seed["a"])
        b = values((n, k) if job["transB"] else (k, n), seed["b"])
        a, b = a.T if job["transA"] else a, b.T if job["transB"] else b
        return lambda: a @ b
    if op == "attention":
        batch, tokens, heads, size = job["batch"], job["tokens"], job["heads"], job["headDim"]
        x = values((batch, tokens, 3 * heads * size), seed["a"]).requires_grad_(job["grad"])
        dy = values((batch, tokens, heads * size), seed["b"])

        def attend():
            qkv = x.view(batch, tokens, 3, heads, size).permute(2, 0, 3, 1, 4)
            y = attention(*qkv).transpose(1, 2).reshape(batch, tokens, heads * size)
            return torch.autograd.grad(y, x, dy)[0] if job["grad"] else y
        return attend
    if op in ("layer_norm", "layer_norm_grad"):
        rows, cols = job["rows"], job["cols"]
        x, dy = values((rows, cols), seed["a"]), values((rows, cols), seed["d"])
        w, b = values((cols,), seed["b"]), values((cols,), seed["c"])
        norm = lambda: F.layer_norm(x, (cols,), w, b, const["layerNormEps"])
        if op == "layer_norm":
            return norm
        inputs = [x.requires_grad_(), w.requires_grad_(), b.requires_grad_()]
        return lambda: torch.autograd.grad(norm(), inputs, dy)[0]
    if op in ("softmax", "gelu"):
        x = values((job["rows"], job["cols"]), seed["a"])
        return (lambda: F.softmax(x, -1)) if op == "softmax" else (lambda: F.gelu(x))
    if op == "ema":
        t, s = values((job["size"],), seed["a"]), values((job["size"],), seed["b"])
        return lambda: t.lerp_(s, 1 - const["momentum"])
    if op == "adamw":
        # As many tensors as a model has: temporaries of one huge tensor would be slow to allocate.
        weights = values((job["size"],), seed["a"]).split(2**18)
        grads = values((job["size"],), seed["b"]).split(2**18)
        for w, g in zip(weights, grads):
            w.requires_grad_().grad = g
        adamw = torch.optim.AdamW(weights, const["lr"], tuple(const["betas"]), const["eps"],
                                  const["weightDecay"])

        def update():
            adamw.step()
            return weights[0].detach()
        return update
    if op == "loss":
        views, globals_, batch, k = job["views"], job["globals"], job["batch"], job["outDim"]
        s = values((views * batch, k), seed["a"], const["logitScale"]).requires_grad_()
        t = values((globals_ * batch, k), seed["b"], const["logitScale"])
        center = torch.zeros(k)

        def loss():
            value = dino_loss(s, t, center, views, globals_, const)
            grad = torch.autograd.grad(value, s)[0]
            center.lerp_(t.mean(0), 1 - const["centerMomentum"])
            return grad
        return loss
    if op == "step":
        return Step(job, const, seed["a"])
    if op == "backbone":
        return Backbone(job, const, seed)
    return None


def sample_of(fn):
    """The first results of a job, to be compared."""
    if fn is None:
        return None
    return fn.sample() if isinstance(fn, Backbone) else fn().flatten()[:SAMPLES].tolist()


def main():
    torch.set_num_threads(os.cpu_count())
    print(json.dumps({"version": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    fn = None
    for line in sys.stdin:
        request = json.loads(line)
        if request["op"] == "prepare":
            fn = prepare(request["job"], request["const"], request["seed"])
            answer = {"sample": sample_of(fn)}
        else:
            start = time.perf_counter()
            for _ in range(request["n"]):
                fn()
            answer = {"ms": 1000 * (time.perf_counter() - start)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
