"""The maker of cases terms_*: several steps whose objective is a sum of terms."""
import math

import numpy as np
import torch

import objectives as obj
import reference as R


def makers(tools) -> dict:
    """By kind of case; `tools` is make_golden, whose precision and noise table they share."""

    def terms(c, rng):
        v, s = R.ViTConfig(**c["vit"]), obj.Settings(**c["settings"])
        h, shapes = None, R.vit_shapes(v)
        if s.objective == "dino":
            h = R.HeadConfig(in_dim=obj.feature_width(s.feature, v.dim), **c["head"])
            shapes = {**shapes, **R.head_shapes(h)}
        p = R.init_rich(shapes, rng)
        if h:
            p["head.last_layer.weight_g"].fill_(1)
        widths = [obj.feature_width(s.contrastive_feature, v.dim), *c["projector"]]
        p.update(obj.init_projector(obj.projector_shapes(widths), rng))
        if c["learned_temp"]:
            p[obj.LOGIT_SCALE] = torch.tensor([np.float32(math.log(1 / s.contrastive_temp))])
        n = len(c["lr"])
        big, small = tools.make_crops({**c, "n_global": s.n_global}, rng, (n,))
        names = [k for k in p if not k.endswith("weight_g")]

        def run(dt):
            trainer = obj.Trainer(R.cast(p, dt), v, h, s)
            told = []
            for i in range(n):
                told.append(trainer.step(
                    [x.to(dt) for x in [*big[i], *small[i]]], lr=c["lr"][i], wd=c["weight_decay"],
                    momentum=c["momentum_teacher"], teacher_temp=c["teacher_temp"], epoch=i))
            out = {"grad_norms": torch.tensor([[t["grad_norms"][k] for k in names] for t in told],
                                              dtype=dt)}
            for tag, weights in (("student", trainer.student), ("teacher", trainer.teacher)):
                out.update({f"{tag}.{k}": x for k, x in (weights or {}).items()})
            kept = [k for k in told[0] if k != "grad_norms"]
            return out, {k: [t[k] for t in told] for k in kept}

        out, info = tools.two_runs(run, float(sum(c["lr"])))
        info["grad_norm_names"] = names
        return {**tools.inputs(student=p, **{"global": big, "local": small}), **out}, info

    return {"terms": terms}
