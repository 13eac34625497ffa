"""Row (b): a whole GRIP run, without labels, textual prompt. Ours against the way in which the paper's released code works: one image at a time with all prompts encoded again
for each of them, the image features computed anew in every step, the whole context of every class.

On the pocket CLIP our run is measured whole, features with it, and the plain one reckoned up from its parts: an image that is labelled, a batch that is trained on, a batch that is
tested. On ViT-B/32 (Flowers102's numbers, the paper's recipe) both are reckoned up from parts, for the plain way would take days."""
from dataclasses import dataclass
from math import ceil
from statistics import median

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from measure import Line, interleaved
from pseudolab.clip import Clip, load_clip
from pseudolab.recipe import Recipe
from pseudolab.tasks import load_task
from pseudolab.text_prompt import TextPrompt
from pseudolab.training import epochs_of
from pseudolab.tuner import PromptTuner
from text_step import coop, names_of, random_clip

POOL, TEST, CLASSES, ROUNDS = 2040, 6149, 102, 10      # Flowers102's
LABELLED = 4                                           # images whose labelling is measured in a turn


@dataclass
class Work:
    "What a run asks for: images of the pool and of the test, batches that are trained on, and how many rounds"
    pool: int
    test: int
    batches: int
    rounds: int
    batch_size: int


def batches_of(sizes: list[int], recipe: Recipe) -> int:
    "Forward and backward passes of rounds that train on so many images"
    return sum(epochs_of(n, recipe) * ceil(n / recipe.batch_size) for n in sizes)


def parts(clip: Clip, names: list[str], images: list[Image.Image], batch_size: int) -> dict:
    "The plain way's parts, and the parts of ours that are like them"
    prompt = TextPrompt(clip, names)
    features, plain_texts = clip.encode_images(images[:batch_size]), coop(prompt)
    target = torch.arange(len(features), device=clip.device) % len(names)

    def label():
        with torch.no_grad():
            for image in images[:LABELLED]: (clip.encode_images([image]) @ plain_texts().T).argmax(1)

    def train(images_too: bool, texts):
        prompt.zero_grad()
        batch = clip.encode_images(images[:batch_size]) if images_too else features
        F.cross_entropy(clip.logit_scale.exp() * batch @ texts().T, target).backward()

    def test():
        with torch.no_grad(): clip.encode_images(images[:batch_size]) @ plain_texts().T

    return {"label": label, "train": lambda: train(True, plain_texts), "test": test,
            "our train": lambda: train(False, prompt.class_features), "our features": lambda: clip.encode_images(images[:batch_size])}


def reckoned(found: dict[str, list[float]], work: Work) -> tuple[float, float]:
    "Seconds of the whole run: the plain way, and ours"
    unit = {name: median(times) for name, times in found.items()}
    tests = ceil(work.test / work.batch_size)
    plain = work.rounds * work.pool * unit["label"] / LABELLED + work.batches * unit["train"] + (work.rounds + 1) * tests * unit["test"]
    ours = (work.pool + work.test) / work.batch_size * unit["our features"] + work.batches * unit["our train"]
    return plain, ours


def pocket_line(options) -> Line:
    recipe, task, clip = Recipe.pocket(), load_task("satellite"), load_clip("pocket", device=str(options.device), precision="fp32")
    images = [task.train.images[i] for i in range(len(task.train))] + [task.test.images[i] for i in range(len(task.test))]
    for collection in (task.train.images, task.test.images): clip.image_features(collection)       # drawing the pictures belongs to neither way
    runs = []

    def ours():
        clip.encode_images(images)
        runs.append(PromptTuner(clip, recipe=recipe, seed=0).fit(task, progress=False))

    found = interleaved({"ours": ours} | parts(clip, task.class_names, images, recipe.batch_size), options.repetitions)
    sizes = [len(round.pseudolabels) for round in runs[-1].rounds if round.pseudolabels is not None]
    work = Work(len(task.train), len(task.test), batches_of(sizes, recipe), len(sizes), recipe.batch_size)
    plain, whole = reckoned(found, work)[0], median(found["ours"])
    return Line("b", f"GRIP, {len(sizes)} rounds, pocket CLIP, {work.pool} images, {len(task.class_names)} classes, {work.batches} steps", whole, plain, plain / whole,
                note="ours measured whole, the plain way reckoned up from its parts", details={"seconds": found, "work": vars(work)})


def real_line(options) -> Line:
    recipe, clip, rng = Recipe.paper(), random_clip("ViT-B-32", options.device), np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)) for _ in range(recipe.batch_size)]
    sizes = [CLASSES * (number * POOL // (ROUNDS * CLASSES)) for number in range(1, ROUNDS + 1)]
    work = Work(POOL, TEST, batches_of(sizes, recipe), ROUNDS, recipe.batch_size)
    found = interleaved(parts(clip, names_of(CLASSES), images, recipe.batch_size), max(1, options.repetitions // 2), warm_up=False)
    plain, ours = reckoned(found, work)
    return Line("b", f"GRIP, {ROUNDS} rounds, ViT-B/32, {POOL} images, {CLASSES} classes, {work.batches} steps", ours, plain, plain / ours,
                note="both reckoned up from their parts", details={"seconds": found, "work": vars(work)})


def measure(options) -> list[Line]: return [pocket_line(options), real_line(options)]
