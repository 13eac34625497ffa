"""Row (a): one step of textual prompt learning, forward and backward. Ours against CoOp's way of
working, which sends all 77 positions of every class through the tower.
"""

import logging

import open_clip
import torch

from pseudolab.clip.model import Clip
from pseudolab.method.prompts.text import TextPrompt
from measure import Line, compared

ADJECTIVES = [
    "spotted",
    "pale",
    "tall",
    "wild",
    "water",
    "garden",
    "sea",
    "purple",
    "blue",
    "desert",
]
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
LEARNED = 16  # tokens


def names_of(n: int) -> list[str]:
    "`n` class names of the usual lengths: two to four words"
    if n > 1000:
        raise ValueError(f"There are names for 1000 classes, not {n}.")
    return [
        f"{first} {noun}{suffix}"
        for suffix in ("", *(f" {c}" for c in "abcdefghi"))
        for first in ADJECTIVES
        for noun in NOUNS
    ][:n]


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


def coop(prompt: TextPrompt):
    "Class features as CoOp computes them: the whole context of every class, padding and all"
    texts, clip = prompt.texts, prompt.clip
    # (C, 77, width)
    whole = clip.embed_tokens(clip.tokenize(prompt.class_names))
    n = clip.context_length - 1 - LEARNED
    whole = torch.cat(
        [
            whole[:, :1],
            whole[:, 1 : 1 + n].new_empty(len(whole), LEARNED, texts.width),
            whole[:, 1 : 1 + n],
        ],
        dim=1,
    )

    def features():
        context = prompt.context.expand(len(whole), -1, -1)
        return clip.encode_embedded(
            torch.cat([whole[:, :1], context, whole[:, 1 + LEARNED :]], dim=1), texts.end
        )

    return features


def operations(prompt) -> float:
    """Forward and backward of the rows that must be: those of the prefix and the names' own. A
    frozen matrix costs two operations a weight and row forward, and two on the way back
    """
    texts, tower, classes = prompt.texts, prompt.clip.require_text_tower(), len(prompt.class_names)
    # where the first name's tokens begin
    prefix = int(texts.end[0] - texts.layout.last[0])
    rows = prefix + len(texts.layout.places)
    width, layers = texts.width, len(tower.transformer.resblocks)
    linear = (
        (layers - 1) * 12 * width**2 * rows
        + 2 * width**2 * rows
        + 10 * width**2 * classes
        + tower.text_projection.numel() * classes
    )
    positions = prefix + texts.names.shape[1] / 2
    attention = layers * 2 * width * rows * positions
    # both sides of an attention product move: two products on the way back for one forward
    return 4 * linear + 6 * attention


def stepped(prompt: TextPrompt, features):
    "One step: features, a loss against random images, gradients"
    generator = torch.Generator().manual_seed(1)
    images = torch.nn.functional.normalize(
        torch.randn(64, prompt.clip.model.text_projection.shape[1], generator=generator), dim=1
    ).to(prompt.clip.device)
    target = torch.randint(len(prompt.class_names), (64,), generator=generator).to(
        prompt.clip.device
    )

    def step():
        prompt.zero_grad()
        torch.nn.functional.cross_entropy(100 * images @ features().T, target).backward()

    return step


def measure(options) -> list[Line]:
    clip = random_clip("ViT-B-32", options.device)
    prompt = TextPrompt(clip, names_of(options.classes), LEARNED)
    cut = lambda: clip.encode_embedded(
        torch.cat(
            [
                prompt.texts.start,
                prompt.context.expand(len(prompt.class_names), -1, -1),
                prompt.texts.names,
            ],
            dim=1,
        ),
        prompt.texts.end,
    )
    with torch.no_grad():
        ours, coops = prompt.class_features(), coop(prompt)()
        difference = (ours - coops).abs().max().item()
        if difference > 1e-4:
            raise ValueError(
                f"The two ways differ by {difference}: a comparison of their speed would mean"
                " nothing."
            )
    lines = []
    for what, plain in (
        ("textual step, against all 77 positions (CoOp)", coop(prompt)),
        ("textual step, against texts cut at the longest name", cut),
    ):
        lines.append(
            compared(
                "a",
                f"{what}, {options.classes} classes, ViT-B/32, 16 tokens",
                {"ours": stepped(prompt, prompt.class_features), "plain": stepped(prompt, plain)},
                operations(prompt),
                options.repetitions,
                options.device,
                note=f"largest difference {difference:.0e}",
                rows=len(prompt.texts.layout.places) + 1 + LEARNED,
            )
        )
    return lines
