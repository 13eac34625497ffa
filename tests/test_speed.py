"""Every fast way is held to the plain one: texts encoded from their common prefix, pictures that stay on disk, threads that decode; and what a start may cost. Selection: test_scale.py."""
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given, settings, strategies as st
from open_clip.tokenizer import SimpleTokenizer

from pseudolab.clip import Clip, load_clip
from pseudolab.multimodal_prompt import MultimodalPrompt
from pseudolab.text_prompt import ClassTexts, TextPrompt, encode_after_prefix, name_rows, prefix_fault

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
NAMES = ["river", "residential buildings", "permanent crop land", "highway", "annual crop land"]     # names of different lengths
FEATURES, GRADIENTS = 1e-5, 1e-4          # absolute; relative


def seeded(seed=0): return torch.Generator().manual_seed(seed)


# ---- the texts' common prefix --------------------------------------------------------------------------------------------------------------------

def untrained(kind=open_clip.CLIP, *, width=32, heads=4, layers=3, context=40, seed=0, quick_gelu=False, **text):
    "A tiny CLIP of open_clip's with random weights; biases, too, are not 0"
    vision = dict(image_size=32, patch_size=16, width=32, layers=1, head_width=16)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind(embed_dim=24, vision_cfg=vision, text_cfg=dict(context_length=context, vocab_size=49408, width=width, heads=heads, layers=layers, **text), quick_gelu=quick_gelu)
        for parameter in model.parameters():
            if parameter.ndim == 1: parameter.data += .1 * torch.randn_like(parameter)
    return wrapped(model, "tiny", context)


def wrapped(model, name, context=77, **options):
    return Clip(model, SimpleTokenizer(context_length=context), open_clip.image_transform(32, is_train=False), name=name, pretrained=None, device=torch.device("cpu"), **options)


CLIPS = {
    "pocket": lambda: load_clip("pocket", device="cpu"),
    "ViT-B-32": lambda: wrapped(open_clip.create_model("ViT-B-32", load_weights=False), "ViT-B-32"),
    "custom text": lambda: untrained(open_clip.CustomTextCLIP),
    "custom text, projection with bias": lambda: untrained(open_clip.CustomTextCLIP, proj_bias=True),
    "quick GELU": lambda: untrained(quick_gelu=True),
    "layer scale": lambda: untrained(ls_init_value=.3),
    "one block": lambda: untrained(layers=1),
}


@pytest.fixture(scope="module", params=CLIPS)
def clip(request): return CLIPS[request.param]()


def both_ways(clip, run):
    "What `run()` returns with the prefix shared, and without"
    results = []
    for clip.share_prefix in (True, False): results.append(run())
    clip.share_prefix = True
    return results


def features_and_gradients(prompt):
    "Class features, and the gradients that a random direction sends back to what is learned"
    features = prompt.class_features()
    prompt.zero_grad()
    (features * torch.randn(features.shape, generator=seeded(9))).sum().backward()
    return features.detach(), {name: parameter.grad.clone() for name, parameter in prompt.named_parameters() if parameter.grad is not None}


def check(clip, prompt):
    assert prefix_fault(clip) is None
    (fast, fast_gradients), (plain, plain_gradients) = both_ways(clip, lambda: features_and_gradients(prompt))
    assert torch.cdist(plain, plain).add(9 * torch.eye(len(plain))).min() > 100 * FEATURES or len(plain) == 1     # the comparison can fail
    assert (fast - plain).abs().max() < FEATURES
    assert set(fast_gradients) == set(plain_gradients) != set()
    for name, want in plain_gradients.items():
        assert want.norm() > 0 and (fast_gradients[name] - want).norm() < GRADIENTS * want.norm(), name


def test_textual_prompt_equals_the_plain_way(clip): check(clip, TextPrompt(clip, NAMES, n_tokens=16, generator=seeded(1)))


@pytest.mark.parametrize("attention", ["paired", "full"])
def test_multimodal_prompt_equals_the_plain_way(attention):
    clip = CLIPS["pocket"]()
    check(clip, MultimodalPrompt(clip, NAMES, attention=attention, generator=seeded(1)))


TINY = untrained()


@settings(max_examples=60)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=12), n_tokens=st.integers(0, 6), seed=st.integers(0, 99))
def test_any_number_of_classes_lengths_and_tokens(lengths, n_tokens, seed):
    "Below the prompt: random vectors for start, context and names; a length of 1 is an end token alone"
    generator, lengths = seeded(seed), torch.tensor(lengths)
    prefix = (torch.randn(1 + n_tokens, 32, generator=generator) * .3).requires_grad_()
    names = torch.randn(len(lengths), int(lengths.max()), 32, generator=generator) * .3
    fast = encode_after_prefix(TINY, prefix, names, name_rows(lengths))
    plain = TINY.encode_embedded(torch.cat([prefix.expand(len(names), -1, -1), names], dim=1), n_tokens + lengths)
    direction = torch.randn(fast.shape, generator=generator)
    got, want = (torch.autograd.grad((features * direction).sum(), prefix)[0] for features in (fast, plain))
    assert (fast - plain).abs().max() < FEATURES and (got - want).norm() < GRADIENTS * want.norm() + 1e-6


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12))
def test_rows_of_the_names(lengths):
    layout, S = name_rows(torch.tensor(lengths)), max(lengths)
    want = [c * S + s for c, n in enumerate(lengths) for s in range(n)]
    assert layout.places.tolist() == want and (layout.places[layout.last] % S + 1).tolist() == lengths
    for row, place in enumerate(want): assert layout.rows[place // S, place % S] == row
    assert (~layout.hidden).sum(1).tolist() == lengths


def test_no_class_disturbs_another():
    names = torch.randn(3, 4, 32, generator=seeded(1))
    prefix, layout = torch.randn(5, 32, generator=seeded(2)), name_rows(torch.tensor([4, 2, 3]))
    before = encode_after_prefix(TINY, prefix, names, layout)
    names[1] += torch.randn(4, 32, generator=seeded(3))     # another name; and in the third, what stands behind its end
    names[2, 3] += 9 * torch.randn(32, generator=seeded(4))
    after = encode_after_prefix(TINY, prefix, names, layout)
    assert torch.allclose(before[[0, 2]], after[[0, 2]], atol=1e-6) and not torch.allclose(before[1], after[1], atol=1e-2)


def test_gradients_reach_the_tokens_alone(clip):
    prompt = TextPrompt(clip, NAMES, n_tokens=4)
    prompt.class_features().sum().backward()
    assert [name for name, _ in prompt.named_parameters()] == ["context"] and prompt.context.grad.abs().amin(dim=1).min() > 0
    assert all(p.grad is None and not p.requires_grad for p in clip.model.parameters())


def rows_of_linear_layers(clip, run):
    "How many rows the MLPs of the text tower are given"
    seen = []
    tower = clip.text_tower().transformer
    hooks = [block.mlp.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].numel() // inputs[0].shape[-1])) for block in tower.resblocks]
    try: run()
    finally:
        for hook in hooks: hook.remove()
    return seen


def test_the_work_is_that_of_the_prefix_and_the_names():
    "17 rows of the prefix once, and of each name the tokens that it has; in the last block the end tokens alone"
    clip = CLIPS["pocket"]()
    prompt = TextPrompt(clip, NAMES)
    rows = len(prompt.texts.layout.places)
    assert rows == int((prompt.texts.end - 16).sum()) < prompt.texts.names.shape[0] * prompt.texts.names.shape[1]
    fast, plain = both_ways(clip, lambda: rows_of_linear_layers(clip, prompt.class_features))
    assert fast == [17 + rows] * (len(fast) - 1) + [len(NAMES)]
    assert plain == [len(NAMES) * (17 + prompt.texts.names.shape[1])] * len(plain)


def test_bfloat16_stays_as_near_as_the_plain_way():
    exact, half = load_clip("pocket", device="cpu"), load_clip("pocket", device="cpu", precision="bf16")
    want = TextPrompt(exact, NAMES).class_features()
    fast, plain = both_ways(half, lambda: TextPrompt(half, NAMES).class_features())
    assert fast.dtype == torch.float32 and 0 < (fast - want).abs().max() < max(.02, 3 * (plain - want).abs().max())


# ---- where it does not fit, the plain way ------------------------------------------------------------------------------------------------------

def test_class_specific_prefixes_go_the_plain_way():
    clip = untrained()
    texts = ClassTexts(clip, NAMES, 4)
    shared = torch.randn(4, 32, generator=seeded()) * .1
    own = shared.repeat(len(NAMES), 1, 1)
    assert torch.allclose(texts(own), texts(shared), atol=FEATURES)
    own[1] += torch.randn(4, 32, generator=seeded(1))
    assert (texts(own) - texts(shared)).abs().amax(dim=1).gt(1e-3).tolist() == [False, True, False, False, False]


def test_blocks_of_another_kind_go_the_plain_way():
    clip = untrained(open_clip.CustomTextCLIP)
    tower = clip.model.text
    tower.transformer = open_clip.transformer.Transformer(width=32, layers=2, heads=4, scale_attn=True).eval().requires_grad_(False)
    assert "CustomResidualAttentionBlock" in prefix_fault(clip)
    prompt = TextPrompt(clip, NAMES, n_tokens=4)
    assert "encoded with each class: the blocks" in repr(prompt)
    fast, plain = both_ways(clip, prompt.class_features)
    assert torch.equal(fast, plain)


def test_repr_says_which_way(clip):
    prompt = TextPrompt(clip, NAMES, n_tokens=4)
    fast, plain = both_ways(clip, lambda: repr(prompt))
    assert "5 classes, prefix encoded once" in fast and "5 classes, prefix encoded with each class: clip.share_prefix is off" in plain


@pytest.mark.parametrize("change, words", [(dict(no_causal_mask=True), "not causal"), (dict(embed_cls=True), "token of its own")])
def test_towers_without_textual_prompts_are_refused_as_before(change, words):
    clip = untrained(open_clip.CustomTextCLIP, **change)
    with pytest.raises(ValueError, match=words): TextPrompt(clip, NAMES, n_tokens=4)


def test_no_tokens_are_refused_as_before():
    with pytest.raises(ValueError, match="at least one learned token"): TextPrompt(TINY, NAMES, n_tokens=0)


# ---- start-up: what is not loaded costs nothing. Seconds stand in the benchmarks -----------------------------------------------------------------

@pytest.mark.parametrize("command", ["import pseudolab", "from pseudolab.cli import main; main()"])
def test_a_start_loads_no_heavy_library(command):
    heavy = ["torch", "open_clip", "numpy", "pandas", "scipy", "sklearn", "PIL", "seaborn", "matplotlib", "IPython"]
    code = f"import sys\ntry: exec({command!r})\nexcept SystemExit: pass\nsys.exit(', '.join(sorted(set({heavy}) & set(sys.modules))) or None)"
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr


# ---- the benchmarks ----------------------------------------------------------------------------------------------------------------------------

def benchmark(*arguments):
    return subprocess.run([sys.executable, str(BENCHMARKS / "run.py"), *arguments], capture_output=True, text=True, env=os.environ | {"COLUMNS": "200"})


def test_benchmarks_say_what_they_can_do():
    done = benchmark("--help")
    assert done.returncode == 0 and "--row" in done.stdout
    done = benchmark("--row", "z")
    assert done.returncode != 0 and "no row z" in done.stderr


def test_kept_results_name_no_host_and_no_path():
    import platform
    for path in (BENCHMARKS / "results").glob("*-*.json"):
        text = path.read_text(encoding="utf-8")
        content = json.loads(text)
        assert {"row", "date", "machine", "lines"} <= set(content) and content["lines"], path.name
        assert platform.node() not in text and "/home" not in text and "/work" not in text and "/tmp" not in text, path.name
        assert all(line["ours"] > 0 and line["ratio"] > 0 for line in content["lines"])
