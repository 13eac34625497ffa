"""Row (c): self-training with candidate labels on cached features, as CPL does it (Zhang et al.,
2024), against the same with the features recomputed. All else is ours on both sides: selection,
shared-prefix texts, the loss over candidate sets.

On the pocket CLIP our run is measured whole, features with it; the plain one encodes the images of
every step, and pool and test images after every round. On ViT-B/32 (Flowers102's numbers) both are
reckoned up from parts.
"""

from dataclasses import asdict
from math import ceil
from statistics import median

import torch
from grip_run import CLASSES, POOL, ROUNDS, TEST, Work, work_of
from measure import Line, Options, interleaved
from text_step import names_of, random_clip
from visual_step import pictures

from pseudolab.clip.loading import load_clip
from pseudolab.data.tasks import load_task
from pseudolab.method.loss_terms import partial_label_loss
from pseudolab.method.prompts.text import TextPrompt
from pseudolab.method.recipe import Recipe
from pseudolab.method.run import Run
from pseudolab.method.selectors import candidate_sets
from pseudolab.method.tuner import PromptTuner


def batches_once(work: Work) -> int:
    "How many batches pool and test make"
    return ceil((work.pool + work.test) / work.batch_size)


def line_of(
    what: str,
    ours: float,  # seconds of the run with cached features
    found: dict[str, list[float]],  # seconds of its parts; "encode": one batch of images
    work: Work,
    note: str,
) -> Line:
    """The plain way encodes the images of every step, and those of pool and test after each round
    and before the first
    """
    encode = median(found["encode"])
    once = batches_once(work) * encode
    again = work.batches * encode + (work.rounds + 1) * once
    plain = ours - once + again
    return Line(
        row="c",
        what=what,
        ours=ours,
        plain=plain,
        ratio=plain / ours,
        note=note,
        details={"seconds": found, "work": asdict(work), "seconds_of_features_once": once},
    )


def pocket_line(options: Options) -> Line:
    recipe = Recipe.pocket()
    task = load_task("satellite")
    clip = load_clip("pocket", device=str(options.device), precision="fp32")
    collections = (task.train.images, task.test.images)
    batch = task.train.images[: recipe.batch_size]
    runs: list[Run] = []
    for collection in collections:
        clip.image_features(collection)

    def ours() -> None:
        for collection in collections:
            clip.encode_images(collection)
        tuner = PromptTuner(clip, recipe=recipe, selector="candidates", seed=0)
        runs.append(tuner.fit(task, progress=False))

    ways = {"ours": ours, "encode": lambda: clip.encode_images(batch)}
    found = interleaved(ways, options.repetitions)
    sizes = [len(r.pseudolabels) for r in runs[-1].rounds if r.pseudolabels is not None]
    work = work_of(len(task.train), len(task.test), sizes, recipe)
    return line_of(
        f"candidate sets, {work.rounds} rounds, pocket CLIP, {work.batches} steps",
        median(found["ours"]),
        found,
        work,
        "ours measured whole",
    )


def real_line(options: Options) -> Line:
    recipe = Recipe.paper()
    clip = random_clip("ViT-B-32", options.device)
    prompt = TextPrompt(clip, names_of(CLASSES))
    images = pictures(recipe.batch_size)
    features = clip.encode_images(images)
    similar = features @ prompt.class_features().detach().T
    sets = torch.from_numpy(candidate_sets(100 * similar, inter=0.0)).to(options.device)

    def step() -> None:
        prompt.zero_grad()
        logits = clip.logit_scale.exp() * features @ prompt.class_features().T
        partial_label_loss(logits, sets).backward()

    ways = {"step": step, "encode": lambda: clip.encode_images(images)}
    found = interleaved(ways, max(1, options.repetitions // 2))
    sizes = [CLASSES * (number * POOL // (ROUNDS * CLASSES)) for number in range(1, ROUNDS + 1)]
    work = work_of(POOL, TEST, sizes, recipe)
    ours = work.batches * median(found["step"]) + batches_once(work) * median(found["encode"])
    return line_of(
        f"candidate sets, {work.rounds} rounds, ViT-B/32, {work.batches} steps",
        ours,
        found,
        work,
        "both reckoned up from their parts",
    )


def measure(options: Options) -> list[Line]:
    return [pocket_line(options), real_line(options)]
