"""PyTorch's side of `deno task bench:quality`.

The reference of tests/golden (its own forward passes, objectives, autograd, clipping, AdamW,
centre, EMA and schedules) trains on the crops that it is sent. A message is a line of JSON,
followed by "bytes" bytes of little-endian float32 where it has that member; so is an answer. What
goes wrong is answered as {"error": text}, and ends the process.

start     {config, objective?, steps_per_epoch, threads, dtype, params: [{name, shape}]} + weights
pictures  {set, shape} + images   appends rows to "gallery", "test" or "views"
labels    {kinds: [{kind, gallery, judged}], vendors?: {queries, query_ids, gallery, gallery_ids}}
step      {step, views: [n, ...], shapes: [[n * B, C, H, W], ...]} + crops -> the losses, and more
evaluate  {readout: {feature, last_blocks, combine_blocks}, alpha: number or null, knn_k,
          knn_temperature} -> features of all pictures, and figures of them, plain and whitened
weights   {} -> the weights that are evaluated
"""
import json
import os
import sys
import time
import traceback

import numpy as np
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "../../tests/golden")]
import objectives as obj  # noqa: E402
import reference as ref  # noqa: E402
import score  # noqa: E402

ENCODED = 256  # pictures of a forward pass


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


def settings_of(c, objective):
    """What a configuration says of a step."""
    model, loss, train, opt = c["model"], c["loss"], c["training"], c["optimizer"]
    alone = objective == "infonce"
    return obj.Settings(
        objective=objective, feature=model["feature"],
        n_global=c["augmentation"]["n_global_crops"], student_temp=loss["student_temp"],
        center_momentum=loss["center_momentum"], koleo_weight=loss["koleo_weight"],
        contrastive_weight=0 if alone else loss["contrastive_weight"],
        contrastive_feature=loss["contrastive_feature"] or model["feature"],
        contrastive_temp=loss["contrastive_temp"],
        contrastive_teacher=loss["contrastive_teacher"], clip_grad=train["gradient_clip"],
        freeze_last_layer=train["freeze_last_layer"], betas=tuple(opt["betas"]), eps=opt["eps"])


class Side:
    def __init__(self, job, raw):
        torch.set_num_threads(job["threads"])
        c = job["config"]
        model, loss = c["model"], c["loss"]
        self.dtype = getattr(torch, job["dtype"])
        settings = settings_of(c, job.get("objective") or loss["objective"])
        vit = ref.ViTConfig(
            image_size=c["augmentation"]["global_crop_size"], patch_size=model["patch_size"],
            dim=model["dim"], depth=model["depth"], heads=model["heads"],
            mlp_ratio=model["mlp_ratio"], in_chans=model["in_chans"],
            pos_interp=model["pos_interp"])
        expected, head = ref.vit_shapes(vit), None
        if settings.objective != "infonce":
            head = ref.HeadConfig(
                in_dim=obj.feature_width(settings.feature, vit.dim),
                out_dim=model["projection_output_dim"],
                hidden_dim=model["projection_hidden_dim"],
                bottleneck_dim=model["projection_bottleneck_dim"],
                layers=model["projection_layers"], norm_last_layer=model["norm_last_layer"])
            expected.update(ref.head_shapes(head))
        if settings.contrasts:
            hidden = [model["contrastive_hidden_dim"]] * (model["contrastive_layers"] - 1)
            first = obj.feature_width(settings.contrastive_feature, vit.dim)
            expected.update(obj.projector_shapes(
                [first, *hidden, model["contrastive_output_dim"]]))
            if loss["contrastive_temp_learned"]:
                expected[obj.LOGIT_SCALE] = (1,)
        self.names = [p["name"] for p in job["params"]]
        shapes = [p["shape"] for p in job["params"]]
        found = dict(zip(self.names, map(tuple, shapes)))
        if expected != found:
            raise ValueError(f"expected parameters {expected} but found {found}")
        weights = {n: w.to(self.dtype) for n, w in zip(self.names, split(raw, shapes))}
        self.trainer = obj.Trainer(weights, vit, head, settings)
        self.schedule(c, job["steps_per_epoch"])
        self.sets = {}
        self.labels = {"kinds": []}

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
        told = self.trainer.step(crops, epoch=epoch, **values)
        ms = 1000 * (time.perf_counter() - start)
        if not np.isfinite(told["loss"]):
            raise ValueError(f"a loss of {told['loss']} in step {step}")
        told.pop("grad_norms")
        return {**told, **values, "ms": ms}, None

    def pictures(self, job, raw):
        rows = torch.from_numpy(raw.copy()).reshape(job["shape"])
        self.sets.setdefault(job["set"], []).append(rows)
        return {}, None

    def set_labels(self, job, _):
        self.labels = job
        return {}, None

    @torch.no_grad()
    def features(self, readout):
        weights, vit = self.trainer.evaluated, self.trainer.vit
        found = {}
        for name, blocks in self.sets.items():
            rows = [part for block in blocks for part in block.split(ENCODED)]
            found[name] = torch.cat([
                obj.read_out(weights, vit, x.to(self.dtype), readout["feature"],
                             readout["last_blocks"], readout["combine_blocks"]) for x in rows
            ]).float().numpy()
        return found

    def evaluate(self, job, _):
        start = time.perf_counter()
        found = self.features(job["readout"])
        ms = 1000 * (time.perf_counter() - start)
        labels, vendors = self.labels, self.labels.get("vendors")
        options = dict(
            labels={k["kind"]: (k["gallery"], k["judged"]) for k in labels["kinds"]},
            vendors=vendors and (labels["vendors_name"], vendors["queries"], vendors["query_ids"],
                                 vendors["gallery"], vendors["gallery_ids"]),
            ks=job["knn_k"], temperature=job["knn_temperature"])
        figures = {"plain": score.figures(found, **options)}
        if job["alpha"] is not None:
            figures["whitened"] = score.figures(score.whitened(found, job["alpha"]), **options)
        raw = b"".join(value.astype("<f4").tobytes() for value in found.values())
        shapes = {name: list(value.shape) for name, value in found.items()}
        return {"ms": ms, "shapes": shapes, "figures": figures}, raw

    def weights(self, *_):
        weights = self.trainer.evaluated
        return {}, b"".join(weights[n].float().numpy().astype("<f4").tobytes() for n in self.names)


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
            else:
                op = "set_labels" if job["op"] == "labels" else job["op"]
                answer(*getattr(side, op)(job, raw))
        except Exception as error:  # the other side says what to do about it
            traceback.print_exc()
            answer({"error": f"{type(error).__name__}: {error}"})
            return


if __name__ == "__main__":
    main()
