"""The rehearsal on the real size: what does a training step cost on ViT-B/32, in time and in
memory?

python benchmarks/rehearsal.py [--device cuda] [--steps 3] [--images 500]

ViT-B/32 with random weights (a step costs the same whatever the numbers are), Flowers102's 102
class names, random images, the paper's recipe with its batches of 64. Each prompt is measured in a
process of its own, so that its peak of memory is its own. Nothing is fetched. Writes
benchmarks/results/rehearsal.json.
"""

import argparse
import json
import logging
import os
import platform
import resource
import subprocess
import sys
import tempfile
from importlib.metadata import version
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

import open_clip
import torch
from measure import memory_gib, processor, waited
from safetensors.torch import save_file
from visual_step import pictures

from pseudolab.clip.loading import load_clip, resolve_device
from pseudolab.io import read_json, write_json
from pseudolab.method.loss import unified_loss
from pseudolab.method.prompts.multimodal import MultimodalPrompt
from pseudolab.method.prompts.text import TextPrompt
from pseudolab.method.prompts.visual import VisualPrompt
from pseudolab.method.recipe import Recipe
from pseudolab.method.strategies import STRATEGIES
from pseudolab.method.training import Examples, train_epoch
from pseudolab.settings import PACKAGE

HERE = Path(__file__).resolve().parent
ARCHITECTURE = "ViT-B-32"
PROMPTS = {"text": TextPrompt, "visual": VisualPrompt, "multimodal": MultimodalPrompt}
POOL = 2040  # Flowers102's training images
CLASSES = read_json(PACKAGE / "data" / "classes.json")["classes"]["flowers102"]


def write_weights(path: Path) -> None:
    "Random weights of the real size, as a local checkpoint"
    torch.manual_seed(0)
    # open_clip warns that the weights are random; here they are meant to be
    logging.getLogger().setLevel(logging.ERROR)
    model = open_clip.create_model(ARCHITECTURE, load_weights=False)
    save_file(model.state_dict(), path)


def peak_mib() -> float:
    "The largest memory this process has held: Linux counts in KiB, macOS in bytes"
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def measure(kind: str, weights: Path, device: str, steps: int, n_images: int) -> dict[str, Any]:
    """One prompt in this process: prepare the inputs, one step to warm up, then `steps` steps by
    the clock
    """
    clip = load_clip(ARCHITECTURE, weights, device=device)
    place = clip.device
    recipe = Recipe.paper()
    images = pictures(n_images)
    loaded = peak_mib()
    prompt = PROMPTS[kind](clip, CLASSES)
    started = waited(place)
    with torch.no_grad():
        inputs = prompt.inputs(images)
    prepared = waited(place) - started
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(len(CLASSES), (n_images,), generator=generator).to(place)
    examples = Examples(inputs, labels, torch.ones(n_images, dtype=torch.bool, device=place))
    optimizer = torch.optim.SGD(
        prompt.parameters(), lr=1e-3, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )
    seconds = []
    for _ in range(1 + steps):
        batch = torch.randperm(n_images, generator=generator)[: recipe.batch_size]
        started = waited(place)
        # an epoch of one batch is a step
        train_epoch(prompt, optimizer, examples, batch, recipe, unified_loss, (0.0, 1.0))
        seconds.append(waited(place) - started)
    result = dict(
        prompt=kind,
        learned=sum(p.numel() for p in prompt.parameters()),
        prepare_seconds=round(prepared, 2),
        inputs_mib=round(inputs.nbytes / 2**20, 1),
        step_seconds=round(median(seconds[1:]), 3),
        all_steps=[round(s, 3) for s in seconds[1:]],
        loaded_mib=round(loaded),
        peak_mib=round(peak_mib()),
    )
    if place.type == "cuda":
        result["peak_gpu_mib"] = round(torch.cuda.max_memory_allocated() / 2**20)
    return result


def grip_steps() -> int:
    """Steps of GRIP by the paper's recipe on Flowers102, unsupervised: every round trains on K
    images per class
    """
    recipe = Recipe.paper()
    grip = STRATEGIES["grip"]
    k_of = grip.k
    if k_of is None:
        raise ValueError("GRIP has no schedule of K.")
    n_classes = len(CLASSES)
    steps = 0
    for number in range(1, grip.rounds + 1):
        images = k_of(number, POOL, n_classes) * n_classes
        steps += recipe.epochs * ceil(images / recipe.batch_size)
    return steps


def machine(device: torch.device) -> dict[str, Any]:
    "What it was measured on: kind, size and versions, no names"
    gpu = {"gpu": torch.cuda.get_device_name(device)} if device.type == "cuda" else {}
    cores = os.cpu_count() or 1
    load = os.getloadavg()[0]
    return dict(
        system=f"{platform.system()} {platform.machine()}",
        cpu=processor(),
        cores=cores,
        memory_gib=memory_gib(),
        **gpu,
        threads=torch.get_num_threads(),
        load_before=round(load, 2),
        shared=load > 0.25 * cores,
        python=platform.python_version(),
        torch=version("torch"),
        open_clip=version("open_clip_torch"),
    )


def in_own_process(kind: str, weights: Path, given: argparse.Namespace) -> dict[str, Any]:
    "What `measure` says in a process that does nothing else"
    command = [sys.executable, __file__, "--measure", kind, "--weights", str(weights)]
    command += ["--device", given.device]
    command += ["--steps", str(given.steps), "--images", str(given.images)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def print_table(about: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    shared = ", shared with other work" if about["shared"] else ""
    print(
        f"{ARCHITECTURE}, {len(CLASSES)} classes, batches of {Recipe.paper().batch_size};"
        f" {about['cpu']}, {about['cores']} cores{shared}"
    )
    steps = grip_steps()
    heads = f"{'prompt':<12}{'learned':>10}{'inputs':>12}{'prepare':>11}{'a step':>10}"
    print(f"{heads}{'peak memory':>14}{f'GRIP ({steps:,} steps)':>24}")
    for row in rows:
        memory = row.get("peak_gpu_mib", row["peak_mib"])
        hours = row["step_seconds"] * steps / 3600
        print(
            f"{row['prompt']:<12}{row['learned']:>10,}{row['inputs_mib']:>8,.0f} MiB"
            f"{row['prepare_seconds']:>9.1f} s{row['step_seconds']:>8.2f} s"
            f"{memory:>10,} MiB{hours:>22.1f} h"
        )


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "rehearsal.json")
    parser.add_argument("--measure", choices=PROMPTS, help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    given = options()
    if given.measure:
        result = measure(given.measure, given.weights, given.device, given.steps, given.images)
        print(json.dumps(result))
        return
    about = machine(resolve_device(given.device))
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.safetensors"
        write_weights(weights)
        rows = [in_own_process(kind, weights, given) for kind in PROMPTS]
    print_table(about, rows)
    result = dict(
        architecture=ARCHITECTURE,
        device=given.device,
        classes=len(CLASSES),
        images=given.images,
        batch_size=Recipe.paper().batch_size,
        steps=given.steps,
        grip_steps=grip_steps(),
        machine=about,
        prompts=rows,
    )
    write_json(given.out, result, indent=1)


if __name__ == "__main__":
    main()
