"""Row (b): a whole GRIP run, without labels, textual prompt, against the way in which the paper's
released code works. That code was read for facts:

- Training goes in batches of 16 images on each of four processes. For every batch all prompts are
  encoded again, all positions of them, forward and backward, and the 16 images with them, in every
  epoch. We count the work of all processes.
- The first labels: one image at a time, all prompts encoded again with each. After a round: the
  pool in batches of 16 for predictions, then the pool once more, one image at a time, for the
  labels; here the prompts are encoded once.
- Testing: in batches of 16, the prompts encoded once. We count one test per round, as our run makes
  it.
- A fifth of the pseudolabelled images is held out and looked at in every epoch, and nothing is done
  with what is seen. We leave that out, and let the plain way train on the images that ours trains
  on.

The second line is the way that is often described, one image at a time with all prompts encoded
again for each, in labelling and in testing, and the training as above.

On the pocket CLIP our run is measured whole, features with it, and the plain one reckoned up from
its parts. On ViT-B/32 (Flowers102's numbers, the paper's recipe) both are reckoned up from parts,
for the plain way would take weeks here. The floor: the operations of one pass of the image tower
over pool and test images, and of the steps' rows (as in row a), at the rate of a matrix product in
the same turns.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from math import ceil
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from measure import Line, Options, in_products, interleaved, matmul
from PIL import Image
from text_step import coop, names_of, random_clip
from text_step import operations as text_operations
from visual_step import pictures

from pseudolab.clip.loading import load_clip
from pseudolab.clip.model import Clip
from pseudolab.data.tasks import load_task
from pseudolab.method.prompts.text import TextPrompt
from pseudolab.method.recipe import Recipe
from pseudolab.method.selectors import select_top_k
from pseudolab.method.training import Term, epochs_of, fit_prompt
from pseudolab.method.tuner import PromptTuner

# Flowers102's
POOL = 2040
TEST = 6149
CLASSES = 102
ROUNDS = 10

ALONE = 4  # images that are measured one at a time in a turn
SMALL = 16  # images of a batch of the released code


def k_of(number: int) -> int:
    "Images per class that GRIP trains on in a round of ten, on Flowers102"
    return number * POOL // (ROUNDS * CLASSES)


@dataclass
class Work:
    "What a run asks for"

    pool: int  # images
    test: int  # images
    batches: int  # of all rounds, of our size
    small_batches: int  # the same images in batches of the released code's size
    rounds: int
    batch_size: int  # ours


def work_of(
    pool: int,
    test: int,
    sizes: Sequence[int],  # how many images each round trains on
    recipe: Recipe,
) -> Work:
    def batches(size: int) -> int:
        return sum(epochs_of(n, recipe) * ceil(n / size) for n in sizes)

    return Work(
        pool=pool,
        test=test,
        batches=batches(recipe.batch_size),
        small_batches=batches(SMALL),
        rounds=len(sizes),
        batch_size=recipe.batch_size,
    )


# --- the parts of both ways


def parts(
    clip: Clip,
    names: list[str],
    images: list[Image.Image],
    batch_size: int,
) -> dict[str, Callable[[], Any]]:
    "The plain way's parts, and the parts of ours that are like them"
    prompt = TextPrompt(clip, names)
    plain_texts = coop(prompt)
    batch = images[:batch_size]
    few = images[:SMALL]
    features = clip.encode_images(batch)
    class_features = prompt.class_features().detach()
    target = torch.arange(len(features), device=clip.device) % len(names)

    @torch.no_grad()
    def label_alone(texts: Callable[[], torch.Tensor]) -> None:
        for image in images[:ALONE]:
            (clip.encode_images([image]) @ texts().T).argmax(1)

    def train(seen: torch.Tensor, texts: Callable[[], torch.Tensor]) -> None:
        prompt.zero_grad()
        logits = clip.logit_scale.exp() * seen @ texts().T
        F.cross_entropy(logits, target[: len(seen)]).backward()

    return {
        "alone with prompts": partial(label_alone, plain_texts),
        "alone": partial(label_alone, lambda: class_features),
        "small batch": partial(clip.encode_images, few),
        "small train": lambda: train(clip.encode_images(few), plain_texts),
        "our train": partial(train, features, prompt.class_features),
        "our features": partial(clip.encode_images, batch),
        "matmul": matmul(clip.device),
    }


def plain_ways(
    unit: dict[str, float],  # seconds of each part
    work: Work,
) -> dict[str, float]:
    "Seconds of a run as the released code makes it, and of one that goes image by image"
    with_prompts = unit["alone with prompts"] / ALONE
    alone = unit["alone"] / ALONE
    pool_in_batches = ceil(work.pool / SMALL) * unit["small batch"]
    test_in_batches = ceil(work.test / SMALL) * unit["small batch"]
    training = work.small_batches * unit["small train"]

    first_labels = work.pool * with_prompts
    labels = work.rounds * (pool_in_batches + work.pool * alone)
    tests = (work.rounds + 1) * test_in_batches
    looked_at = work.rounds * work.pool + (work.rounds + 1) * work.test
    return {
        "as the released code works": first_labels + training + labels + tests,
        "one image at a time, all prompts again for each": training + looked_at * with_prompts,
    }


def image_operations(clip: Clip) -> float:
    "Forward of one image"
    tower: Any = clip.require_image_tower()
    width = tower.class_embedding.shape[0]
    layers = len(tower.transformer.resblocks)
    positions = tower.positional_embedding.shape[0]
    matrices = layers * 12 * width**2 * positions
    patches = tower.conv1.weight.numel() * (positions - 1)
    attention = layers * width * positions**2
    return 2 * (matrices + patches) + 4 * attention


# --- the lines


def lines_of(
    what: str,
    prompt: TextPrompt,
    found: dict[str, list[float]],
    work: Work,
    ours: float,
    note: str,
) -> list[Line]:
    "A line for each plain way"
    unit = {name: median(times) for name, times in found.items()}
    images = work.pool + work.test
    operations = images * image_operations(prompt.clip) + work.batches * text_operations(prompt)
    floor = in_products(operations) * unit["matmul"]
    encoding = images / work.batch_size * unit["our features"]
    details = {
        "seconds": found,
        "work": asdict(work),
        "operations": operations,
        "shares_of_ours": {"features": encoding, "training": work.batches * unit["our train"]},
    }
    lines = []
    for way, plain in plain_ways(unit, work).items():
        bounds = (
            f"encoding pool and test images once takes {encoding:.3g} s: were all else free, the"
            f" ratio would be {plain / encoding:.0f}; at the floor it would be {plain / floor:.0f}"
        )
        line = Line(
            row="b",
            what=f"{what}; {way}",
            ours=ours,
            plain=plain,
            ratio=plain / ours,
            floor=floor,
            over_floor=ours / floor,
            note=f"{note}; {bounds}",
            details=details,
        )
        lines.append(line)
    return lines


def pocket_lines(options: Options) -> list[Line]:
    recipe = Recipe.pocket()
    task = load_task("satellite")
    clip = load_clip("pocket", device=str(options.device), precision="fp32")
    collections = (task.train.images, task.test.images)
    # so that `fit` finds them; what they cost is measured here
    for collection in collections:
        clip.image_features(collection)
    runs = []

    def ours() -> None:
        for collection in collections:
            clip.encode_images(collection)
        runs.append(PromptTuner(clip, recipe=recipe, seed=0).fit(task, progress=False))

    images = [task.train.images[at] for at in range(recipe.batch_size)]
    ways = {"ours": ours} | parts(clip, task.class_names, images, recipe.batch_size)
    found = interleaved(ways, options.repetitions)
    given = [number.pseudolabels for number in runs[-1].rounds]
    sizes = [len(labels) for labels in given if labels is not None]
    work = work_of(len(task.train), len(task.test), sizes, recipe)
    return lines_of(
        f"GRIP, {work.rounds} rounds, pocket CLIP, {work.pool} images, {len(task.class_names)}"
        f" classes, {work.batches} steps",
        TextPrompt(clip, task.class_names),
        found,
        work,
        median(found["ours"]),
        "ours measured whole, the plain way reckoned up from its parts",
    )


def real_lines(options: Options) -> list[Line]:
    recipe = Recipe.paper()
    clip = random_clip("ViT-B-32", options.device)
    sizes = [CLASSES * k_of(number) for number in range(1, ROUNDS + 1)]
    work = work_of(POOL, TEST, sizes, recipe)
    ways = parts(clip, names_of(CLASSES), pictures(recipe.batch_size), recipe.batch_size)
    found = interleaved(ways, max(1, options.repetitions // 2), warm_up=False)
    encoding = (work.pool + work.test) / work.batch_size * median(found["our features"])
    training = work.batches * median(found["our train"])
    return lines_of(
        f"GRIP, {ROUNDS} rounds, ViT-B/32, {POOL} images, {CLASSES} classes, {work.batches} steps",
        TextPrompt(clip, names_of(CLASSES)),
        found,
        work,
        encoding + training,
        "both reckoned up from their parts",
    )


def whole_line(options: Options) -> Line:
    "On a GPU: the paper's whole run for Flowers102's numbers, by the clock"
    recipe = Recipe.paper()
    clip = random_clip("ViT-B-32", options.device)
    names = names_of(CLASSES)
    generator = torch.Generator().manual_seed(0)

    def random_features(n: int) -> torch.Tensor:
        rows = torch.randn(n, clip.embed_dim, generator=generator)
        return F.normalize(rows, dim=1).to(options.device)

    pool = random_features(POOL)
    test = random_features(TEST)
    start = TextPrompt(clip, names).class_features().detach()

    def run() -> None:
        logits = 100 * pool @ start.T
        for number in range(1, ROUNDS + 1):
            chosen = select_top_k(logits, k_of(number))
            prompt = TextPrompt(clip, names)
            term = Term(pool[chosen.index], chosen.label)
            fit_prompt(prompt, recipe, pseudolabelled=term, generator=generator)
            with torch.no_grad():
                classes = prompt.class_features()
                logits = 100 * pool @ classes.T
                (100 * test @ classes.T).argmax(1)

    found = interleaved({"ours": run}, 1, options.device, warm_up=False)
    return Line(
        row="b",
        what="the paper's GRIP run on this GPU, ViT-B/32, by the clock; features at hand",
        ours=median(found["ours"]),
        plain=median(found["ours"]),
        ratio=1.0,
        note="random features: a step costs the same",
        details={"seconds": found},
    )


def measure(options: Options) -> list[Line]:
    lines = pocket_lines(options) + real_lines(options)
    if options.device.type == "cuda":
        lines.append(whole_line(options))
    return lines
