"""A real CLIP: which architectures take which prompts, what is loaded and what is refused, and the
prompts on ViT-B-32 against open_clip's own forward pass.
"""

import json
import pickle
import subprocess
import sys
from copy import deepcopy

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from open_clip.hf_model import HFTextEncoder
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transformer import LayerScale, QuickGELU, ResidualAttentionBlock
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from pseudolab.clip import loading
from pseudolab.clip.loading import checkpoint_shapes, load_clip, prompt_support, resolve_device
from pseudolab.clip.model import Clip, autocast_dtype
from pseudolab.clip.pocket import pocket_model
from pseudolab.data.tasks import load_task
from pseudolab.method.prompts.multimodal import MultimodalPrompt
from pseudolab.method.prompts.text import TextPrompt
from pseudolab.method.prompts.visual import VisualPrompt
from pseudolab.method.recipe import Recipe
from pseudolab.method.training import Term, fit_prompt
from pseudolab.method.tuner import PromptTuner
from support.clips import seeded

pytestmark = pytest.mark.slow

NAMES = ["river", "forest", "permanent crop land", "highway"]
WORDS = "a photo of a"
TOLERANCE = 1e-5


def pictures(clip, n=3, seed=0):
    images = torch.randn(n, 3, clip.image_size, clip.image_size, generator=seeded(seed))
    return images.to(clip.dtype)


# --- oracles: open_clip's forward pass by hand


@torch.no_grad()
def text_oracle(clip, names, context):
    """The learned vectors are put behind the start token, all rows of the context go through the
    tower, and the row of the end token is read
    """
    tower = getattr(clip.model, "text", clip.model)
    ids = clip.tokenizer(names)
    end = [row.tolist().index(clip.tokenizer.eot_token_id) + len(context) for row in ids]
    words = tower.token_embedding(ids)
    learned = context.expand(len(ids), -1, -1)
    x = torch.cat([words[:, :1], learned, words[:, 1:]], dim=1)[:, : clip.context_length]
    x = tower.transformer(x + tower.positional_embedding, attn_mask=tower.attn_mask)
    x = tower.ln_final(x)[torch.arange(len(ids)), torch.tensor(end)]
    projection = tower.text_projection
    x = projection(x) if isinstance(projection, nn.Linear) else x @ projection
    return F.normalize(x, dim=-1)


@torch.no_grad()
def image_oracle(clip, images, layers):
    """conv1, class embedding, positions, the tokens between class token and patches, ln_pre, the
    blocks with new tokens in front of each, pooling, projection
    """
    tower = clip.model.visual
    x = tower.conv1(images)
    x = x.reshape(x.shape[0], x.shape[1], -1).permute(0, 2, 1)
    first = tower.class_embedding.expand(len(x), 1, -1)
    x = torch.cat([first, x], dim=1) + tower.positional_embedding
    n_patches = x.shape[1] - 1
    n_tokens = layers[0].shape[0]

    def with_tokens(x, tokens):
        return torch.cat([x[:, :1], tokens.expand(len(x), -1, -1), x[:, -n_patches:]], dim=1)

    def pooled(x):
        return x[:, 0] if tower.pool_type == "tok" else x[:, 1:].mean(1)

    x = tower.ln_pre(with_tokens(x, layers[0]))
    for at, block in enumerate(tower.transformer.resblocks):
        if 0 < at < len(layers):
            x = with_tokens(x, layers[at])
        x = block(x)
    # what the learned tokens have become is read nowhere
    x = torch.cat([x[:, :1], x[:, 1 + n_tokens :]], dim=1)
    x = tower.ln_post(pooled(x)) if tower.final_ln_after_pool else pooled(tower.ln_post(x))
    return F.normalize(x @ tower.proj, dim=-1)


def close(a, b):
    return torch.allclose(a, b, atol=TOLERANCE)


def least_distance(features):
    "Between two rows: none of them are alike"
    return (torch.cdist(features, features) + 9 * torch.eye(len(features))).min().item()


def check_text(clip):
    """The oracles of the textual side; first, that they can fail: other names, other words and
    other tokens give other features
    """
    sentences = [f"{WORDS} {name}" for name in NAMES]
    prompt = TextPrompt(clip, NAMES, n_tokens=4, generator=seeded(1))
    with torch.no_grad():
        want = clip.model.encode_text(clip.tokenizer(sentences))
        want = F.normalize(want, dim=-1)
        before = prompt.class_features()
        assert close(before, text_oracle(clip, NAMES, prompt.context))
        prompt.context.copy_(clip.embed_tokens(clip.tokenize([WORDS]))[0, 1:5])
        got = prompt.class_features()
    assert least_distance(want) > 100 * TOLERANCE
    assert (before - got).norm(dim=1).min() > 100 * TOLERANCE
    assert close(got, want) and close(clip.encode_texts(sentences), want)


def check_visual(clip):
    "The oracles of the visual side, shallow and deep; zero-valued tokens are not the same as none"
    images = pictures(clip)
    tower = clip.model.visual
    with torch.no_grad():
        want = clip.model.encode_image(images)
        want = F.normalize(want[0] if isinstance(want, tuple) else want, dim=-1)
    assert least_distance(want) > 100 * TOLERANCE
    assert close(clip.encode_images(images), want)
    width = tower.class_embedding.shape[0]
    patches = clip.embed_patches(images)
    assert close(clip.encode_patches(patches), want)
    for n_layers in (1, len(tower.transformer.resblocks)):
        tokens = torch.randn(n_layers, 3, width, generator=seeded(n_layers))
        got = clip.encode_patches(patches, tokens)
        assert close(got, image_oracle(clip, images, tokens))
        assert (got - want).abs().max() > 100 * TOLERANCE
    with_zeros = clip.encode_patches(patches, torch.zeros(16, width))
    assert (with_zeros - want).abs().max() > 100 * TOLERANCE


# --- the real ViT-B-32 and the pocket CLIP


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    "ViT-B-32 with random weights from a fixed seed, as a local float16 checkpoint"
    path = tmp_path_factory.mktemp("real") / "vit_b_32.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = open_clip.create_model("ViT-B-32", load_weights=False)
    assert sum(p.numel() for p in model.parameters()) == 151_277_313
    state = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(state, path)
    del model, state
    yield path
    path.unlink()  # 300 MB


@pytest.fixture(scope="module")
def real(checkpoint):
    return load_clip("ViT-B-32", pretrained=checkpoint, device="cpu")


@pytest.fixture(scope="module", params=["ViT-B-32", "pocket"])
def clip(request):
    if request.param == "ViT-B-32":
        return request.getfixturevalue("real")
    return load_clip("pocket", device="cpu")


def noise(height, width, seed=0):
    "A picture that no other is like"
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.slow
def test_real_clip_is_as_the_file_says(real, checkpoint):
    assert repr(real) == (
        f"Clip('ViT-B-32', pretrained={str(checkpoint)!r}, 224 px, D=512, context=77,"
        " quick_gelu=False, cpu fp32)"
    )
    assert not real.model.training
    assert not any(parameter.requires_grad for parameter in real.model.parameters())
    assert {parameter.dtype for parameter in real.model.parameters()} == {torch.float32}
    picture = noise(300, 260)
    openai = open_clip.image_transform(224, is_train=False)
    assert torch.equal(real.preprocess(picture), openai(picture))
    features = real.encode_images([picture, picture.rotate(90)])
    assert features.shape == (2, 512)
    assert torch.allclose(features.norm(dim=1), torch.ones(2))


def test_text_side_is_open_clips_own(clip):
    check_text(clip)


@pytest.mark.slow
def test_image_side_is_open_clips_own(clip):
    check_visual(clip)


def test_visual_prompt_without_tokens_is_encode_image(clip):
    images = pictures(clip)
    prompt = VisualPrompt(clip, NAMES, n_tokens=0)
    with torch.no_grad():
        want = F.normalize(clip.model.encode_image(images), dim=-1)
    assert close(prompt.image_features(images), want)


@pytest.mark.slow
@pytest.mark.parametrize("depth", ["shallow", "deep"])
def test_visual_prompt_by_hand(clip, depth):
    images = pictures(clip)
    prompt = VisualPrompt(clip, NAMES, n_tokens=5, depth=depth, generator=seeded(2))
    blocks = clip.model.visual.transformer.resblocks
    assert len(prompt.tokens) == (1 if depth == "shallow" else len(blocks))
    got = prompt.image_features(images)
    assert close(got, image_oracle(clip, images, prompt.tokens))
    sentences = [f"a photo of a {name}" for name in NAMES]
    assert close(prompt.class_features(), clip.encode_texts(sentences))
    want = clip.logit_scale.exp() * got @ prompt.class_features().T
    assert torch.allclose(prompt.logits(images), want, atol=1e-4)
    if depth == "deep":
        assert (got - image_oracle(clip, images, prompt.tokens[:1])).abs().max() > 100 * TOLERANCE


@pytest.mark.parametrize("attention, others", [("paired", False), ("full", True)])
def test_who_sees_whom_in_the_joint_network(clip, attention, others):
    prompt = MultimodalPrompt(clip, NAMES, attention=attention, generator=seeded(3))
    with torch.no_grad():
        text, visual = prompt.joint(prompt.text_tokens, prompt.visual_tokens)
        for i in range(4):
            moved = prompt.text_tokens.clone()
            moved[i] += torch.randn(moved.shape[1], generator=seeded(i))
            other_text, other_visual = prompt.joint(moved, prompt.visual_tokens)
            for before, after in ((text, other_text), (visual, other_visual)):
                changed = (before - after).abs().amax(1) > 1e-6
                assert changed.tolist() == [others or j == i for j in range(4)]


class ByHand(nn.Module):
    "In the place of the joint network: says what the tokens are"

    attention = "paired"

    def __init__(self, *tokens):
        super().__init__()
        self.tokens = tokens

    def forward(self, text, visual):
        return self.tokens


@pytest.mark.slow
def test_multimodal_prompt_with_joint_output_by_hand(clip):
    images = pictures(clip)
    prompt = MultimodalPrompt(clip, NAMES, generator=seeded(4))

    def check_sides(text, visual):
        assert close(prompt.class_features(), text_oracle(clip, NAMES, text))
        assert close(prompt.image_features(images), image_oracle(clip, images, [visual]))

    joined = prompt.joint(prompt.text_tokens, prompt.visual_tokens)
    check_sides(*joined)
    others = [torch.randn(tokens.shape, generator=seeded(5)) for tokens in joined]
    prompt.joint = ByHand(*others)
    check_sides(*others)


LEARNED = {
    TextPrompt: {"context"},
    VisualPrompt: {"tokens"},
    MultimodalPrompt: {"text_tokens", "visual_tokens", "joint"},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", LEARNED, ids=lambda kind: kind.__name__)
def test_training_moves_the_prompt_alone_and_it_survives_saving(clip, kind, tmp_path):
    images = pictures(clip, 4)
    before = {name: value.clone() for name, value in clip.model.state_dict().items()}
    prompt = kind(clip, NAMES, generator=seeded(6))
    start = {name: value.detach().clone() for name, value in prompt.named_parameters()}
    assert {name.split(".")[0] for name in start} == LEARNED[kind]
    # two steps
    recipe = Recipe.paper().replace(epochs=1, batch_size=2, weight_decay=0.0, warmup_epochs=0)
    with torch.no_grad():
        inputs = prompt.inputs(images)
    fit_prompt(prompt, recipe, labelled=Term(inputs, np.arange(4)), generator=seeded())
    for name, value in prompt.named_parameters():
        assert not torch.equal(value, start[name]), f"no gradient reached {name}"
    for name, value in clip.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    for parameter in clip.model.parameters():
        assert parameter.grad is None and not parameter.requires_grad
    assert not clip.model.training
    path = tmp_path / "prompt.safetensors"
    prompt.save(path)
    again = kind.load(path, clip)
    assert again.options() == prompt.options()
    assert torch.equal(again.class_features(), prompt.class_features())
    assert torch.equal(again.image_features(images), prompt.image_features(images))
    assert path.stat().st_size < 5e6


def test_bfloat16_computes_in_half_and_learns_in_float32():
    exact = load_clip("pocket", device="cpu", precision="fp32")
    half = load_clip("pocket", device="cpu", precision="bf16")
    images = pictures(exact)
    assert "cpu bf16" in repr(half) and half.digest != exact.digest
    for got, want in (
        (half.encode_images(images), exact.encode_images(images)),
        (half.encode_texts(NAMES), exact.encode_texts(NAMES)),
    ):
        assert got.dtype == torch.float32 and 0 < (got - want).abs().max() < 0.05
    prompt = MultimodalPrompt(half, NAMES, generator=seeded())
    prompt.logits(images).sum().backward()
    for parameter in prompt.parameters():
        assert parameter.dtype == parameter.grad.dtype == torch.float32
    assert {parameter.dtype for parameter in half.model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    "wrong",
    [
        torch.zeros(2, 3, 56, 56),
        torch.zeros(3, 56, 56),
        torch.zeros(2, 1, 224, 224),
    ],
)
def test_tensors_that_are_not_preprocessed_are_refused(real, wrong):
    with pytest.raises(ValueError, match=r"float tensor \(N, 3, 224, 224\)"):
        real.encode_images(wrong)


# --- which architectures take which prompts

EXAMPLES = {  # text, visual: what the reason says, or None
    "ViT-B-32": (None, None),
    "ViT-L-14": (None, None),
    "ViT-B-32-quickgelu": (None, None),
    "ViT-M-16-alt": (None, None),
    "EVA02-B-16": (None, "TimmModel"),
    "PE-Core-B-16": (None, "TimmModel"),
    "ViTamin-L": (None, "TimmModel"),
    "MobileCLIP-B": (None, "TimmModel"),
    "MobileCLIP-S1": ("causal", "TimmModel"),
    "ViT-B-16-SigLIP": ("causal", "TimmModel"),
    "ViT-B-16-SigLIP2": ("causal", "TimmModel"),
    "ViT-L-14-CLIPA": ("causal", None),
    "coca_ViT-B-32": ("token of its own", "attention pooler"),
    "coca_base": ("token of its own", None),
    "coca_roberta-ViT-B-32": ("HFTextEncoder", None),
    "roberta-ViT-B-32": ("HFTextEncoder", None),
    "nllb-clip-base": ("HFTextEncoder", None),
    "nllb-clip-base-siglip": ("HFTextEncoder", "TimmModel"),
    "xlm-roberta-base-ViT-B-32": ("HFTextEncoder", None),
    "ViT-H-14-worldwide": ("'eos'", None),
    "RN50": (None, "ModifiedResNet"),
    "RN50-quickgelu": (None, "ModifiedResNet"),
    "convnext_base": (None, "TimmModel"),
    "swin_base_patch4_window7_224": (None, "TimmModel"),
    "vit_relpos_medium_patch16_cls_224": (None, "TimmModel"),
}
SUPPORTED_SINCE_3_3 = {"text": 85, "visual": 54, "multimodal": 32}  # of 144
BOTH = """
    ViT-B-16 ViT-B-16-plus ViT-B-16-plus-240 ViT-B-16-quickgelu
    ViT-B-32 ViT-B-32-256 ViT-B-32-plus-256 ViT-B-32-quickgelu
    ViT-bigG-14 ViT-bigG-14-quickgelu ViT-e-14 ViT-g-14
    ViT-H-14 ViT-H-14-378 ViT-H-14-378-quickgelu ViT-H-14-quickgelu ViT-H-16
    ViT-L-14 ViT-L-14-280 ViT-L-14-336 ViT-L-14-336-quickgelu ViT-L-14-quickgelu
    ViT-L-16 ViT-L-16-320
    ViT-M-16 ViT-M-16-alt ViT-M-32 ViT-M-32-alt
    ViT-S-16 ViT-S-16-alt ViT-S-32 ViT-S-32-alt
""".split()
NO_TEXT = ("SigLIP", "coca", "CLIPA", "roberta", "nllb", "mt5", "worldwide")
NO_VISUAL = ("SigLIP", "RN", "convnext", "EVA", "Mobile", "PE-Core", "ViTamin", "swin")


def test_the_whole_list():
    names = open_clip.list_models()
    table = {name: prompt_support(name) for name in names}
    assert [name for name in names if table[name]["multimodal"] is None] == BOTH
    if len(names) == 144:
        for prompt, count in SUPPORTED_SINCE_3_3.items():
            assert sum(reasons[prompt] is None for reasons in table.values()) == count
    for name, reasons in table.items():
        takes_either = reasons["text"] is None and reasons["visual"] is None
        assert (reasons["multimodal"] is None) == takes_either, name
        if any(word in name for word in NO_TEXT):
            assert reasons["text"], name
        if any(word in name for word in NO_VISUAL):
            assert reasons["visual"], name
    assert set(prompt_support("pocket").values()) == {None}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_architecture_takes_these_prompts(name):
    reasons = prompt_support(name)
    for prompt, expected in zip(("text", "visual"), EXAMPLES[name], strict=True):
        if expected is None:
            assert reasons[prompt] is None
        else:
            assert expected in reasons[prompt] and reasons[prompt] in reasons["multimodal"]


def test_unknown_architecture_gets_a_hint():
    with pytest.raises(ValueError, match="No CLIP is called 'ViT-B/32'. Did you mean 'ViT-B-32'"):
        prompt_support("ViT-B/32")


TIMM = {"EVA02-B-16": "eva02_tiny_patch14_224", "convnext_base": "convnext_atto"}
SMALL = [
    "ViT-B-32",
    "ViT-B-32-quickgelu",
    "ViT-M-16-alt",
    "ViT-L-14-CLIPA",
    "ViT-B-16-SigLIP",
    "ViT-B-16-SigLIP2",
    "coca_ViT-B-32",
    "coca_base",
    "RN50",
    "convnext_base",
    "EVA02-B-16",
    "PE-Core-B-16",
    "ViTamin-L",
    "MobileCLIP-B",
    "MobileCLIP-S1",
    "ViT-H-14-worldwide",
    "nllb-clip-base",
    "roberta-ViT-B-32",
]


class AnotherTokenizer:
    "Stands for a tokenizer of Hugging Face: the same ids as CLIP's own, from another class"

    clean_fn = staticmethod(lambda text: text)

    def __init__(self, length):
        self.own = SimpleTokenizer(context_length=length)
        self.eot_token_id = self.own.eot_token_id

    def __call__(self, texts):
        return self.own(texts)

    def tokenizer(self, text):
        ids = [self.own.sot_token_id, *self.own.encode(text), self.own.eot_token_id]
        return type("Encoded", (), {"input_ids": ids})


class ForeignText(HFTextEncoder):
    "A text tower of Hugging Face's kind without its library"

    def __init__(self, width):
        nn.Module.__init__(self)
        self.embed = nn.Embedding(49408, width)
        self.context_length = 77

    def forward(self, ids):
        return self.embed(ids).mean(1)


ForeignText.__name__ = "HFTextEncoder"


def shrunken(name):
    """The same kind of model, with few layers and narrow widths; its text tower and its tokenizer,
    if they are Hugging Face's
    """
    config = deepcopy(open_clip.get_model_config(name))
    text = config["text_cfg"]
    vision = config["vision_cfg"]
    config["embed_dim"] = 32
    foreign = text.get("hf_model_name")
    text |= dict(width=64, heads=2, layers=2, vocab_size=49408)
    if foreign:
        config["text_cfg"] = {
            key: value for key, value in text.items() if not key.startswith("hf_")
        }
    if vision.get("timm_model_name"):
        vision |= dict(
            timm_model_name=TIMM.get(name, "vit_tiny_patch16_224"),
            timm_pool="avg",
            timm_proj="linear",
            image_size=224,
        )
    elif isinstance(vision["layers"], list):
        vision |= dict(layers=[1, 1, 1, 1], width=16, image_size=64)
    else:
        vision |= dict(
            width=64,
            layers=2,
            head_width=32,
            mlp_ratio=2.0,
            image_size=4 * vision.get("patch_size", 16),
        )
    if "multimodal_cfg" in config:
        config["multimodal_cfg"] |= dict(width=64, heads=2, layers=1, vocab_size=49408)
    return config, foreign, text.get("hf_tokenizer_name")


def small_clip(name, monkeypatch):
    config, foreign, tokens = shrunken(name)
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, f"{name}-small", config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = open_clip.create_model(f"{name}-small", load_weights=False)
        if foreign:
            options = {key: value for key, value in config.items() if key != "custom_text"}
            model = open_clip.CustomTextCLIP(**options)
            model.text = ForeignText(32)
        for module in model.modules():
            if isinstance(module, LayerScale):  # at 1e-4 no block would be seen
                nn.init.constant_(module.gamma, 0.5)
    length = model.context_length
    tokenizer = AnotherTokenizer(length) if tokens else SimpleTokenizer(context_length=length)
    return Clip(
        model,
        tokenizer,
        open_clip.image_transform(64, is_train=False),
        name=name,
        pretrained=None,
        device=torch.device("cpu"),
    )


@pytest.mark.parametrize("name", SMALL)
def test_what_is_said_of_an_architecture_is_what_its_towers_do(name, monkeypatch):
    clip = small_clip(name, monkeypatch)
    reasons = prompt_support(name)
    for prompt, tower, check in (
        ("text", clip.require_text_tower, check_text),
        ("visual", clip.require_image_tower, check_visual),
    ):
        if reasons[prompt] is None:
            check(clip)
        else:
            with pytest.raises(ValueError) as refusal:
                tower()
            assert name in str(refusal.value) and reasons[prompt] in str(refusal.value)
    if reasons["text"] or reasons["visual"]:
        with pytest.raises(ValueError, match=name):
            MultimodalPrompt(clip, NAMES)
    kinds = {"text": TextPrompt, "visual": VisualPrompt}
    for prompt, kind in kinds.items():
        if reasons[prompt]:
            with pytest.raises(ValueError, match=name):
                kind(clip, NAMES)
    # zero-shot serves all
    assert clip.encode_texts(NAMES).shape == (len(NAMES), clip.embed_dim)
    assert clip.encode_images(pictures(clip)).shape == (3, clip.embed_dim)


def test_a_tuner_refuses_at_once_what_its_clip_cannot_learn(monkeypatch):
    clip = small_clip("RN50", monkeypatch)
    for prompt in ("visual", "multimodal"):
        with pytest.raises(ValueError, match="RN50: the image tower"):
            PromptTuner(clip, prompt=prompt)
        # nothing is learned
        assert PromptTuner(clip, prompt=prompt, strategy="zero_shot").prompt == prompt
    assert PromptTuner(clip, prompt="text").clip is clip
    clip.tokenizer = AnotherTokenizer(77)
    with pytest.raises(ValueError, match="RN50: the text tower"):
        PromptTuner(clip)


def test_end_token_of_another_tokenizer_is_not_guessed(monkeypatch):
    clip = small_clip("ViT-B-32", monkeypatch)
    clip.tokenizer = AnotherTokenizer(77)
    with pytest.raises(ValueError, match="ViT-B-32: .* known for CLIP's own tokenizer alone"):
        TextPrompt(clip, NAMES)
    # no tokenizer cuts in silence
    with pytest.raises(ValueError, match="room for 77"):
        clip.encode_texts(["very " * 76 + "long"])
    assert len(clip.tokenize(["very " * 74 + "long"])) == 1


def test_blocks_of_another_kind_pass_the_oracles(monkeypatch):
    config, *_ = shrunken("ViT-B-32")
    for tower in ("text_cfg", "vision_cfg"):
        config[tower] |= dict(scale_fc=True, ls_init_value=0.5)
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "blocks", config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        model = open_clip.create_model("blocks", load_weights=False)
    assert not isinstance(model.visual.transformer.resblocks[0], ResidualAttentionBlock)
    clip = Clip(
        model,
        SimpleTokenizer(context_length=77),
        None,
        name="blocks",
        pretrained=None,
        device=torch.device("cpu"),
    )
    check_text(clip)
    check_visual(clip)


# --- loading: what is refused, and how


@pytest.fixture
def tiny(monkeypatch):
    "A small ViT-B-32 under a name that load_clip knows, and its weights"
    config, *_ = shrunken("ViT-B-32")
    known = open_clip.factory._MODEL_CONFIGS
    monkeypatch.setitem(known, "tiny", config)
    monkeypatch.setitem(known, "tiny-quickgelu", config | {"quick_gelu": True})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return open_clip.create_model("tiny", load_weights=False)


def load(name, path, **options):
    return load_clip(name, pretrained=path, device="cpu", **options)


def in_a_run(state):
    "A checkpoint of a training run, as many are: the weights are a part of it"
    return {
        "epoch": 3,
        "name": "run",
        "state_dict": {f"module.{name}": value for name, value in state.items()},
        "optimizer": {"lr": 0.1},
    }


def as_safetensors(state, path):
    save_file(dict(state), path)


def as_a_run(state, path):
    torch.save(in_a_run(state), path)


def in_the_old_format(state, path):
    torch.save(state, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize(
    "suffix, save",
    [
        (".pt", torch.save),
        (".bin", torch.save),
        (".safetensors", as_safetensors),
        (".pt", as_a_run),
        (".pt", in_the_old_format),
    ],
)
def test_local_checkpoints_of_every_kind(tiny, tmp_path, suffix, save):
    path = tmp_path / f"weights{suffix}"
    save(tiny.state_dict(), path)
    loaded = load("tiny", path).model.state_dict()
    for name, value in tiny.state_dict().items():
        assert torch.equal(value, loaded[name]), name
    assert checkpoint_shapes(path)["visual.conv1.weight"] == (64, 3, 32, 32)


class Malicious:
    "An object whose pickle opens a file for writing where it is read"

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("protocol", [2, 4, "zip", "old", "hidden"])
@pytest.mark.parametrize("suffix", [".pt", ".bin"])
def test_nothing_is_executed_that_a_file_asks_for(tiny, tmp_path, suffix, protocol):
    path = tmp_path / f"weights{suffix}"
    mark = tmp_path / "executed"
    bad = Malicious(mark)
    if protocol == "hidden":
        torch.save(in_a_run(tiny.state_dict()) | {"callback": bad}, path)
    elif protocol == "zip":
        torch.save({"a": bad}, path)
    elif protocol == "old":
        in_the_old_format({"a": bad}, path)
    else:
        path.write_bytes(pickle.dumps({"state_dict": bad}, protocol=protocol))
    with pytest.raises(ValueError, match="cannot be read as weights.*never unpickled"):
        load("tiny", path)
    assert not mark.exists()
    if isinstance(protocol, int):  # the file does harm where it is opened without care
        pickle.loads(path.read_bytes())["state_dict"].close()
        assert mark.exists()


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_programs_and_whole_models_are_refused(tiny, tmp_path):
    torch.save(tiny, tmp_path / "whole.pt")
    with pytest.raises(ValueError, match="never unpickled"):
        load("tiny", tmp_path / "whole.pt")
    torch.jit.script(nn.Linear(2, 2)).save(str(tmp_path / "program.pt"))
    with pytest.raises(ValueError, match="TorchScript program.*state_dict"):
        load("tiny", tmp_path / "program.pt")


DAMAGED = {
    "its end is missing": lambda whole: whole[:-50],
    "half of it is missing": lambda whole: whole[: len(whole) // 2],
    "nearly all is missing": lambda whole: whole[:100],
    "it is empty": lambda whole: b"",
    "it holds other bytes": lambda whole: b"\xff" * 999,
    "it holds text": lambda whole: b"text, not weights",
}


@pytest.mark.parametrize("save", [torch.save, as_safetensors])
@pytest.mark.parametrize("harm", DAMAGED.values(), ids=DAMAGED)
def test_damaged_files_are_an_error_with_a_remedy(tiny, tmp_path, save, harm):
    path = tmp_path / ("weights.pt" if save is torch.save else "weights.safetensors")
    save(tiny.state_dict(), path)
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(ValueError, match="cannot be read as weights.*fetch it again"):
        load("tiny", path)


@pytest.mark.parametrize(
    "content", [[], {}, {"a": 1}, torch.zeros(3), {"state_dict": {}}, {3: torch.zeros(1)}]
)
def test_files_without_weights_are_an_error(tiny, tmp_path, content):
    torch.save(content, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match="no state dict|no tensors"):
        load("tiny", tmp_path / "weights.pt")


def test_weights_of_another_architecture_are_refused(tiny, tmp_path, monkeypatch):
    state = tiny.state_dict()
    without = {name: value for name, value in state.items() if name != "visual.ln_pre.weight"}
    cases = {
        "missing": without,
        "unexpected": state | {"logit_bias": torch.zeros(())},
        "shape": state | {"visual.conv1.weight": torch.zeros(64, 3, 16, 16)},
    }
    for name, other in cases.items():
        torch.save(other, tmp_path / f"{name}.pt")
        with pytest.raises(ValueError, match="does not fit tiny .*name the architecture"):
            load("tiny", tmp_path / f"{name}.pt")
    save_file(pocket_model().state_dict(), tmp_path / "pocket.safetensors")
    with pytest.raises(ValueError, match="does not fit tiny"):
        load("tiny", tmp_path / "pocket.safetensors")
    with pytest.raises(ValueError, match="damaged or holds something other"):
        load("pocket", tmp_path / "shape.pt")


@pytest.mark.parametrize(
    "tower, change", [("vision_cfg", {"image_size": 192}), ("text_cfg", {"context_length": 32})]
)
def test_weights_of_another_resolution_or_context_are_not_stretched(
    tiny, tmp_path, monkeypatch, tower, change
):
    config = deepcopy(open_clip.factory._MODEL_CONFIGS["tiny"])
    config[tower] |= change
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "other", config)
    torch.save(tiny.state_dict(), tmp_path / "weights.pt")
    with pytest.raises(ValueError, match="positional_embedding .* another resolution or context"):
        load("other", tmp_path / "weights.pt")
    # open_clip stretches them and says nothing
    open_clip.create_model("other", pretrained=str(tmp_path / "weights.pt"))


def activations(clip):
    "The activations in the blocks of both towers"
    blocks = [*clip.model.visual.transformer.resblocks, *clip.model.transformer.resblocks]
    return {type(block.mlp.gelu) for block in blocks}


def test_quick_gelu_of_a_file_is_what_one_says_and_repr_shows_it(tiny, tmp_path):
    path = tmp_path / "weights.pt"
    torch.save(tiny.state_dict(), path)
    plain = load("tiny", path)
    quick = load("tiny", path, quick_gelu=True)
    named = load("tiny-quickgelu", path)
    for clip, is_quick in ((plain, False), (quick, True), (named, True)):
        assert f"quick_gelu={is_quick}" in repr(clip)
        assert activations(clip) == {QuickGELU if is_quick else nn.GELU}
    features = plain.encode_texts(NAMES)
    assert not close(features, quick.encode_texts(NAMES))
    assert torch.equal(named.encode_texts(NAMES), quick.encode_texts(NAMES))
    assert plain.digest != quick.digest
    with pytest.raises(ValueError, match="leave quick_gelu out"):
        load("tiny-quickgelu", path, quick_gelu=False)
    with pytest.raises(ValueError, match="leave quick_gelu out"):
        load_clip("pocket", quick_gelu=True)


def pretend_published(monkeypatch, path, name="tiny", **changes):
    "Tags of ViT-B-32 for a small model, whose file is fetched from `path`"
    tags = open_clip.pretrained._PRETRAINED
    monkeypatch.setitem(tags, name, {tag: cfg | changes for tag, cfg in tags["ViT-B-32"].items()})
    monkeypatch.setattr(open_clip, "download_pretrained", lambda cfg: str(path))


@pytest.mark.parametrize(
    "tag, quick",
    [
        ("openai", True),
        ("laion400m_e32", True),
        ("metaclip_400m", True),
        ("laion2b_s34b_b79k", False),
    ],
)
def test_published_weights_get_the_activation_they_were_trained_with(
    tiny, tmp_path, monkeypatch, tag, quick
):
    torch.save(tiny.state_dict(), tmp_path / "weights.pt")
    pretend_published(monkeypatch, tmp_path / "weights.pt")
    clip = load("tiny", tag)
    assert clip.quick_gelu is quick
    assert f"pretrained={tag!r}" in repr(clip) and f"quick_gelu={quick}" in repr(clip)
    assert activations(clip) == {QuickGELU if quick else nn.GELU}
    assert load("tiny", tag, quick_gelu=quick).quick_gelu is quick
    with pytest.raises(ValueError, match=f"trained with quick_gelu={quick}"):
        load("tiny", tag, quick_gelu=not quick)


def test_every_published_openai_weight_gets_quick_gelu():
    found = [
        name
        for name in open_clip.list_models()
        if "openai" in open_clip.list_pretrained_tags_by_model(name)
    ]
    assert {"ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-L-14-336", "RN50"} <= set(found)
    assert all(loading._uses_quick_gelu(name, "openai", None) for name in found)


def test_preprocessing_is_the_models_own(tiny, tmp_path, monkeypatch):
    path = tmp_path / "weights.pt"
    torch.save(tiny.state_dict(), path)
    picture = noise(200, 300, seed=1)
    # nothing published: OpenAI's
    openai = open_clip.image_transform(128, is_train=False)
    assert torch.equal(load("tiny", path).preprocess(picture), openai(picture))
    published = dict(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), resize_mode="squash")
    squashed = open_clip.image_transform(128, is_train=False, **published)
    pretend_published(monkeypatch, path, **published)
    for source in ("openai", path):
        assert torch.equal(load("tiny", source).preprocess(picture), squashed(picture))
    open_clip.pretrained._PRETRAINED["tiny"]["openai"]["std"] = (0.25, 0.25, 0.25)
    with pytest.warns(UserWarning, match="differ in their preprocessing"):
        load("tiny", path)


def raising(error):
    "A function that does nothing but raise"

    def function(*arguments, **options):
        raise error

    return function


def test_a_failed_download_is_a_clear_error(tiny, monkeypatch):
    pretend_published(monkeypatch, None)
    message = "'openai' of tiny .* could not be fetched .*Go online once, or give"
    for error in (
        FileNotFoundError("Failed to download file"),
        RuntimeError("checksum"),
        ConnectionError("no route"),
    ):
        monkeypatch.setattr(open_clip, "download_pretrained", raising(error))
        with pytest.raises(FileNotFoundError, match=message):
            load("tiny", "openai")


def test_nothing_is_fetched_that_was_not_named(tiny, tmp_path, monkeypatch):
    forbidden = raising(AssertionError("a download was tried"))
    monkeypatch.setattr(open_clip, "download_pretrained", forbidden)
    monkeypatch.setattr(open_clip.pretrained, "hf_hub_download", forbidden)
    monkeypatch.setattr("urllib.request.urlopen", forbidden)
    torch.save(tiny.state_dict(), tmp_path / "weights.pt")
    load("tiny", tmp_path / "weights.pt")
    with pytest.raises(ValueError, match="needs weights: pretrained=None"):
        load_clip("ViT-B-32")
    with pytest.raises(ValueError, match="needs weights.*'openai'"):
        load("ViT-B-32", "openia")
    for missing in ("weights/none.pt", "none.safetensors", tmp_path / "none"):
        with pytest.raises(FileNotFoundError, match="needs weights"):
            load("ViT-B-32", missing)
    with pytest.raises(ValueError, match="needs weights"):
        load("ViT-B-32", tmp_path.name)


def test_a_tokenizer_that_is_missing_is_named(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(
        open_clip.factory._MODEL_CONFIGS["tiny"]["text_cfg"], "hf_tokenizer_name", "somebody/tokens"
    )
    torch.save(tiny.state_dict(), tmp_path / "weights.pt")
    missing = ImportError("No module named 'transformers'")
    offline = OSError("no route")
    for error, raised, words in (
        (missing, ValueError, "somebody/tokens.*pip install transformers"),
        (offline, FileNotFoundError, "somebody/tokens.*Go online"),
    ):
        monkeypatch.setattr(open_clip, "get_tokenizer", raising(error))
        with pytest.raises(raised, match=words):
            load("tiny", tmp_path / "weights.pt")


def test_a_device_without_room(tiny, tmp_path, monkeypatch):
    # open_clip builds with device=, load_clip moves the whole model
    def to(self, *device, **others):
        if device:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return nn.Module.to(self, **others)

    torch.save(tiny.state_dict(), tmp_path / "weights.pt")
    monkeypatch.setattr(open_clip.CLIP, "to", to)
    with pytest.raises(ValueError, match="no room for the .* MiB of tiny's weights.*device='cpu'"):
        load("tiny", tmp_path / "weights.pt")


@pytest.mark.parametrize("wrong", ["abacus", "cuda:-1", "cuda:x", "cuda:99", "meta", ""])
def test_devices_that_are_not_there(wrong):
    with pytest.raises(ValueError, match="device .* use one of .*'cpu'"):
        resolve_device(wrong)


def test_a_gpu_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("auto") == torch.device("cuda")
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    message = r"'cuda:2' is not available here; use one of \['cuda', 'cuda:1'"
    with pytest.raises(ValueError, match=message):
        resolve_device("cuda:2")


def test_precision(monkeypatch):
    gpu = torch.device("cuda")
    cpu = torch.device("cpu")
    assert autocast_dtype("auto", cpu) is None
    for device in (cpu, gpu):
        assert autocast_dtype("fp32", device) is None
        assert autocast_dtype("bf16", device) is torch.bfloat16
        assert autocast_dtype("fp64", device) is None
    assert autocast_dtype("fp16", gpu) is torch.float16
    for has, expected in ((True, torch.bfloat16), (False, torch.float16)):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda has=has: has)
        assert autocast_dtype("auto", gpu) is expected
    for wrong, words in (("fp16", "needs a GPU"), ("fp8", "must be 'auto' or one of")):
        with pytest.raises(ValueError, match=words):
            load_clip("pocket", device="cpu", precision=wrong)


def test_settings_name_a_checkpoint_beside_them(tiny, tmp_path, monkeypatch):
    lab = tmp_path / "lab"
    (lab / "notes").mkdir(parents=True)
    (lab / "weights").mkdir()
    torch.save(tiny.state_dict(), lab / "weights" / "own clip.pt")
    monkeypatch.chdir(lab / "notes")

    def set_backbone(backbone):
        text = f"[pseudolab]\nbackbone = {backbone}\ndevice = cpu\n"
        (lab / "settings.ini").write_text(text)

    set_backbone("tiny weights/own clip.pt")
    clip = load_clip()
    assert clip.name == "tiny" and torch.equal(clip.model.visual.proj, tiny.visual.proj)
    set_backbone("pocket")
    assert load_clip().name == "pocket"
    set_backbone("tiny weights/gone.pt")
    with pytest.raises(FileNotFoundError, match="weights/gone.pt"):
        load_clip()


def test_importing_the_package_imports_no_model_library():
    code = (
        "import sys, pseudolab; assert pseudolab.__version__ and not {'open_clip', 'torch', 'timm'}"
        " & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# --- which CLIP it is


def swap(table, one, other):
    "Two entries of a table change places"
    table[one], table[other] = table[other], table[one]


# each changes one value, and neither the image tower nor its preprocessing
CHANGES = {
    "a text block": lambda clip: clip.model.transformer.resblocks[0].mlp.c_fc.bias[0].add_(0.01),
    "the text projection": lambda clip: clip.model.text_projection[0, 0].add_(0.01),
    "a token's row": lambda clip: clip.model.token_embedding.weight[320, 0].add_(0.01),
    "a position": lambda clip: clip.model.positional_embedding[-1, 0].add_(0.01),
    "the mask": lambda clip: clip.model.attn_mask[0, 1].fill_(0.0),
    "heads": lambda clip: setattr(clip.model.transformer.resblocks[0].attn, "num_heads", 1),
    "the logit scale": lambda clip: clip.model.logit_scale.add_(0.01),
    "the context": lambda clip: setattr(clip.model, "context_length", 76),
    "the vocabulary": lambda clip: swap(clip.tokenizer.encoder, "zebra</w>", "lion</w>"),
    "how words are cut": lambda clip: swap(clip.tokenizer.bpe_ranks, ("f", "o"), ("z", "z")),
}


def names_after(clip, changes):
    "Both digests at first, and after each change on top of those before"
    names = [(clip.digest, clip.image_digest)]
    for change in changes:
        change(clip)
        clip._digest = clip._image_digest = None
        names.append((clip.digest, clip.image_digest))
    return [list(column) for column in zip(*names, strict=True)]


def test_a_clip_is_another_if_one_value_of_its_text_side_is(tiny, tmp_path):
    torch.save(tiny.state_dict(), tmp_path / "weights.pt")
    clip = load("tiny", tmp_path / "weights.pt")
    of_all, of_images = names_after(clip, CHANGES.values())
    known = dict.fromkeys(of_all)
    assert len(known) == 1 + len(CHANGES), [*zip(CHANGES, of_all[1:], strict=True)]
    assert len(set(of_images)) == 1


def test_a_clip_is_another_if_one_value_of_its_image_side_is(tiny, tmp_path):
    torch.save(tiny.state_dict(), tmp_path / "weights.pt")
    clip = load("tiny", tmp_path / "weights.pt")
    other = open_clip.image_transform(128, is_train=False, mean=(0.5, 0.5, 0.5))
    changes = [
        lambda clip: clip.model.visual.proj[0, 0].add_(0.01),
        lambda clip: setattr(clip.model.visual.transformer.resblocks[0].attn, "num_heads", 4),
        lambda clip: setattr(clip, "preprocess", other),
        lambda clip: setattr(clip, "dtype", torch.bfloat16),
        lambda clip: setattr(clip, "quick_gelu", True),
    ]
    for names in names_after(clip, changes):
        assert len(set(names)) == 1 + len(changes)


def test_of_the_pocket_clips_tokens_the_seen_ones_count():
    clip = load_clip("pocket", device="cpu")
    rows = clip.model.token_embedding.weight
    unseen = next(n for n in range(len(rows)) if n not in clip.seen)
    changes = [lambda _: rows[unseen].add_(1), lambda _: rows[max(clip.seen)].add_(1)]
    first, same, other = names_after(clip, changes)[0]
    assert first == same != other


def with_another_text_tower():
    "The pocket CLIP, but for one value"
    other = load_clip("pocket", device="cpu")
    other.model.ln_final.bias[0] += 0.5
    return other


@pytest.mark.parametrize("kind", LEARNED, ids=lambda kind: kind.__name__)
def test_a_prompt_is_refused_by_another_text_tower(kind, tmp_path):
    clip = load_clip("pocket", device="cpu")
    kind(clip, NAMES).save(tmp_path / "prompt.safetensors")
    kind.load(tmp_path / "prompt.safetensors", clip)
    clip.model.ln_final.bias[0] += 0.5
    clip._digest = None
    with pytest.raises(ValueError, match="other weights, another context or another tokenizer"):
        kind.load(tmp_path / "prompt.safetensors", clip)


def test_a_run_is_not_resumed_with_another_text_tower(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    task = load_task("satellite", n_train=4, n_test=4)
    options = {"strategy": "zero_shot"}
    clip = load_clip("pocket", device="cpu")
    first = PromptTuner(clip, **options).fit(task, tmp_path / "run", progress=False)
    with pytest.raises(ValueError, match="holds a run with another clip"):
        other = PromptTuner(with_another_text_tower(), **options)
        other.fit(task, tmp_path / "run", resume=True, progress=False)
    again = PromptTuner(clip, **options)
    resumed = again.fit(task, tmp_path / "run", resume=True, progress=False)
    assert resumed.score == first.score


def test_another_text_tower_finds_the_kept_image_features(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    images = load_task("satellite", n_train=1, n_test=3).test.images
    features = load_clip("pocket", device="cpu").image_features(images)
    other = with_another_text_tower()
    monkeypatch.setattr(Clip, "encode_images", raising(AssertionError("encoded once more")))
    assert torch.equal(other.image_features(images), features)
    other.model.visual.proj[0, 0] += 0.5
    other._image_digest = None
    with pytest.raises(AssertionError, match="once more"):
        other.image_features(images)


# --- models that bring their configuration: local-dir: and hf-hub:

HALF = dict(mean=[0.5, 0.4, 0.3], std=[0.5, 0.5, 0.5], interpolation="bilinear")


def write_model(folder, config, file="open_clip_model.safetensors", seed=4):
    "A model with random weights as open_clip publishes them: a configuration, and weights"
    folder.mkdir(parents=True, exist_ok=True)
    about = {"model_cfg": config, "preprocess_cfg": HALF | {"resize_mode": "squash"}}
    (folder / "open_clip_config.json").write_text(json.dumps(about))
    kind = open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind(**{name: value for name, value in config.items() if name != "custom_text"})
    (save_file if file.endswith("safetensors") else torch.save)(model.state_dict(), folder / file)
    return folder


@pytest.fixture
def hub(tmp_path, monkeypatch):
    "A cache of the Hugging Face Hub with one model, and no way to the network"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    commit = "0123456789" * 4
    model = tmp_path / "hub" / "models--org--small"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text(commit)
    return model / "snapshots" / commit


def check_is_open_clips_own(clip):
    "Pictures and texts go in as they do with open_clip itself, and come out the same"
    model, _, preprocess = open_clip.create_model_and_transforms(clip.name)
    model.eval()
    picture = noise(200, 300, seed=2)
    assert torch.equal(clip.preprocess(picture), preprocess(picture))
    with torch.no_grad():
        image = F.normalize(model.encode_image(preprocess(picture)[None]), dim=-1)
        texts = F.normalize(model.encode_text(open_clip.get_tokenizer(clip.name)(NAMES)), dim=-1)
    assert close(clip.encode_images([picture]), image)
    assert close(clip.encode_texts(NAMES), texts) and least_distance(texts) > 100 * TOLERANCE
    assert torch.equal(clip.logit_scale, model.logit_scale)


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize(
    "file", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin", "own.pth"]
)
def test_a_folder_is_loaded_as_open_clip_loads_it(tmp_path, file, quick):
    config = shrunken("ViT-B-32")[0] | {"quick_gelu": quick}
    config["text_cfg"]["context_length"] = 20
    name = f"local-dir:{write_model(tmp_path / 'siglip', config, file)}"
    clip = load_clip(name, device="cpu")
    check_is_open_clips_own(clip)
    assert (clip.name, clip.pretrained, clip.context_length) == (name, None, 20)
    assert clip.quick_gelu is quick and activations(clip) == {QuickGELU if quick else nn.GELU}
    assert clip.preprocess.transforms[-1].mean == HALF["mean"]
    assert set(prompt_support(name).values()) == {None}
    check_text(clip)
    with pytest.raises(ValueError, match=f"says quick_gelu={quick}.*leave quick_gelu out"):
        load_clip(name, device="cpu", quick_gelu=not quick)
    with pytest.raises(ValueError, match="brings its own weights; leave pretrained='openai' out"):
        load_clip(name, "openai", device="cpu")


@pytest.mark.parametrize("file", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
def test_a_hub_model_is_loaded_from_the_cache(hub, file):
    write_model(hub, shrunken("ViT-B-32")[0], file)
    clip = load_clip("hf-hub:org/small", device="cpu")
    check_is_open_clips_own(clip)
    assert "Clip('hf-hub:org/small', 128 px" in repr(clip)
    assert set(prompt_support("hf-hub:org/small").values()) == {None}


def test_a_hub_model_that_is_not_there_is_a_clear_error(hub):
    for name in ("hf-hub:org/other", "hf-hub:", "hf-hub:not a name"):
        with pytest.raises(FileNotFoundError, match="open_clip_config.json of .* go online once"):
            load_clip(name, device="cpu")
    write_model(hub, shrunken("ViT-B-32")[0])
    (hub / "open_clip_model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="The weights of hf-hub:org/small could not be"):
        load_clip("hf-hub:org/small", device="cpu")


def test_towers_without_prompts_serve_as_zero_shot_clip(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    config = shrunken("ViT-B-16-SigLIP")[0]
    del config["text_cfg"]["hf_tokenizer_name"]
    config |= {"init_logit_scale": 2.0, "init_logit_bias": -10.0}
    clip = load_clip(f"local-dir:{write_model(tmp_path / 'own', config)}", device="cpu")
    check_is_open_clips_own(clip)
    reasons = prompt_support(clip.name)
    assert "causal" in reasons["text"] and "TimmModel" in reasons["visual"]
    for prompt in ("text", "visual", "multimodal"):
        with pytest.raises(ValueError, match="prompts cannot be learned for it"):
            PromptTuner(clip, prompt=prompt)
    task = load_task("satellite", n_train=1, n_test=2)
    tuner = PromptTuner(clip, strategy="zero_shot")
    run = tuner.fit(task, progress=False)
    logits = (
        clip.encode_images(task.test.images)
        @ clip.encode_texts([task.template.format(name) for name in task.class_names]).T
    )
    assert run.rounds[0].predictions.tolist() == logits.argmax(1).tolist()


def test_a_folder_that_is_no_model_is_a_clear_error(tmp_path):
    folder = tmp_path / "model"
    name = f"local-dir:{folder}"

    def refused(error, words):
        with pytest.raises(error, match=words):
            load_clip(name, device="cpu")

    refused(FileNotFoundError, "names no folder that is there")
    folder.mkdir()
    refused(FileNotFoundError, "open_clip_config.json is missing")
    for text, words in (
        ("{", "open_clip_config.json"),
        ("[]", "describes no CLIP.*'model_cfg'"),
        ('{"model_cfg": {"embed_dim": 3}}', "describes no CLIP.*text_cfg"),
    ):
        (folder / "open_clip_config.json").write_text(text)
        refused(ValueError, words)
    write_model(folder, shrunken("ViT-B-32")[0], "weights.safetensors")
    (folder / "weights.safetensors").rename(tmp_path / "elsewhere")
    refused(FileNotFoundError, "There are no weights in .*open_clip_model.safetensors")
    torch.save({"a": Malicious(tmp_path / "executed")}, folder / "open_clip_pytorch_model.bin")
    refused(ValueError, "cannot be read as weights.*never unpickled")
    assert not (tmp_path / "executed").exists()
    save_file(pocket_model().state_dict(), folder / "open_clip_model.safetensors")
    refused(ValueError, "does not fit local-dir.*describes the weights beside it")
    with pytest.raises(FileNotFoundError, match="'local-dir:' names no folder"):
        load_clip("local-dir:", device="cpu")


def test_an_open_clip_without_folders_says_so(tmp_path, monkeypatch):
    name = f"local-dir:{write_model(tmp_path / 'own', shrunken('ViT-B-32')[0])}"
    monkeypatch.delattr(open_clip.factory, "LOCAL_DIR_PREFIX")
    with pytest.raises(ValueError, match="knows no local-dir: names. pip install --upgrade"):
        load_clip(name, device="cpu")


SIGLIP = "Then it serves as zero-shot CLIP alone, without prompts: .*causal.*TimmModel"


@pytest.mark.parametrize(
    "error, raised, words",
    [
        (ImportError("No module named 'transformers'"), ValueError, "pip install transformers. "),
        (ImportError("No module named 'tiktoken'"), ValueError, "pip install tiktoken. "),
        (ModuleNotFoundError("gone", name="sentencepiece"), ValueError, "install sentencepiece. "),
    ],
)
def test_a_library_is_named_with_what_it_is_for(monkeypatch, error, raised, words):
    monkeypatch.setattr(open_clip, "get_tokenizer", raising(error))
    with pytest.raises(raised, match=f"timm/ViT-B-16-SigLIP, which needs .*{words}{SIGLIP}"):
        load_clip("ViT-B-16-SigLIP", "webli", device="cpu")


def test_a_library_that_is_there_is_not_asked_for(monkeypatch):
    needs = ImportError("T5Tokenizer requires the SentencePiece library")
    monkeypatch.setattr(open_clip, "get_tokenizer", raising(needs))
    monkeypatch.setattr(loading, "find_spec", lambda name: "there")
    with pytest.raises(ValueError, match="SentencePiece.*Install what is named there") as caught:
        load_clip("ViT-B-16-SigLIP", "webli", device="cpu")
    assert "transformers" not in str(caught.value)
    slow = ValueError("You need to have sentencepiece installed")
    monkeypatch.setattr(open_clip, "get_tokenizer", raising(slow))
    with pytest.raises(ValueError, match="could not be made .*sentencepiece.*install it"):
        load_clip("ViT-B-16-SigLIP", "webli", device="cpu")
    assert "visual prompts can be learned, and no others" in loading._serves("roberta-ViT-B-32")
