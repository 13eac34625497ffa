"""Row (b): a whole GRIP run, without labels, textual prompt, against the way in which the paper's
released code works. That code was read for facts:

- Training goes in batches of 16 images on each of four processes. For every batch all prompts are
encoded again, all positions of them, forward and backward, and the 16 images with them, in every
epoch. We count the work of all processes. - The first labels: one image at a time, all prompts
encoded again with each. After a round: the pool in batches of 16 for predictions, then the pool
once more, one image at a time, for the labels; here the prompts are encoded once. - Testing: in
batches of 16, the prompts encoded once. We count one test a round, as our run makes it. - A fifth
of the pseudolabelled images is held out and looked at in every epoch, and nothing is done with what
is seen. We leave that out, and let the plain way train on the images that ours trains on.

The second line is the way that is often described, one image at a time with all prompts encoded
again for each, in labelling and in testing, and the training as above.

On the pocket CLIP our run is measured whole, features with it, and the plain one reckoned up from
its parts. On ViT-B/32 (Flowers102's numbers, the paper's recipe) both are reckoned up from parts,
for the plain way would take weeks here. The floor: the operations of one pass of the image tower
over pool and test images, and of the steps' rows (as in row a), at the rate of a matrix product in
the same turns.
"""

from dataclasses import dataclass
from math import ceil
from statistics import median

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from measure import MATMUL_SIDE, Line, interleaved, matmul
from pseudolab.clip.loading import load_clip
from pseudolab.clip.model import Clip
from pseudolab.method.recipe import Recipe
from pseudolab.data.tasks import load_task
from pseudolab.method.prompts.text import TextPrompt
from pseudolab.method.training import epochs_of
from pseudolab.method.tuner import PromptTuner
from text_step import coop, names_of, operations as text_operations, random_clip

POOL, TEST, CLASSES, ROUNDS = 2040, 6149, 102, 10  # Flowers102's
# images that are measured one at a time in a turn; a batch of the released code
ALONE, SMALL = 4, 16


@dataclass
class Work:
    """What a run asks for: images of the pool and of the test, batches of ours and of the released
    code's size, rounds
    """

    pool: int
    test: int
    batches: int
    small_batches: int
    rounds: int
    batch_size: int


def work_of(pool: int, test: int, sizes: list[int], recipe: Recipe) -> Work:
    "sizes: how many images each round trains on"
    batches = lambda size: sum(epochs_of(n, recipe) * ceil(n / size) for n in sizes)
    return Work(
        pool, test, batches(recipe.batch_size), batches(SMALL), len(sizes), recipe.batch_size
    )


def parts(clip: Clip, names: list[str], images: list[Image.Image], batch_size: int) -> dict:
    "The plain way's parts, and the parts of ours that are like them"
    prompt = TextPrompt(clip, names)
    features, plain_texts = clip.encode_images(images[:batch_size]), coop(prompt)
    target = torch.arange(len(features), device=clip.device) % len(names)

    @torch.no_grad()
    def alone(again: bool):
        texts = None if again else features
        for image in images[:ALONE]:
            (clip.encode_images([image]) @ (plain_texts() if again else texts).T).argmax(1)

    def train(batch, texts):
        prompt.zero_grad()
        F.cross_entropy(clip.logit_scale.exp() * batch @ texts().T, target[: len(batch)]).backward()

    return {
        "alone with prompts": lambda: alone(True),
        "alone": lambda: alone(False),
        "small batch": lambda: clip.encode_images(images[:SMALL]),
        "small train": lambda: train(clip.encode_images(images[:SMALL]), plain_texts),
        "our train": lambda: train(features, prompt.class_features),
        "our features": lambda: clip.encode_images(images[:batch_size]),
        "matmul": matmul(clip.device),
    }


def plain_ways(unit: dict[str, float], work: Work) -> dict[str, float]:
    "Seconds of a run as the released code makes it, and of one that goes image by image"
    with_prompts, alone = unit["alone with prompts"] / ALONE, unit["alone"] / ALONE
    seen = lambda images: ceil(images / SMALL) * unit["small batch"]
    training = work.small_batches * unit["small train"]
    released = (
        work.pool * with_prompts
        + training
        + work.rounds * (seen(work.pool) + work.pool * alone)
        + (work.rounds + 1) * seen(work.test)
    )
    return {
        "as the released code works": released,
        "one image at a time, all prompts again for each": (
            training + (work.rounds * work.pool + (work.rounds + 1) * work.test) * with_prompts
        ),
    }


def image_operations(clip: Clip) -> float:
    "Forward of one image"
    tower = clip.require_image_tower()
    width, layers, L = (
        tower.class_embedding.shape[0],
        len(tower.transformer.resblocks),
        tower.positional_embedding.shape[0],
    )
    return (
        2 * (layers * 12 * width**2 * L + tower.conv1.weight.numel() * (L - 1))
        + 4 * layers * width * L**2
    )


def lines_of(
    what: str,
    clip: Clip,
    prompt: TextPrompt,
    found: dict[str, list[float]],
    work: Work,
    ours: float,
    note: str,
) -> list[Line]:
    unit = {name: median(times) for name, times in found.items()}
    operations = (work.pool + work.test) * image_operations(clip) + work.batches * text_operations(
        prompt
    )
    floor = operations / (2 * MATMUL_SIDE**3) * unit["matmul"]
    shares = {
        "features": (work.pool + work.test) / work.batch_size * unit["our features"],
        "training": work.batches * unit["our train"],
    }
    bounds = lambda plain: (
        f"encoding pool and test images once takes {shares['features']:.3g} s: were all else"
        f" free, the ratio would be {plain / shares['features']:.0f}; at the floor it would be"
        f" {plain / floor:.0f}"
    )
    details = {
        "seconds": found,
        "work": vars(work),
        "operations": operations,
        "shares_of_ours": shares,
    }
    return [
        Line(
            "b",
            f"{what}; {way}",
            ours,
            plain,
            plain / ours,
            floor,
            ours / floor,
            f"{note}; {bounds(plain)}",
            details,
        )
        for way, plain in plain_ways(unit, work).items()
    ]


def pocket_lines(options) -> list[Line]:
    recipe, task, clip = (
        Recipe.pocket(),
        load_task("satellite"),
        load_clip("pocket", device=str(options.device), precision="fp32"),
    )
    images, runs = [task.train.images[i] for i in range(recipe.batch_size)], []
    # so that `fit` finds them; what they cost is measured here
    for collection in (task.train.images, task.test.images):
        clip.image_features(collection)

    def ours():
        for collection in (task.train.images, task.test.images):
            clip.encode_images(collection)
        runs.append(PromptTuner(clip, recipe=recipe, seed=0).fit(task, progress=False))

    found = interleaved(
        {"ours": ours} | parts(clip, task.class_names, images, recipe.batch_size),
        options.repetitions,
    )
    work = work_of(
        len(task.train),
        len(task.test),
        [len(r.pseudolabels) for r in runs[-1].rounds if r.pseudolabels is not None],
        recipe,
    )
    return lines_of(
        f"GRIP, {work.rounds} rounds, pocket CLIP, {work.pool} images, {len(task.class_names)}"
        f" classes, {work.batches} steps",
        clip,
        TextPrompt(clip, task.class_names),
        found,
        work,
        median(found["ours"]),
        "ours measured whole, the plain way reckoned up from its parts",
    )


def real_lines(options) -> list[Line]:
    recipe, clip, rng = (
        Recipe.paper(),
        random_clip("ViT-B-32", options.device),
        np.random.default_rng(0),
    )
    images = [
        Image.fromarray(rng.integers(0, 256, (256, 256, 3), dtype=np.uint8))
        for _ in range(recipe.batch_size)
    ]
    work = work_of(
        POOL,
        TEST,
        [CLASSES * (number * POOL // (ROUNDS * CLASSES)) for number in range(1, ROUNDS + 1)],
        recipe,
    )
    found = interleaved(
        parts(clip, names_of(CLASSES), images, recipe.batch_size),
        max(1, options.repetitions // 2),
        warm_up=False,
    )
    ours = (work.pool + work.test) / work.batch_size * median(
        found["our features"]
    ) + work.batches * median(found["our train"])
    return lines_of(
        f"GRIP, {ROUNDS} rounds, ViT-B/32, {POOL} images, {CLASSES} classes, {work.batches} steps",
        clip,
        TextPrompt(clip, names_of(CLASSES)),
        found,
        work,
        ours,
        "both reckoned up from their parts",
    )


def whole_line(options) -> Line:
    "On a GPU: the paper's whole run for Flowers102's numbers, by the clock"
    from pseudolab.method.selectors import select_top_k
    from pseudolab.method.training import Term, fit_prompt

    recipe, clip, generator = (
        Recipe.paper(),
        random_clip("ViT-B-32", options.device),
        torch.Generator().manual_seed(0),
    )
    pool, test = (
        F.normalize(torch.randn(n, clip.embed_dim, generator=generator), dim=1).to(options.device)
        for n in (POOL, TEST)
    )
    labels = TextPrompt(clip, names_of(CLASSES)).class_features().detach()

    def run():
        logits = 100 * pool @ labels.T
        for number in range(1, ROUNDS + 1):
            chosen, prompt = (
                select_top_k(logits, number * POOL // (ROUNDS * CLASSES)),
                TextPrompt(clip, names_of(CLASSES)),
            )
            fit_prompt(
                prompt,
                [Term(pool[chosen.index], chosen.label, 1.0, pseudo=True)],
                recipe,
                generator=generator,
            )
            with torch.no_grad():
                logits, _ = (
                    100 * pool @ prompt.class_features().T,
                    100 * test @ prompt.class_features().T,
                )

    found = interleaved({"ours": run}, 1, options.device, warm_up=False)
    return Line(
        "b",
        "the paper's GRIP run on this GPU, ViT-B/32, by the clock; features at hand",
        median(found["ours"]),
        median(found["ours"]),
        1.0,
        note="random features: a step costs the same",
        details={"seconds": found},
    )


def measure(options) -> list[Line]:
    return (
        pocket_lines(options)
        + real_lines(options)
        + ([whole_line(options)] if options.device.type == "cuda" else [])
    )
