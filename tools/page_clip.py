"""Write what a page needs to run the pocket CLIP by itself: scripts, weights and tasks.

    python tools/page_clip.py write --out docs/assets --task satellite --task digits
    python tools/page_clip.py kernel

The first writes `clip.js`, `clip_weights.js` and a `clip_task_NAME.js` for each task, always the
same bytes. A page includes `clip.js`, which reads the others from the same folder when they are
first needed; it works from file://. The code is in pseudolab/views/static/clip_*.js.

The second compiles the inner loops, tools/clip_kernel.ts, into pseudolab/views/static/clip_wasm.js.
Run it after that file was changed. It needs npm, and fetches the compiler, AssemblyScript.
"""

import argparse
import hashlib
import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from open_clip.tokenizer import SimpleTokenizer

from pseudolab.clip.loading import load_clip
from pseudolab.clip.model import GRID, Clip
from pseudolab.clip.pixels import BytePreprocessing
from pseudolab.clip.pocket import POCKET_WEIGHTS
from pseudolab.data.images import ImageSet
from pseudolab.data.tasks import Task, load_task
from pseudolab.io import write_atomically
from pseudolab.method.recipe import Recipe
from pseudolab.views.html import STATIC, base64_text, static_text, to_json

ROOT = Path(__file__).resolve().parents[1]
KERNEL = ROOT / "tools" / "clip_kernel.ts"
WASM = STATIC / "clip_wasm.js"
COMPILER = "assemblyscript@0.28.20"
OPTIONS = ("-O3", "--noAssert", "--runtime", "stub", "--importMemory", "--enable", "simd")
# in this order; each uses what stands in those before it
ENGINE = ("clip_wasm", "clip_kernel", "clip_random", "clip_tokens", "clip_model", "clip_training")


# ---- scripts


def without_comments(text: str) -> str:
    "A script without comment lines, indentation and empty lines"
    lines = [line.strip() for line in text.splitlines()]
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def engine() -> str:
    "The CLIP and its training as one script, with no page and no worker around it"
    texts = [without_comments(static_text(f"{name}.js")) for name in ENGINE]
    return "\n".join(['"use strict";', *texts])


def page_script() -> str:
    "clip.js: the page's end, with the worker's script as text inside"
    worker = f"{engine()}\n{without_comments(static_text('clip_worker.js'))}"
    page = without_comments(static_text("clip_page.js"))
    return f'(() => {{\n"use strict";\nconst CLIP_WORKER = {to_json(worker)};\n{page}\n}})();\n'


def data_script(name: str, data: dict[str, Any]) -> str:
    "A script that hands data to clip.js"
    return f"plabClip.deliver({json.dumps(name)}, {to_json(data)});\n"


# ---- data


def merge_ids(tokenizer: SimpleTokenizer) -> np.ndarray:  # uint16 (merges, 2)
    "The two tokens that each merge joins, in the order of merging"
    ids = tokenizer.encoder
    return np.array([[ids[left], ids[right]] for left, right in tokenizer.bpe_ranks], np.uint16)


def weights_data(clip: Clip) -> dict[str, Any]:
    "The shipped weights as they are, the tokenizer's merges, and how pixels are normalised"
    preprocessing = BytePreprocessing.of(clip.preprocess)
    if preprocessing is None:
        raise ValueError(f"The preprocessing of {clip!r} does not end in a normalisation.")
    return {
        "safetensors": base64_text(POCKET_WEIGHTS.read_bytes()),
        "merges": base64_text(merge_ids(clip.tokenizer).astype("<u2").tobytes()),
        "mean": preprocessing.mean.flatten().tolist(),
        "deviation": preprocessing.deviation.flatten().tolist(),
        "contextLength": clip.context_length,
    }


def pack_features(
    features: np.ndarray,  # float64, multiples of GRID from -1 to 1
) -> str:  # base64 of three bytes each, the lowest first
    "Features as whole numbers. Raises ValueError if they are not on the grid"
    steps = np.rint(features / GRID).astype("<i4")
    if not np.array_equal(steps * GRID, features):
        raise ValueError(f"These features are no multiples of {GRID}. Use a float64 CLIP.")
    return base64_text(steps.reshape(-1, 1).view(np.uint8)[:, :3].tobytes())


def task_data(
    task: Task,
    clip: Clip,
    recipe: Recipe,
) -> dict[str, Any]:
    "Names, template, recipe, and features and labels of the pool and of the test images"

    def side(images: ImageSet) -> dict[str, Any]:
        features = clip.image_features(images.images).cpu().numpy()
        return {"features": pack_features(features), "labels": images.labels.tolist()}

    return {
        "name": task.name,
        "classNames": task.class_names,
        "template": task.template,
        "recipe": asdict(recipe),
        "pool": side(task.train),
        "test": side(task.test),
    }


def write(
    out: Path,  # folder
    tasks: Sequence[str],  # names for `load_task`
) -> list[Path]:
    "Write every script that a page needs"
    clip = load_clip("pocket", device="cpu")
    texts = {"clip": page_script(), "clip_weights": data_script("weights", weights_data(clip))}
    for name in tasks:
        data = task_data(load_task(name), clip, Recipe.pocket())
        texts[f"clip_task_{name}"] = data_script(f"task_{name}", data)
    paths = []
    for name, text in texts.items():
        path = out / f"{name}.js"
        with write_atomically(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


# ---- kernel


def kernel_digest() -> str:
    "A name for the kernel's source and how it is compiled"
    told = "\n".join([COMPILER, *OPTIONS, KERNEL.read_text(encoding="utf-8")])
    return hashlib.sha256(told.encode()).hexdigest()


def compile_kernel() -> bytes:
    "The kernel in WebAssembly"
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / "kernel.wasm"
        command = ["npx", "--yes", "--package", COMPILER, "asc", str(KERNEL), *OPTIONS]
        subprocess.run([*command, "--outFile", str(binary)], check=True, cwd=folder)
        return binary.read_bytes()


def write_kernel() -> None:
    "Compile the kernel into the script that pages hold"
    text = base64_text(compile_kernel())
    lines = [f'  "{text[at : at + 90]}",' for at in range(0, len(text), 90)]
    head = [
        "// Made by `python tools/page_clip.py kernel` from tools/clip_kernel.ts. Do not edit.",
        f"// source {kernel_digest()}",
        "const CLIP_WASM = [",
    ]
    with write_atomically(WASM) as temporary:
        temporary.write_text("\n".join([*head, *lines, '].join("");', ""]), encoding="utf-8")


def main() -> None:
    "Read the command line, and write"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("kernel", help="compile tools/clip_kernel.ts; needs npm")
    writer = commands.add_parser("write", help="write the scripts of a page")
    writer.add_argument("--out", type=Path, required=True, help="folder for the scripts")
    writer.add_argument("--task", action="append", default=[], help="a task; may be repeated")
    given = parser.parse_args()
    if given.command == "kernel":
        write_kernel()
        return
    for path in write(given.out, given.task):
        print(f"{path} {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
