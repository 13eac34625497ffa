"""Row (a): one step of textual prompt learning, forward and backward. Ours against CoOp's way of
working, which sends all 77 positions of every class through the tower.
"""

import logging
from collections.abc import Callable
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from measure import Line, Options, compared

from pseudolab.clip.model import Clip
from pseudolab.method.prompts.multimodal import MultimodalPrompt
from pseudolab.method.prompts.text import TextPrompt

FIRST = ["spotted", "pale", "tall", "wild", "water", "garden", "sea", "purple", "blue", "desert"]
NOUNS = [
    "lily",
    "rose",
    "poppy",
    "bird of paradise",
    "iris",
    "foxglove",
    "thistle",
    "orchid",
    "sweet pea",
    "king protea",
]
LAST = ["", " a", " b", " c", " d", " e", " f", " g", " h", " i"]
LEARNED = 16  # tokens


def names_of(n: int) -> list[str]:
    "`n` class names of the usual lengths: two to four words"
    names = []
    for last in LAST:
        for first in FIRST:
            names += [f"{first} {noun}{last}" for noun in NOUNS]
    if n > len(names):
        raise ValueError(f"There are names for {len(names)} classes, not {n}.")
    return names[:n]


def random_clip(name: str, device: torch.device) -> Clip:
    "An architecture with random weights: a step costs the same whatever the numbers are"
    logging.getLogger().setLevel(logging.ERROR)
    torch.manual_seed(0)
    model = open_clip.create_model(name, load_weights=False)
    return Clip(
        model,
        open_clip.get_tokenizer(name),
        open_clip.image_transform(224, is_train=False),
        name=name,
        pretrained=None,
        device=device,
        precision="fp32",
    )


# --- three ways to the class features


def coop(prompt: TextPrompt) -> Callable[[], torch.Tensor]:
    "Class features as CoOp computes them: the whole context of every class, padding and all"
    clip = prompt.clip
    whole = clip.embed_tokens(clip.tokenize(prompt.class_names))  # (C, 77, width)
    start = whole[:, :1]
    rest = whole[:, 1 : clip.context_length - LEARNED]  # what is left behind the learned tokens

    def features() -> torch.Tensor:
        context = prompt.context.expand(len(whole), -1, -1)
        rows = torch.cat([start, context, rest], dim=1)
        return clip.encode_embedded(rows, prompt.texts.end)

    return features


def cut_at_the_longest(prompt: TextPrompt) -> Callable[[], torch.Tensor]:
    "Class features of texts that end where the longest one does"
    texts = prompt.texts

    def features() -> torch.Tensor:
        context = prompt.context.expand(len(prompt.class_names), -1, -1)
        rows = torch.cat([texts.start, context, texts.names], dim=1)
        return prompt.clip.encode_embedded(rows, texts.end)

    return features


def operations(prompt: TextPrompt | MultimodalPrompt) -> float:
    """Forward and backward of the rows that must be: those of the prefix and the names' own. A
    frozen matrix costs two operations a weight and row forward, and two on the way back
    """
    texts: Any = prompt.texts
    tower: Any = prompt.clip.require_text_tower()
    n_classes = len(prompt.class_names)
    prefix = int(texts.end[0] - texts.layout.last[0])  # where the first name's tokens begin
    rows = prefix + len(texts.layout.places)
    width = texts.width
    layers = len(tower.transformer.resblocks)
    whole_blocks = (layers - 1) * 12 * width**2 * rows
    last_block = 2 * width**2 * rows + 10 * width**2 * n_classes
    projection = tower.text_projection.numel() * n_classes
    positions = prefix + texts.names.shape[1] / 2
    attention = layers * 2 * width * rows * positions
    # both sides of an attention product move: two products on the way back for one forward
    return 4 * (whole_blocks + last_block + projection) + 6 * attention


def stepped(
    prompt: TextPrompt,
    features: Callable[[], torch.Tensor],  # of the classes
) -> Callable[[], None]:
    "One step: features, a loss against random images, gradients"
    generator = torch.Generator().manual_seed(1)
    device = prompt.clip.device
    images = torch.randn(64, prompt.clip.embed_dim, generator=generator)
    images = F.normalize(images, dim=1).to(device)
    target = torch.randint(len(prompt.class_names), (64,), generator=generator).to(device)

    def step() -> None:
        prompt.zero_grad()
        F.cross_entropy(100 * images @ features().T, target).backward()

    return step


def measure(options: Options) -> list[Line]:
    clip = random_clip("ViT-B-32", options.device)
    prompt = TextPrompt(clip, names_of(options.classes), LEARNED)
    texts: Any = prompt.texts
    with torch.no_grad():
        difference = (prompt.class_features() - coop(prompt)()).abs().max().item()
    if difference > 1e-4:
        raise ValueError(
            f"The two ways differ by {difference}: a comparison of their speed would mean nothing."
        )
    ways = {
        "textual step, against all 77 positions (CoOp)": coop(prompt),
        "textual step, against texts cut at the longest name": cut_at_the_longest(prompt),
    }
    lines = []
    for what, plain in ways.items():
        line = compared(
            "a",
            f"{what}, {options.classes} classes, ViT-B/32, 16 tokens",
            {"ours": stepped(prompt, prompt.class_features), "plain": stepped(prompt, plain)},
            operations(prompt),
            options.repetitions,
            options.device,
            note=f"largest difference {difference:.0e}",
            rows=len(texts.layout.places) + 1 + LEARNED,
        )
        lines.append(line)
    return lines
