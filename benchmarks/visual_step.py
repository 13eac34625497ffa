"""Row (e): one step of visual and of multimodal prompt learning, forward and backward, against the
floor. The plain way decodes and preprocesses the pictures in every step, and sends every row
through the whole image tower. Ours reads them from the file of pixels, so reading, normalising and
cutting are in the time. A last line says what `torch.compile` would do to a step, where this
machine has a compiler.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from measure import Line, Options, compared, interleaved, neighbours
from PIL import Image
from text_step import names_of, random_clip
from text_step import operations as text_operations

from pseudolab.clip.loading import load_clip
from pseudolab.clip.model import Clip, PatchRows
from pseudolab.clip.pixels import BytePreprocessing
from pseudolab.method.prompts.multimodal import MultimodalPrompt
from pseudolab.method.prompts.visual import VisualPrompt

CLASSES = 10
SeeingPrompt = VisualPrompt | MultimodalPrompt


def pictures(n: int) -> list[Image.Image]:
    "Noise in 256 by 256 pixels"
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)) for _ in range(n)]


def operations(prompt: SeeingPrompt, n_tokens: int, n_images: int) -> float:
    """Forward and backward of the blocks; of the last one the class token alone is asked for. What
    comes before the learned tokens is not counted: it need not be done again
    """
    tower: Any = prompt.clip.require_image_tower()
    width = tower.class_embedding.shape[0]
    layers = len(tower.transformer.resblocks)
    positions = tower.positional_embedding.shape[0] + n_tokens
    rows = n_images * positions
    whole_blocks = (layers - 1) * 12 * width**2 * rows
    last_block = 2 * width**2 * rows + 10 * width**2 * n_images
    attention = 2 * width * positions * ((layers - 1) * rows + n_images)
    return 4 * (whole_blocks + last_block) + 6 * attention


# --- the plain way


def plain_features(
    prompt: SeeingPrompt,
    images: list[Image.Image],
    tokens: torch.Tensor,  # (M, width)
) -> torch.Tensor:
    "From the pictures on, by the tower's own modules"
    clip = prompt.clip
    tower: Any = clip.require_image_tower()
    patches = tower.conv1(clip.pixels(images).to(clip.device)).flatten(2).transpose(1, 2)
    first = tower.class_embedding.expand(len(patches), 1, -1)
    x = torch.cat([first, patches], dim=1) + tower.positional_embedding
    x = torch.cat([x[:, :1], tokens.expand(len(x), -1, -1), x[:, 1:]], dim=1)
    x = tower.transformer(tower.ln_pre(x))
    return F.normalize(tower.ln_post(x[:, 0]) @ tower.proj, dim=-1)


def plain_texts(
    prompt: MultimodalPrompt,
    context: torch.Tensor,  # (M, width)
) -> torch.Tensor:
    "Texts that end where the longest one does"
    texts = prompt.texts
    context = context.expand(len(texts.names), -1, -1)
    rows = torch.cat([texts.start, context, texts.names], dim=1)
    return prompt.clip.encode_embedded(rows, texts.end)


def plain_logits(prompt: SeeingPrompt, images: list[Image.Image]) -> torch.Tensor:
    if isinstance(prompt, VisualPrompt):
        features = plain_features(prompt, images, prompt.tokens[0])
        return 100 * features @ prompt.class_features().T
    text, visual = prompt.joint(prompt.text_tokens, prompt.visual_tokens)
    return 100 * plain_features(prompt, images, visual) @ plain_texts(prompt, text).T


# --- side by side


def on_disk(clip: Clip, images: list[Image.Image]) -> PatchRows:
    "The pictures as `clip.patches` keeps those of a collection: bytes, mapped"
    preprocessing = BytePreprocessing.of(clip.preprocess)
    if preprocessing is None:
        raise ValueError(f"The preprocessing of {clip.name} has no bytes that could be kept.")
    rows = np.concatenate(list(preprocessing.byte_batches(images, len(images))))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pixels.npy"
        np.save(path, rows)
        # the mapping outlives the file's name
        return PatchRows(clip, [np.lib.format.open_memmap(path, mode="c")])


def steps(prompt: SeeingPrompt, images: list[Image.Image]) -> dict[str, Callable[[], Any]]:
    "One step by each way. Both give the same gradients; that is checked once"
    patches = on_disk(prompt.clip, images)
    target = torch.arange(len(images), device=prompt.clip.device) % CLASSES

    def step(logits: Callable[[], torch.Tensor]) -> torch.Tensor:
        prompt.zero_grad()
        F.cross_entropy(logits(), target).backward()
        gradient = next(prompt.parameters()).grad
        if gradient is None:
            raise ValueError("No gradient reached what is learned.")
        return gradient.clone()

    prompt.clip.model.logit_scale.data.fill_(np.log(100))
    ways = {
        "ours": partial(step, partial(prompt, patches)),
        "plain": partial(step, partial(plain_logits, prompt, images)),
    }
    ours = ways["ours"]()
    plain = ways["plain"]()
    if (ours - plain).norm() > 1e-3 * plain.norm():
        raise ValueError(
            "The gradients of the two ways differ: a comparison of their speed would mean nothing."
        )
    return ways


def compiled_line(options: Options) -> Line | None:
    "A visual step of the pocket CLIP, as it is against compiled"
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        return None
    clip = load_clip("pocket", device=str(options.device), precision="fp32")
    prompt = VisualPrompt(clip, names_of(CLASSES))
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(64, 3, clip.image_size, clip.image_size, generator=generator)
    patches = clip.embed_patches(images)
    target = torch.arange(64, device=clip.device) % CLASSES
    compiled = torch.compile(prompt)

    def step(model: Callable[[torch.Tensor], torch.Tensor]) -> None:
        prompt.zero_grad()
        F.cross_entropy(model(patches), target).backward()

    # by the wall's clock: the compiler works in other processes
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder  # nothing is there from an earlier run
        started = time.perf_counter()
        step(compiled)
        first = time.perf_counter() - started
    runs = {"ours": partial(step, prompt), "compiled": partial(step, compiled)}
    found = interleaved(runs, max(5, options.repetitions))
    gained = median(found["ours"]) - median(found["compiled"])
    pays = f"pays after {first / gained:,.0f} steps" if gained > 0 else "gains nothing"
    return Line(
        row="e",
        what="visual step, batch of 64, pocket CLIP, against torch.compile",
        ours=median(found["ours"]),
        plain=median(found["compiled"]),
        ratio=neighbours(found, "compiled", "ours"),
        note=f"compiling takes {first:.0f} s and {pays}",
        details={"seconds": found, "seconds_of_compiling": first},
    )


def step_line(
    name: str,
    prompt: SeeingPrompt,
    images: list[Image.Image],
    count: float,  # operations
    note: str,
    options: Options,
) -> Line:
    what = f"{name} step, batch of {len(images)}, ViT-B/32"
    ways = steps(prompt, images)
    return compared("e", what, ways, count, options.repetitions, options.device, note=note)


def measure(options: Options) -> list[Line]:
    clip = random_clip("ViT-B-32", options.device)
    images = pictures(options.batch)
    visual = VisualPrompt(clip, names_of(CLASSES))
    joint = MultimodalPrompt(clip, names_of(CLASSES))
    joint_count = operations(joint, 4, len(images)) + text_operations(joint)
    lines = [
        step_line(
            "visual",
            visual,
            images,
            operations(visual, 16, len(images)),
            "against pictures decoded and preprocessed in every step",
            options,
        ),
        step_line(
            "multimodal",
            joint,
            images,
            joint_count,
            f"the same; {CLASSES} classes encoded with it",
            options,
        ),
    ]
    compiled = compiled_line(options)
    return lines if compiled is None else [*lines, compiled]
