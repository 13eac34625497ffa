"""Row (e): one step of visual and of multimodal prompt learning, forward and backward, against the
floor. The plain way decodes and preprocesses the pictures in every step, and sends every row
through the whole image tower. Ours reads them from the file of pixels, so reading, normalising and
cutting are in the time. A last line says what `torch.compile` would do to a step, where this
machine has a compiler.
"""

import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from measure import Line, compared, interleaved, neighbours
from pseudolab.clip.loading import load_clip
from pseudolab.clip.model import PatchRows
from pseudolab.method.prompts.multimodal import MultimodalPrompt
from pseudolab.method.prompts.visual import VisualPrompt
from text_step import names_of, operations as text_operations, random_clip

CLASSES = 10


def pictures(n: int) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)) for _ in range(n)]


def operations(prompt, tokens: int, n: int) -> float:
    """Forward and backward of the blocks; of the last one the class token alone is asked for. What
    comes before the learned tokens is not counted: it need not be done again
    """
    tower = prompt.clip.require_image_tower()
    width, layers, L = (
        tower.class_embedding.shape[0],
        len(tower.transformer.resblocks),
        tower.positional_embedding.shape[0] + tokens,
    )
    rows = n * L
    linear = (layers - 1) * 12 * width**2 * rows + 2 * width**2 * rows + 10 * width**2 * n
    attention = 2 * width * L * ((layers - 1) * rows + n)
    return 4 * linear + 6 * attention


def plain_features(prompt, images: list[Image.Image], tokens: torch.Tensor) -> torch.Tensor:
    "From the pictures on, by the tower's own modules"
    clip, tower = prompt.clip, prompt.clip.require_image_tower()
    x = tower.conv1(clip.pixels(images).to(clip.device)).flatten(2).transpose(1, 2)
    x = (
        torch.cat([tower.class_embedding.expand(len(x), 1, -1), x], dim=1)
        + tower.positional_embedding
    )
    x = tower.transformer(
        tower.ln_pre(torch.cat([x[:, :1], tokens.expand(len(x), -1, -1), x[:, 1:]], dim=1))
    )
    return F.normalize(tower.ln_post(x[:, 0]) @ tower.proj, dim=-1)


def plain_texts(prompt: MultimodalPrompt, context: torch.Tensor) -> torch.Tensor:
    texts = prompt.texts
    return prompt.clip.encode_embedded(
        torch.cat([texts.start, context.expand(len(texts.names), -1, -1), texts.names], dim=1),
        texts.end,
    )


def on_disk(clip, images: list[Image.Image]) -> PatchRows:
    "The pictures as `clip.patches` keeps those of a collection: bytes, mapped"
    shape = len(images), 3, clip.image_size, clip.image_size
    with tempfile.TemporaryDirectory() as folder:
        file = np.memmap(Path(folder) / "pixels", np.uint8, "w+", shape=shape)
        file[:] = (
            (
                clip.pixels(images) * torch.tensor(clip.preprocess.transforms[-1].std).view(3, 1, 1)
                + torch.tensor(clip.preprocess.transforms[-1].mean).view(3, 1, 1)
            )
            .mul(255)
            .round()
            .byte()
            .numpy()
        )
        return PatchRows(clip, [file])  # the mapping outlives the file's name


def compiled_line(options) -> Line | None:
    "A visual step of the pocket CLIP, as it is against compiled"
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        return None
    clip = load_clip("pocket", device=str(options.device), precision="fp32")
    prompt, images = (
        VisualPrompt(clip, names_of(CLASSES)),
        torch.rand(
            64, 3, clip.image_size, clip.image_size, generator=torch.Generator().manual_seed(0)
        ),
    )
    patches, target = clip.embed_patches(images), torch.arange(64, device=clip.device) % CLASSES
    compiled = torch.compile(prompt)

    def step(model):
        prompt.zero_grad()
        F.cross_entropy(model(patches), target).backward()

    # by the wall's clock: the compiler works in other processes
    started = time.perf_counter()
    step(compiled)
    first = time.perf_counter() - started
    found = interleaved(
        {"ours": lambda: step(prompt), "compiled": lambda: step(compiled)},
        max(5, options.repetitions),
    )
    gained = median(found["ours"]) - median(found["compiled"])
    return Line(
        "e",
        "visual step, batch of 64, pocket CLIP, against torch.compile",
        median(found["ours"]),
        median(found["compiled"]),
        neighbours(found, "compiled", "ours"),
        note=f"compiling takes {first:.0f} s"
        + (f" and pays after {first / gained:,.0f} steps" if gained > 0 else " and gains nothing"),
        details={"seconds": found, "seconds_of_compiling": first},
    )


def steps(prompt, images: list[Image.Image]) -> dict:
    "One step by each way. Both give the same gradients; that is checked once"
    target, patches = (
        torch.arange(len(images), device=prompt.clip.device) % CLASSES,
        on_disk(prompt.clip, images),
    )

    def logits(way):
        if way == "ours":
            return prompt(patches)
        if isinstance(prompt, VisualPrompt):
            return (
                100 * plain_features(prompt, images, prompt.tokens[0]) @ prompt.class_features().T
            )
        text, visual = prompt.joint(prompt.text_tokens, prompt.visual_tokens)
        return 100 * plain_features(prompt, images, visual) @ plain_texts(prompt, text).T

    def step(way):
        prompt.zero_grad()
        F.cross_entropy(logits(way), target).backward()
        return next(prompt.parameters()).grad.clone()

    prompt.clip.model.logit_scale.data.fill_(np.log(100))
    ours, plain = step("ours"), step("plain")
    if (ours - plain).norm() > 1e-3 * plain.norm():
        raise ValueError(
            "The gradients of the two ways differ: a comparison of their speed would mean nothing."
        )
    return {"ours": lambda: step("ours"), "plain": lambda: step("plain")}


def measure(options) -> list[Line]:
    clip, images = random_clip("ViT-B-32", options.device), pictures(options.batch)
    visual, joint = VisualPrompt(clip, names_of(CLASSES)), MultimodalPrompt(clip, names_of(CLASSES))
    work = {
        "visual": (visual, operations(visual, 16, len(images))),
        "multimodal": (joint, operations(joint, 4, len(images)) + text_operations(joint)),
    }
    lines = [
        compared(
            "e",
            f"{name} step, batch of {len(images)}, ViT-B/32",
            steps(prompt, images),
            count,
            options.repetitions,
            options.device,
            note=(
                "against pictures decoded and preprocessed in every step"
                if name == "visual"
                else f"the same; {CLASSES} classes encoded with it"
            ),
        )
        for name, (prompt, count) in work.items()
    ]
    return lines + [line for line in [compiled_line(options)] if line is not None]
