"""Row (c): self-training with candidate labels on cached features, as CPL does it (Zhang et al.,
2024), against the same with the features recomputed. All else is ours on both sides: selection,
shared-prefix texts, the loss over candidate sets.

On the pocket CLIP our run is measured whole, features with it; the plain one encodes the images of
every step, and pool and test images after every round. On ViT-B/32 (Flowers102's numbers) both are
reckoned up from parts.
"""

from math import ceil
from statistics import median

import torch

from grip_run import CLASSES, POOL, ROUNDS, TEST, Work, work_of
from measure import Line, interleaved
from pseudolab.clip.loading import load_clip
from pseudolab.method.loss import partial_label_loss
from pseudolab.method.selectors import candidate_sets
from pseudolab.method.recipe import Recipe
from pseudolab.data.tasks import load_task
from pseudolab.method.prompts.text import TextPrompt
from pseudolab.method.tuner import PromptTuner
from text_step import names_of, random_clip
from visual_step import pictures


def images_again(work: Work, unit: float) -> float:
    """Seconds that the images of all steps, and of pool and test after each round and before the
    first, cost at `unit` a batch
    """
    return (
        work.batches + (work.rounds + 1) * ceil((work.pool + work.test) / work.batch_size)
    ) * unit


def line_of(what: str, ours: float, found: dict, work: Work, note: str) -> Line:
    once = ceil((work.pool + work.test) / work.batch_size) * median(found["encode"])
    plain = ours - once + images_again(work, median(found["encode"]))
    return Line(
        "c",
        what,
        ours,
        plain,
        plain / ours,
        note=note,
        details={"seconds": found, "work": vars(work), "seconds_of_features_once": once},
    )


def pocket_line(options) -> Line:
    recipe, task, clip = (
        Recipe.pocket(),
        load_task("satellite"),
        load_clip("pocket", device=str(options.device), precision="fp32"),
    )
    runs, batch = [], task.train.images[: recipe.batch_size]
    for collection in (task.train.images, task.test.images):
        clip.image_features(collection)

    def ours():
        for collection in (task.train.images, task.test.images):
            clip.encode_images(collection)
        runs.append(
            PromptTuner(clip, recipe=recipe, selector="candidates", seed=0).fit(
                task, progress=False
            )
        )

    found = interleaved(
        {"ours": ours, "encode": lambda: clip.encode_images(batch)}, options.repetitions
    )
    work = work_of(
        len(task.train),
        len(task.test),
        [len(r.pseudolabels) for r in runs[-1].rounds if r.pseudolabels is not None],
        recipe,
    )
    return line_of(
        f"candidate sets, {work.rounds} rounds, pocket CLIP, {work.batches} steps",
        median(found["ours"]),
        found,
        work,
        "ours measured whole",
    )


def real_line(options) -> Line:
    recipe, clip = Recipe.paper(), random_clip("ViT-B-32", options.device)
    images, prompt = pictures(recipe.batch_size), TextPrompt(clip, names_of(CLASSES))
    features = clip.encode_images(images)
    sets = torch.from_numpy(candidate_sets(100 * features @ prompt.class_features().detach().T)).to(
        options.device
    )

    def step():
        prompt.zero_grad()
        partial_label_loss(
            clip.logit_scale.exp() * features @ prompt.class_features().T, sets
        ).backward()

    found = interleaved(
        {"step": step, "encode": lambda: clip.encode_images(images)},
        max(1, options.repetitions // 2),
    )
    work = work_of(
        POOL,
        TEST,
        [CLASSES * (number * POOL // (ROUNDS * CLASSES)) for number in range(1, ROUNDS + 1)],
        recipe,
    )
    ours = work.batches * median(found["step"]) + ceil((POOL + TEST) / recipe.batch_size) * median(
        found["encode"]
    )
    return line_of(
        f"candidate sets, {work.rounds} rounds, ViT-B/32, {work.batches} steps",
        ours,
        found,
        work,
        "both reckoned up from their parts",
    )


def measure(options) -> list[Line]:
    return [pocket_line(options), real_line(options)]
