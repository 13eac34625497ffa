"""Learn and use pseudolabelling with vision-language models.

Names are imported when they are first asked for: torch and open_clip take seconds to load, and `import pseudolab` should not."""

__version__ = "0.1.0"

_HOME = {   # functions that are called like their module (zero_shot, pretrain) are imported from it
    "settings": ("Settings", "read_settings"),
    "clip": ("Clip", "load_clip"),
    "tasks": ("ImageSet", "Task", "load_task", "task_names"),
    "zero_shot": ("accuracy", "class_features", "per_class_accuracy"),
    "pseudolabels": ("PseudoLabels", "audit", "select_leaderboard", "select_top_k"),
    "loss": ("WEIGHTS", "term_weights", "unified_loss"),
    "text_prompt": ("Prompt", "TemplatePrompt", "TextPrompt"),
    "visual_prompt": ("VisualPrompt",),
    "multimodal_prompt": ("MultimodalPrompt",),
    "recipe": ("Recipe",),
    "training": ("Term", "fit_prompt"),
    "paradigms": ("Split", "semi_supervised", "transductive", "unsupervised"),
    "strategies": ("STRATEGIES", "Strategy"),
    "run": ("Round", "Run"),
    "tuner": ("PromptTuner",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}
__all__ = sorted(_MODULE_OF)


def __getattr__(name):
    from importlib import import_module
    if name not in _MODULE_OF: raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__(): return sorted([*globals(), *__all__])
