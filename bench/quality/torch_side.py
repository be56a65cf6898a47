"""PyTorch's side of `deno task bench:quality`.

The reference of tests/golden (its own forward passes, autograd, clipping, AdamW, centre, EMA and
schedules) trains on the crops that it is sent. A message is a line of JSON, followed by "bytes"
bytes of little-endian float32 where it has that member; so is an answer. What goes wrong is
answered as {"error": text}, and ends the process.

start     {config, steps_per_epoch, threads, dtype, params: [{name, shape}]} + weights -> versions
pictures  {set, shape} + images   appends rows to "gallery", "test" or "views"
labels    {kinds: [{kind, gallery, judged}], vendors?: {queries, query_ids, gallery, gallery_ids}}
step      {step, views: [n, ...], shapes: [[n * B, C, H, W], ...]} + crops -> the loss, and what it took
evaluate  {knn_k, knn_temperature} -> features of all pictures by the teacher, and figures of them
weights   {} -> the teacher
"""
import json
import os
import sys
import time
import traceback

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/golden"))
import reference as ref  # noqa: E402

ENCODED = 256  # pictures of a forward pass
COMPARED = 1024  # queries whose similarities exist at once


def split(raw, shapes):
    """Arrays of given shapes, one after the other in a buffer."""
    out, at = [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        out.append(torch.from_numpy(raw[at:at + size].copy()).reshape(shape))
        at += size
    if at != len(raw):
        raise ValueError(f"expected {at} numbers but found {len(raw)}")
    return out


class Side:
    def __init__(self, job, raw):
        torch.set_num_threads(job["threads"])
        c = job["config"]
        model, loss, train = c["model"], c["loss"], c["training"]
        self.dtype = getattr(torch, job["dtype"])
        self.vit = ref.ViTConfig(
            image_size=c["augmentation"]["global_crop_size"], patch_size=model["patch_size"],
            dim=model["dim"], depth=model["depth"], heads=model["heads"],
            mlp_ratio=model["mlp_ratio"], in_chans=model["in_chans"],
            pos_interp=model["pos_interp"])
        self.head = ref.HeadConfig(
            in_dim=model["dim"], out_dim=model["projection_output_dim"],
            hidden_dim=model["projection_hidden_dim"],
            bottleneck_dim=model["projection_bottleneck_dim"], layers=model["projection_layers"],
            norm_last_layer=model["norm_last_layer"])
        names = [p["name"] for p in job["params"]]
        shapes = [p["shape"] for p in job["params"]]
        expected = {**ref.vit_shapes(self.vit), **ref.head_shapes(self.head)}
        found = dict(zip(names, map(tuple, shapes)))
        if expected != found:
            raise ValueError(f"expected parameters {expected} but found {found}")
        weights = {n: w.to(self.dtype) for n, w in zip(names, split(raw, shapes))}
        self.names = names
        self.trainer = ref.Trainer(
            weights, self.vit, self.head, n_global=c["augmentation"]["n_global_crops"],
            student_temp=loss["student_temp"], center_momentum=loss["center_momentum"],
            clip_grad=train["gradient_clip"], freeze_last_layer=train["freeze_last_layer"])
        self.trainer.opt = ref.AdamW(tuple(c["optimizer"]["betas"]), c["optimizer"]["eps"])
        self.schedule(c, job["steps_per_epoch"])
        self.sets = {}
        self.labels = None

    def schedule(self, c, per_epoch):
        opt, sched, train, loss = c["optimizer"], c["scheduler"], c["training"], c["loss"]
        epochs = train["num_epochs"]
        lr = opt["lr"]
        if opt["lr_scale_by_batch"]:
            lr = ref.scaled_lr(lr, c["data"]["batch_size"])
        self.per_epoch = per_epoch
        self.lr = ref.cosine_schedule(lr, sched["min_lr"], epochs, per_epoch,
                                      sched["warmup_epochs"], sched["warmup_start_lr"])
        self.wd = ref.cosine_schedule(opt["weight_decay"], opt["weight_decay_end"], epochs, per_epoch)
        start = train["teacher_momentum"]
        end = train["teacher_momentum_final"] if train["teacher_momentum_schedule"] else start
        self.momentum = ref.cosine_schedule(start, end, epochs, per_epoch)
        self.teacher_temp = ref.teacher_temp_schedule(
            loss["warmup_teacher_temp"], loss["teacher_temp"], loss["warmup_teacher_temp_epochs"],
            epochs)

    def step(self, job, raw):
        step = job["step"]
        groups = split(raw, job["shapes"])
        crops = [v for g, n in zip(groups, job["views"]) for v in g.to(self.dtype).chunk(n)]
        epoch = step // self.per_epoch
        values = {"lr": self.lr[step], "wd": self.wd[step], "momentum": self.momentum[step],
                  "teacher_temp": self.teacher_temp[epoch]}
        values = {name: float(value) for name, value in values.items()}
        start = time.perf_counter()
        found = self.trainer.step(crops, epoch=epoch, **values)
        ms = 1000 * (time.perf_counter() - start)
        if not np.isfinite(found["loss"]):
            raise ValueError(f"a loss of {found['loss']} in step {step}")
        return {"loss": found["loss"], "teacher_entropy": found["teacher_entropy"], "ms": ms,
                **values}, None

    def pictures(self, job, raw):
        rows = torch.from_numpy(raw.copy()).reshape(job["shape"])
        self.sets.setdefault(job["set"], []).append(rows)
        return {}, None

    @torch.no_grad()
    def features(self, name):
        if name not in self.sets:
            return None
        rows = [part for block in self.sets[name] for part in block.split(ENCODED)]
        return torch.cat([
            ref.vit_forward(self.trainer.teacher, self.vit, x.to(self.dtype)) for x in rows
        ]).float()

    def evaluate(self, job, _):
        start = time.perf_counter()
        found = {name: self.features(name) for name in ("gallery", "test", "views")}
        found = {name: value for name, value in found.items() if value is not None}
        ms = 1000 * (time.perf_counter() - start)
        raw = b"".join(value.numpy().astype("<f4").tobytes() for value in found.values())
        shapes = {name: list(value.shape) for name, value in found.items()}
        return {"ms": ms, "shapes": shapes, "figures": self.figures(found, job)}, raw

    def figures(self, found, job):
        """The figures of lib/eval, worked out here from the features alone."""
        unit = {n: torch.nn.functional.normalize(v, dim=1) for n, v in found.items()}
        gallery, judged = unit["gallery"], unit.get("test", unit["gallery"])
        alone = "test" not in unit
        out = {}
        if "views" in unit:
            near, _ = nearest(unit["views"], judged, 5, False)
            hit = near == torch.arange(len(judged))[:, None]
            recall(out, "view retrieval", hit)
        labels = self.labels or {"kinds": []}
        if labels.get("vendors"):
            v = {n: torch.tensor(values) for n, values in labels["vendors"].items()}
            near, _ = nearest(judged[v["queries"]], gallery[v["gallery"]], 5, False)
            hit = v["gallery_ids"][near] == v["query_ids"][:, None]
            recall(out, labels["vendors_name"], hit)
        if not labels["kinds"]:
            return out
        most = len(gallery) - (1 if alone else 0)
        ks = sorted({min(k, most) for k in job["knn_k"]})
        near, sim = nearest(judged, gallery, ks[-1], alone)
        for kind in labels["kinds"]:
            of_gallery, truth = torch.tensor(kind["gallery"]), torch.tensor(kind["judged"])
            classes = int(max(of_gallery.max(), truth.max())) + 1
            for k in ks:
                votes = torch.zeros(len(judged), classes, dtype=torch.float64)
                weight = (sim[:, :k].double() / job["knn_temperature"]).exp()
                votes.scatter_add_(1, of_gallery[near[:, :k]], weight)
                right = (votes.argmax(1) == truth).double().mean()
                out[f"{kind['kind']} k-NN (k {k})"] = 100 * float(right)
        return out

    def weights(self, *_):
        raw = b"".join(
            self.trainer.teacher[n].float().numpy().astype("<f4").tobytes() for n in self.names)
        return {}, raw


def nearest(queries, gallery, k, alone):
    """Indices and similarities [n, k]; `alone`: row i must not find itself."""
    k = min(k, len(gallery))
    near, sims = [], []
    for at in range(0, len(queries), COMPARED):
        sim = queries[at:at + COMPARED] @ gallery.t()
        if alone:
            rows = torch.arange(len(sim))
            sim[rows, at + rows] = -float("inf")
        values, indices = sim.topk(k, dim=1)
        near.append(indices)
        sims.append(values)
    return torch.cat(near), torch.cat(sims)


def recall(out, name, hit):
    out[f"{name} R@1"] = 100 * float(hit[:, 0].double().mean())
    out[f"{name} R@5"] = 100 * float(hit.any(1).double().mean())


def main():
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    side = None
    sys.stdout = sys.stderr

    def answer(message, raw=None):
        if raw is not None:
            message = {**message, "bytes": len(raw)}
        sink.write(json.dumps(message).encode() + b"\n" + (raw or b""))
        sink.flush()

    answer({"torch": torch.__version__, "blas": torch.__config__.parallel_info().split("\n")[0],
            "numpy": np.__version__})
    for line in source:
        job = json.loads(line)
        raw = np.frombuffer(source.read(job.get("bytes", 0)), "<f4")
        try:
            if job["op"] == "start":
                side = Side(job, raw)
                answer({"threads": torch.get_num_threads()})
            elif job["op"] == "labels":
                side.labels = job
                answer({})
            else:
                answer(*getattr(side, job["op"])(job, raw))
        except Exception as error:  # the other side says what to do about it
            traceback.print_exc()
            answer({"error": f"{type(error).__name__}: {error}"})
            return


if __name__ == "__main__":
    main()
