"""torchvision's side of the loading benchmarks: reads jobs as lines of JSON, answers with lines of JSON.

{"op": "prepare", "job": ...} -> {"views": [[N, C, H, W], ...]}: shapes of one batch
{"op": "run", "n": 3}         -> {"ms": milliseconds of 3 batches for every worker}

A job has a kind, "crops" (of pictures in memory), "folder" (decoding, then crops) or "decode" (no crops), and
a number of workers of the DataLoader; 0 does everything in this process, in one thread.
"""
import json
import os
import random
import sys
import time

import numpy as np
import PIL
import torch
import torchvision
from PIL import Image, ImageFilter, ImageOps
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms as T
from torchvision.datasets import ImageFolder

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Probabilities of blur and of solarization for each kind of view, and the area of its crops.
GLOBAL_1, GLOBAL_2, LOCAL = (1.0, 0.0, (0.4, 1.0)), (0.1, 0.2, (0.4, 1.0)), (0.5, 0.0, (0.05, 0.4))


def blur(picture):
    return picture.filter(ImageFilter.GaussianBlur(random.uniform(0.1, 2.0)))


def maybe(probability, change):
    return T.RandomApply([T.Lambda(change)], probability)


def view_of(size, blurred, solarized, area):
    """DINO's augmentation of one view of a PIL picture, to a normalised tensor."""
    return T.Compose([
        T.RandomResizedCrop(size, area, interpolation=T.InterpolationMode.BICUBIC),
        T.RandomHorizontalFlip(0.5),
        T.RandomApply([T.ColorJitter(0.4, 0.4, 0.2, 0.1)], 0.8),
        T.RandomGrayscale(0.2),
        maybe(blurred, blur),
        maybe(solarized, ImageOps.solarize),
        T.ToTensor(),
        T.Normalize(MEAN, STD),
    ])


class Crops:
    """All views of a picture: two global ones, then the local ones."""

    def __init__(self, global_size, local_size, locals_):
        local = view_of(local_size, *LOCAL)
        self.views = [view_of(global_size, *GLOBAL_1), view_of(global_size, *GLOBAL_2)]
        self.views += [local] * locals_

    def __call__(self, picture):
        return [view(picture) for view in self.views]


def levels(picture):
    return [torch.from_numpy(np.array(picture))]


class InMemory(Dataset):
    """Pictures of a raw RGB file that are kept in memory."""

    def __init__(self, file, count, width, height, change):
        raw = np.fromfile(file, dtype=np.uint8).reshape(count, height, width, 3)
        self.pictures, self.change = [Image.fromarray(p) for p in raw], change

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, i):
        return self.change(self.pictures[i]), 0


class Batches:
    """As many batches as are asked for: shuffled pictures, epoch after epoch."""

    def __init__(self, length, batch):
        self.length, self.batch, self.count = length, batch, 1

    def __iter__(self):
        order = []
        for _ in range(self.count):
            while len(order) < self.batch:
                order += random.sample(range(self.length), self.length)
            yield order[:self.batch]
            order = order[self.batch:]


class Job:
    def __init__(self, job):
        torch.set_num_threads(1)
        crops = job.get("crops")
        change = Crops(crops["globalSize"], crops["localSize"], crops["locals"]) if crops else levels
        if job["kind"] == "crops":
            data = InMemory(job["file"], job["count"], job["width"], job["height"], change)
        else:
            data = ImageFolder(job["folder"], change)
        self.per = max(1, job["workers"])
        self.batches = Batches(len(data), job["batch"])
        self.loader = DataLoader(data, batch_sampler=self.batches, num_workers=job["workers"],
                                 persistent_workers=job["workers"] > 0)

    def run(self, n):
        self.batches.count = n * self.per
        shapes = None
        for views, _ in self.loader:
            shapes = [list(v.shape) for v in views]
        return shapes


def main():
    cores = len(os.sched_getaffinity(0))
    version = f"{torchvision.__version__}, Pillow {PIL.__version__}"
    print(json.dumps({"version": version, "cores": cores}), flush=True)
    job = None
    for line in sys.stdin:
        request = json.loads(line)
        if request["op"] == "prepare":
            job = None  # ends the workers of the last one
            job = Job(request["job"])
            answer = {"views": job.run(1)}  # starts the workers
        else:
            start = time.perf_counter()
            job.run(request["n"])
            answer = {"ms": 1000 * (time.perf_counter() - start)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
