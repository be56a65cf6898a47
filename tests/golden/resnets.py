"""Residual networks as torchvision has them (He et al. 2016, arXiv:1512.03385), without the classifier, written with
torch.nn.functional alone, and the makers of their cases: a pass in training and in evaluation with all gradients, and
a whole step of DINO with running statistics."""
from typing import Dict, List, Sequence, Tuple

import numpy as np
import torch
import torch.nn.functional as F

import reference as R

Tensors = Dict[str, torch.Tensor]

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def plan(layers: int, width: int) -> List[Tuple[str, list, bool, int]]:
    """(prefix, [(in, out, side, stride)], whether the shortcut is projected, stride) of every block."""
    out, inputs, deep = [], width, layers >= 50
    for stage, count in enumerate(BLOCKS[layers]):
        planes = width * 2 ** stage
        for i in range(count):
            stride = 2 if stage and not i else 1
            outputs = planes * (4 if deep else 1)
            convs = ([(inputs, planes, 1, 1), (planes, planes, 3, stride), (planes, outputs, 1, 1)] if deep else
                     [(inputs, planes, 3, stride), (planes, planes, 3, 1)])
            out.append((f"layer{stage + 1}.{i}", convs, stride != 1 or inputs != outputs, stride))
            inputs = outputs
    return out


def dim(layers: int, width: int) -> int:
    return plan(layers, width)[-1][1][-1][1]


def shapes(layers: int, width: int, chans: int = 3) -> Dict[str, Tuple[int, ...]]:
    """The entries of torchvision's state_dict, num_batches_tracked and fc apart."""
    out: Dict[str, Tuple[int, ...]] = {}

    def add(conv, norm, inputs, outputs, side):
        out[conv + ".weight"] = (outputs, inputs, side, side)
        for name in ("weight", "bias", "running_mean", "running_var"):
            out[f"{norm}.{name}"] = (outputs,)
    add("conv1", "bn1", chans, width, 7)
    for name, convs, projected, _ in plan(layers, width):
        for n, (inputs, outputs, side, _) in enumerate(convs, 1):
            add(f"{name}.conv{n}", f"{name}.bn{n}", inputs, outputs, side)
        if projected:
            add(f"{name}.downsample.0", f"{name}.downsample.1", convs[0][0], convs[-1][1], 1)
    return out


def is_running(name: str) -> bool:
    return name.endswith((".running_mean", ".running_var"))


def batch_norm(p: Tensors, name: str, x: torch.Tensor, train: bool) -> torch.Tensor:
    """Updates the running statistics of p in place when training."""
    return F.batch_norm(x, p[name + ".running_mean"], p[name + ".running_var"], p[name + ".weight"], p[name + ".bias"],
                        training=train, momentum=0.1, eps=1e-5)


def last_map(p: Tensors, layers: int, width: int, x: torch.Tensor, train: bool) -> torch.Tensor:
    x = F.relu(batch_norm(p, "bn1", F.conv2d(x, p["conv1.weight"], stride=2, padding=3), train))
    x = F.max_pool2d(x, kernel_size=3, stride=2, padding=1)
    for name, convs, projected, stride in plan(layers, width):
        h, short = x, x
        for n, (_, _, side, step) in enumerate(convs, 1):
            h = F.conv2d(h, p[f"{name}.conv{n}.weight"], stride=step, padding=side // 2)
            h = batch_norm(p, f"{name}.bn{n}", h, train)
            if n < len(convs):
                h = F.relu(h)
        if projected:
            short = batch_norm(p, f"{name}.downsample.1", F.conv2d(x, p[f"{name}.downsample.0.weight"], stride=stride), train)
        x = F.relu(h + short)
    return x


def features(p: Tensors, layers: int, width: int, crops: Sequence[torch.Tensor], train: bool) -> torch.Tensor:
    """Pooled maps of all views; neighbouring views of one size are one batch."""
    out, start = [], 0
    for i in range(1, len(crops) + 1):
        if i == len(crops) or crops[i].shape[-1] != crops[start].shape[-1]:
            out.append(last_map(p, layers, width, torch.cat(list(crops[start:i])), train).mean((2, 3)))
            start = i
    return torch.cat(out)


def init(layers: int, width: int, rng: np.random.Generator) -> Tensors:
    """Random weights of unit scale, norms and running statistics that differ from channel to channel."""
    out = {}
    for name, shape in shapes(layers, width).items():
        z = rng.standard_normal(shape)
        if name.endswith("running_var"):
            v = np.exp(0.3 * z)
        elif name.endswith("running_mean"):
            v = 0.3 * z
        elif len(shape) == 1:
            v = 1.0 + 0.2 * z if name.endswith("weight") else 0.2 * z
            if name.endswith(("bn3.weight", "bn2.weight")):  # branches that add little, so that noise does not grow
                v = 0.4 * v
        else:
            v = z * np.sqrt(2 / np.prod(shape[1:]))
        out[name] = torch.from_numpy(v.astype(np.float32))
    return out


def makers(tools) -> dict:
    normal, inputs, leaf, two_runs = tools.normal, tools.inputs, tools.leaf, tools.two_runs

    def resnet(c, rng):
        net = (c["layers"], c["width"])
        p = init(*net, rng)
        b, h, w = c["input"]
        x, g = normal(rng, b, 3, h, w), normal(rng, b, dim(*net))
        ten = inputs(x=x, grad_y=g, param=p)

        def run(dt):
            out = {}
            for mode in ("train", "eval"):
                q = {n: t.to(dt).clone() if is_running(n) else leaf(t, dt) for n, t in p.items()}
                a = leaf(x, dt)
                last = last_map(q, *net, a, mode == "train")
                y = last.mean((2, 3))
                (y * g.to(dt)).sum().backward()
                out.update({f"{mode}.y": y, f"{mode}.map": last.permute(0, 2, 3, 1)})
                if mode in c["input_gradients"]:
                    out[f"{mode}.grad_x"] = a.grad
                if mode == "train":
                    out.update({f"{mode}.{n}": t for n, t in q.items() if is_running(n)})
                if mode in c["gradients"]:
                    out.update({f"{mode}.grad.{n}": t.grad for n, t in q.items() if not is_running(n)})
            return out, {}
        out, info = two_runs(run)
        return {**ten, **out}, info

    def resnetstep(c, rng):
        net, h = (c["layers"], c["width"]), R.HeadConfig(**c["head"])
        starts = []
        for _ in range(2):
            p = {**init(*net, rng), **R.init_rich(R.head_shapes(h), rng)}
            p["head.last_layer.weight_g"].fill_(1)
            starts.append(p)
        big = normal(rng, c["n_global"], c["batch"], 3, c["global_size"], c["global_size"])
        small = normal(rng, c["n_local"], c["batch"], 3, c["local_size"], c["local_size"])
        center = normal(rng, h.out_dim, scale=0.2)
        ten = inputs(student=starts[0], teacher=starts[1], center=center, **{"global": big, "local": small})

        def run(dt):
            s, t = ({n: v.to(dt).clone() for n, v in p.items()} for p in starts)
            trained = [n for n in s if not is_running(n) and not n.endswith("weight_g")]
            for n in trained:
                s[n].requires_grad_(True)
            m, opt, out, losses = center.to(dt), R.AdamW(), {}, []
            for step in range(c["steps"]):
                crops = [x.to(dt) for x in [*big, *small]]
                if step:  # other pictures at every step
                    crops = [x.flip(-1) * 0.5 for x in crops]
                with torch.no_grad():
                    t_out = R.head_forward(t, h, features(t, *net, crops[: c["n_global"]], True))
                s_out = R.head_forward(s, h, features(s, *net, crops, True))
                loss, _ = R.dino_loss(s_out, t_out, m, n_crops=len(crops), n_global=c["n_global"],
                                      student_temp=c["student_temp"], teacher_temp=c["teacher_temp"])
                m = R.update_center(m, t_out, c["center_momentum"])
                grads = dict(zip(trained, torch.autograd.grad(loss, [s[n] for n in trained])))
                grads = {n: g.clone() for n, g in grads.items()}
                R.clip_gradients(grads, c["clip_grad"])
                opt.step(s, grads, c["lr"], c["weight_decay"])
                R.ema_update({n: v for n, v in t.items() if not is_running(n)}, s, c["momentum"])
                losses.append(float(loss.detach()))
            out.update({"student." + n: v for n, v in s.items()})
            out.update({"teacher." + n: v for n, v in t.items()})
            return {**out, "center": m}, {"loss": losses}
        out, info = two_runs(run)
        return {**ten, **out}, info

    return {"resnet": resnet, "resnetstep": resnetstep}
