"""Small CLIPs with random weights, of every kind that open_clip can build."""

from collections.abc import Callable
from typing import Any

import open_clip
import torch
from open_clip.tokenizer import SimpleTokenizer

from pseudolab.clip.model import Clip


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def wrapped(
    model: torch.nn.Module,
    name: str,
    context: int = 77,
    **options: Any,  # of Clip
) -> Clip:
    "An open_clip model as a Clip on the CPU, for pictures of 32 pixels"
    return Clip(
        model,
        SimpleTokenizer(context_length=context),
        open_clip.image_transform(32, is_train=False),
        name=name,
        pretrained=None,
        device=torch.device("cpu"),
        **options,
    )


def untrained(
    kind: Callable[..., torch.nn.Module] = open_clip.CLIP,
    *,
    width: int = 32,
    heads: int = 4,
    layers: int = 3,
    context: int = 40,
    seed: int = 0,
    quick_gelu: bool = False,
    vision: dict[str, Any] | None = None,  # other values of the image tower
    **text: Any,  # other values of the text tower
) -> Clip:
    "A tiny CLIP of open_clip's with random weights; biases, too, are not 0"
    image_tower = dict(image_size=32, patch_size=16, width=32, layers=1, head_width=16)
    text_tower = dict(
        context_length=context, vocab_size=49408, width=width, heads=heads, layers=layers
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind(
            embed_dim=24,
            vision_cfg=image_tower | (vision or {}),
            text_cfg=text_tower | text,
            quick_gelu=quick_gelu,
        )
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.data += 0.1 * torch.randn_like(parameter)
    return wrapped(model, "tiny", context)


def rows_of_linear_layers(tower: Any, run: Callable[[], object]) -> list[int]:
    "How many rows the MLP of each block of a tower is given while `run` runs"
    seen: list[int] = []

    def count(module, inputs, output) -> None:
        rows = inputs[0]
        seen.append(rows.numel() // rows.shape[-1])

    hooks = [block.mlp.register_forward_hook(count) for block in tower.transformer.resblocks]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return seen
