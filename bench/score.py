"""What exported features are worth, worked out in numpy alone: a check of lib/eval from outside.

    deno task embed photos --weights runs/a --out a.npy
    python3 bench/score.py a.npy --pictures photos
    deno task evaluate runs/a --features b.npy
    python3 bench/score.py b.npy --views b.views.npy --k 10 20 --json

Rows are told apart by the table of names beside the features (a.csv; --labels names another one).
Every column of it that names classes gives k-NN and retrieval, each picture judged by all others;
columns `identity` and `vendor` ask for the first vendor's pictures among the second's. Features
count as they are and whitened, and so do the raw pixels of --pictures (a folder, or the package
emoji-datasource), which need PIL: 16 x 16, of the central square. Several features of the same
pictures may be given, NAME=F.npy.
"""
from __future__ import annotations

import argparse
import csv
import json
import os
import sys

import numpy as np

COMPARED = 512  # queries whose similarities exist at once
NO_CLASSES = ("index", "id", "width", "height", "readout", "identity", "vendor")


# -- measures ------------------------------------------------------------------------------------
def unit(x):
    """Rows of length 1."""
    x = np.asarray(x, np.float64)
    return x / np.linalg.norm(x, axis=1, keepdims=True).clip(1e-12)


def whitening(features, alpha=1.0, share=0.95):
    """Mean m and matrix M of W = (f - m) M, M = V / sqrt(S + alpha mean S), with S and V of the
    covariance of the rows, the mean over as many directions as there can be, min(n, D). Fitted
    without labels; the larger alpha, the more each keeps its own variance.

    Directions of most variance come first. Kept are as many as hold a share of what is left of the
    variance, and 256 whatever they hold; those without variance never. As in lib/eval, more rows
    than 10,000, or than 2,048 of more dimensions than that, are evenly thinned."""
    f = np.asarray(features, np.float64)
    most = 2048 if f.shape[1] > 2048 else 10_000
    if len(f) > most:
        f = f[np.arange(most) * len(f) // most]
    mean = f.mean(0)
    _, s, v = np.linalg.svd(f - mean, full_matrices=False)
    s = s ** 2 / len(f)
    there = int((s > 1e-10 * s[0]).sum())
    left = s / (s + alpha * s.mean())
    held = np.cumsum(left) / left[:there].sum()
    kept = there if share >= 1 else max(int(np.argmax(held >= share)) + 1, min(256, there))
    kept = min(kept, there)
    return mean, v[:kept].T / np.sqrt(s[:kept] + alpha * s.mean())


def nearest(queries, gallery, k, alone=False):
    """Indices and similarities [m, k], nearest first, of equals the lower index first. `alone`: both
    are the same rows, and none finds itself."""
    k = min(k, len(gallery) - bool(alone))
    keys = np.asarray(gallery, np.float64).T
    near, sims = np.empty((len(queries), k), np.int64), np.empty((len(queries), k))
    for at in range(0, len(queries), COMPARED):
        sim = queries[at:at + COMPARED] @ keys
        rows = np.arange(len(sim))
        if alone:
            sim[rows, at + rows] = -np.inf
        few = np.sort(np.argpartition(-sim, k - 1, axis=1)[:, :k], axis=1)
        order = np.argsort(-np.take_along_axis(sim, few, 1), axis=1, kind="stable")
        near[at + rows] = few = np.take_along_axis(few, order, 1)
        sims[at + rows] = np.take_along_axis(sim, few, 1)
    return near, sims


def recall(near, of_queries, of_gallery, alone=False):
    """{R@1, R@5} in percent, of the queries that can be answered at all; None where none can."""
    right = of_gallery[near[:, :5]] == of_queries[:, None]
    ids, counts = np.unique(of_gallery, return_counts=True)
    at = np.searchsorted(ids, of_queries).clip(max=len(ids) - 1)
    right = right[np.where(ids[at] == of_queries, counts[at], 0) > bool(alone)]
    if not len(right):
        return None
    return {"R@1": 100 * right[:, 0].mean(), "R@5": 100 * right.any(1).mean()}


def knn(near, sims, of_queries, of_gallery, k, temperature=0.07):
    """Weighted k-NN, percent: each neighbour votes exp(similarity / temperature)."""
    classes = max(of_queries.max(), of_gallery.max()) + 1
    votes = np.zeros((len(near), classes))
    np.add.at(votes, (np.arange(len(near))[:, None], of_gallery[near[:, :k]]),
              np.exp(sims[:, :k] / temperature))
    return 100 * (votes.argmax(1) == of_queries).mean()


def figures(sets, labels, vendors=None, ks=(10,), temperature=0.07):
    """All figures of one encoder, under lib/eval's names.

    sets     gallery, and where there are some test and views (of what is judged), [n, D]
    labels   {kind: (of the gallery, of what is judged)}, class numbers
    vendors  (name, queries, their identities, gallery, their identities), rows and numbers"""
    rows = {name: unit(x) for name, x in sets.items()}
    gallery, alone = rows["gallery"], "test" not in rows
    judged = rows.get("test", gallery)
    out = {}

    def put(name, found):
        for metric, value in (found or {}).items():
            out[f"{name} {metric}"] = float(value)

    if "views" in rows:
        own = np.arange(len(judged))
        put("view retrieval", recall(nearest(rows["views"], judged, 5)[0], own, own))
    if vendors:
        name, queries, asked, answers, theirs = vendors
        near, _ = nearest(judged[queries], gallery[answers], 5)
        put(name, recall(near, np.asarray(asked), np.asarray(theirs)))
    if labels:
        most = len(gallery) - alone
        ks = sorted({min(k, most) for k in ks})
        near, sims = nearest(judged, gallery, max(5, ks[-1]), alone)
        for kind, (known, truth) in labels.items():
            known, truth = np.asarray(known), np.asarray(truth)
            for k in ks:
                put(kind, {f"k-NN (k {k})": knn(near, sims, truth, known, k, temperature)})
            put(f"{kind} retrieval", recall(near, truth, known, alone))
    return out


def whitened(sets, alpha, share=0.95):
    """All of them by the whitening of the gallery."""
    mean, matrix = whitening(sets["gallery"], alpha, share)
    return {part: (x - mean) @ matrix for part, x in sets.items()}


def plain_and_white(name, sets, alpha, share, **options):
    """{name: figures, name + " W": figures of the same whitened}."""
    return {name: figures(sets, **options),
            f"{name} W": figures(whitened(sets, alpha, share), **options)}


# -- files ---------------------------------------------------------------------------------------
def read_names(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def numbers(*columns):
    """Texts of several columns as numbers that all of them share."""
    seen = {}
    return [np.array([seen.setdefault(text, len(seen)) for text in column]) for column in columns]


def classes_of(rows, tested):
    """Columns of classes: more than one, and not one for every picture."""
    out = {}
    for kind in rows[0]:
        values = [row[kind] for row in rows]
        one_each = not tested and len(set(values)) == len(values)
        if kind in NO_CLASSES or kind.startswith("k-means") or len(set(values)) < 2 or one_each:
            continue
        if tested and kind not in tested[0]:
            continue
        known, truth = numbers(values, [row[kind] for row in tested or rows])
        out[kind] = (known, truth)
    return out


def vendors_of(rows, tested):
    if not {"identity", "vendor"} <= set(rows[0]):
        return None
    names = list(dict.fromkeys(row["vendor"] for row in rows))
    if len(names) != 2:
        return None
    judged = tested or rows
    queries = [i for i, row in enumerate(judged) if row["vendor"] == names[0]]
    answers = [i for i, row in enumerate(rows) if row["vendor"] == names[1]]
    asked, theirs = numbers([judged[i]["identity"] for i in queries],
                            [rows[i]["identity"] for i in answers])
    return " → ".join(names), queries, asked, answers, theirs


def emoji_cells(folder):
    """id -> picture, of the package emoji-datasource: cells of 32 px in a grid of 34."""
    from PIL import Image
    sheets = {}
    with open(os.path.join(folder, "emoji.json"), encoding="utf-8") as file:
        cells = {e["unified"].lower(): e for base in json.load(file)
                 for e in [base, *base.get("skin_variations", {}).values()]}

    def cell(name):
        vendor, code = name.split("/")
        if vendor not in sheets:
            sheets[vendor] = Image.open(f"{folder}/img/{vendor}/sheets/32.png").convert("RGBA")
        x, y = (34 * cells[code][axis] + 1 for axis in ("sheet_x", "sheet_y"))
        return sheets[vendor].crop((x, y, x + 32, y + 32))

    return cell


def pixels(folder, names, size=16):
    """[n, 3 size size]: the central squares, reduced by PIL's bicubic filter, on white."""
    from PIL import Image, ImageOps
    emoji = os.path.exists(os.path.join(folder, "emoji.json"))
    get = emoji_cells(folder) if emoji else lambda name: Image.open(os.path.join(folder, name))
    out = []
    for name in names:
        im = ImageOps.exif_transpose(get(name)).convert("RGBA")
        im = Image.alpha_composite(Image.new("RGBA", im.size, "white"), im).convert("RGB")
        side = min(im.size)
        left, top = ((length - side) // 2 for length in im.size)
        im = im.crop((left, top, left + side, top + side)).resize((size, size), Image.BICUBIC)
        out.append(np.asarray(im, np.float64).transpose(2, 0, 1).ravel() / 255)
    # as a model gets them: ImageNet's means and deviations, which cosines depend on
    mean, std = (np.repeat(v, size * size) for v in ([.485, .456, .406], [.229, .224, .225]))
    return (np.array(out) - mean) / std


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("features", nargs="+", help="F.npy or NAME=F.npy")
    parser.add_argument("--labels", help="table of names (default: the .csv beside the first)")
    parser.add_argument("--views", help="features of a view of each judged picture (one F.npy only)")
    parser.add_argument("--test", help="features of a test set, with its .csv (one F.npy only)")
    parser.add_argument("--pictures", help="the folder of the pictures: raw pixels beside it")
    parser.add_argument("--k", type=int, nargs="+", default=[10], help="neighbours that vote")
    parser.add_argument("--alpha", type=float, default=1.0, help="shrinkage of the whitening")
    parser.add_argument("--share", type=float, default=0.95, help="of whitened variance; 1 keeps all")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if (args.views or args.test) and len(args.features) > 1:
        parser.error("--views and --test belong to one F.npy")

    beside = lambda path: os.path.splitext(path)[0] + ".csv"  # noqa: E731
    given = [text.split("=", 1) if "=" in text else (os.path.basename(text), text)
             for text in args.features]
    names = read_names(args.labels or beside(given[0][1]))
    tested = read_names(beside(args.test)) if args.test else None
    options = dict(labels=classes_of(names, tested), vendors=vendors_of(names, tested), ks=args.k)
    found = {}
    for name, path in given:
        sets = {"gallery": np.load(path)}
        if len(sets["gallery"]) != len(names):
            parser.error(f"expected {len(names)} rows in {path} but found {len(sets['gallery'])}")
        for part in ("test", "views"):
            if getattr(args, part):
                sets[part] = np.load(getattr(args, part))
        found.update(plain_and_white(name, sets, args.alpha, args.share, **options))
    if args.pictures:
        sets = {"gallery": pixels(args.pictures, [row["id"] for row in names])}
        if tested:
            sets["test"] = pixels(args.pictures, [row["id"] for row in tested])
        found.update(plain_and_white("raw pixels", sets, args.alpha, args.share, **options))

    if args.json:
        json.dump(found, sys.stdout, indent=2)
        print()
        return
    metrics = list(dict.fromkeys(m for one in found.values() for m in one))
    wide = max(map(len, metrics), default=0) + 2
    print(" " * wide + "".join(f"{name:>{max(12, len(name) + 2)}}" for name in found))
    for metric in metrics:
        print(metric.ljust(wide) + "".join(
            f"{one[metric]:>{max(12, len(name) + 2)}.2f}" if metric in one
            else " " * max(12, len(name) + 2) for name, one in found.items()))


if __name__ == "__main__":
    main()
