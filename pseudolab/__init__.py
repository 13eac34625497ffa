"""Learn and use pseudolabelling with vision-language models.

Names are imported when they are first asked for: torch and open_clip take seconds to load, and
`import pseudolab` should not. Editors and type checkers read them in `__init__.pyi`.
"""

import logging
from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {  # a module -> the public names that stand in it
    "settings": ("Settings", "read_settings"),
    "clip.loading": ("load_clip",),
    "clip.model": ("Clip",),
    "data.images": ("ImageSet",),
    "data.tasks": ("Task", "load_task", "task_names"),
    "method.zero_shot": ("accuracy", "class_features", "per_class_accuracy"),
    "method.pseudolabels": ("PseudoLabels", "audit"),
    "method.selectors": ("select_leaderboard", "select_propagated", "select_top_k"),
    "method.loss": ("WEIGHTS", "term_weights", "unified_loss"),
    "method.prompts.base": ("Prompt", "TemplatePrompt"),
    "method.prompts.text": ("TextPrompt",),
    "method.prompts.visual": ("VisualPrompt",),
    "method.prompts.multimodal": ("MultimodalPrompt",),
    "method.recipe": ("Recipe",),
    "method.training": ("Term", "fit_prompt"),
    "method.splits": ("Split", "semi_supervised", "transductive", "unsupervised"),
    "method.strategies": ("STRATEGIES", "Strategy"),
    "method.run": ("Round", "Run"),
    "method.tuner": ("PromptTuner",),
}
# what the library says step by step; an application decides whether it is shown
logging.getLogger(__name__).addHandler(logging.NullHandler())
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}
__all__ = sorted(_MODULE_OF)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
