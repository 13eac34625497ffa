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
import time
from importlib.metadata import version
from math import ceil
from pathlib import Path
from statistics import median

import numpy as np
import open_clip
import torch
from PIL import Image
from safetensors.torch import save_file

from pseudolab.io import write_atomically
from pseudolab.clip.loading import load_clip, resolve_device
from pseudolab.method.prompts.multimodal import MultimodalPrompt
from pseudolab.method.recipe import Recipe
from pseudolab.method.strategies import STRATEGIES
from pseudolab.method.prompts.text import TextPrompt
from pseudolab.method.training import train_epoch
from pseudolab.method.prompts.visual import VisualPrompt

HERE, ARCHITECTURE = Path(__file__).resolve().parent, "ViT-B-32"
PROMPTS = {"text": TextPrompt, "visual": VisualPrompt, "multimodal": MultimodalPrompt}
POOL = 2040  # Flowers102's training images
CLASSES = json.loads(
    (HERE.parent / "pseudolab" / "data" / "classes.json").read_text(encoding="utf-8")
)["classes"]["flowers102"]


def write_weights(path: Path):
    "Random weights of the real size, as a local checkpoint"
    torch.manual_seed(0)
    # open_clip warns that the weights are random; here they are meant to be
    logging.getLogger().setLevel(logging.ERROR)
    save_file(open_clip.create_model(ARCHITECTURE, load_weights=False).state_dict(), path)


def random_images(n: int) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)) for _ in range(n)]


def waited(device: torch.device) -> float:
    "The time, once the device has done what it was asked to do"
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def peak_mib() -> float:
    "The largest memory this process has held: Linux counts in KiB, macOS in bytes"
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        2**20 if sys.platform == "darwin" else 2**10
    )


def measure(kind: str, weights: Path, device: str, steps: int, n_images: int) -> dict:
    """One prompt in this process: prepare the inputs, one step to warm up, then `steps` steps by
    the clock
    """
    clip, recipe, images = (
        load_clip(ARCHITECTURE, weights, device=device),
        Recipe.paper(),
        random_images(n_images),
    )
    place = clip.device
    loaded = peak_mib()
    prompt = PROMPTS[kind](clip, CLASSES)
    started = waited(place)
    with torch.no_grad():
        inputs = prompt.inputs(images)
    prepared = waited(place) - started
    generator = torch.Generator().manual_seed(0)
    data = (
        inputs,
        torch.randint(len(CLASSES), (n_images,), generator=generator).to(place),
        torch.ones(n_images, dtype=torch.bool, device=place),
    )
    optimizer = torch.optim.SGD(
        prompt.parameters(), lr=1e-3, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )
    seconds = []
    for _ in range(1 + steps):
        batch, started = (
            torch.randperm(n_images, generator=generator)[: recipe.batch_size],
            waited(place),
        )
        # an epoch of one batch is a step
        train_epoch(prompt, optimizer, data, batch, (0.0, 1.0), recipe)
        seconds.append(waited(place) - started)
    gpu = (
        {"peak_gpu_mib": round(torch.cuda.max_memory_allocated() / 2**20)}
        if place.type == "cuda"
        else {}
    )
    return dict(
        prompt=kind,
        learned=sum(p.numel() for p in prompt.parameters()),
        prepare_seconds=round(prepared, 2),
        inputs_mib=round(inputs.nbytes / 2**20, 1),
        step_seconds=round(median(seconds[1:]), 3),
        all_steps=[round(s, 3) for s in seconds[1:]],
        loaded_mib=round(loaded),
        peak_mib=round(peak_mib()),
        **gpu,
    )


def grip_steps() -> int:
    """Steps of GRIP by the paper's recipe on Flowers102, unsupervised: every round trains on K
    images per class
    """
    recipe, grip, C = Recipe.paper(), STRATEGIES["grip"], len(CLASSES)
    return sum(
        recipe.epochs * ceil(grip.k(i, POOL, C) * C / recipe.batch_size)
        for i in range(1, grip.rounds + 1)
    )


def machine(device: torch.device) -> dict:
    "What it was measured on: kind, size and versions, no names"
    cpuinfo = Path("/proc/cpuinfo")
    models = (
        [
            line.split(":", 1)[1].strip()
            for line in cpuinfo.read_text().splitlines()
            if line.startswith("model name")
        ]
        if cpuinfo.is_file()
        else []
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    gpu = {"gpu": torch.cuda.get_device_name(device)} if device.type == "cuda" else {}
    load = os.getloadavg()[0]
    return dict(
        system=f"{platform.system()} {platform.machine()}",
        cpu=models[0] if models else platform.processor(),
        cores=os.cpu_count(),
        memory_gib=round(memory, 1),
        **gpu,
        threads=torch.get_num_threads(),
        load_before=round(load, 2),
        shared=load > 0.25 * os.cpu_count(),
        python=platform.python_version(),
        torch=version("torch"),
        open_clip=version("open_clip_torch"),
    )


def in_own_process(kind: str, weights: Path, arguments: argparse.Namespace) -> dict:
    command = [
        sys.executable,
        __file__,
        "--measure",
        kind,
        "--weights",
        str(weights),
        "--device",
        arguments.device,
        "--steps",
        str(arguments.steps),
        "--images",
        str(arguments.images),
    ]
    return json.loads(
        subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[
            -1
        ]
    )


def print_table(about: dict, rows: list[dict]):
    print(
        f"{ARCHITECTURE}, {len(CLASSES)} classes, batches of {Recipe.paper().batch_size};"
        f" {about['cpu']}, {about['cores']} cores"
        + (", shared with other work" if about["shared"] else "")
    )
    print(
        f"{'prompt':<12}{'learned':>10}{'inputs':>12}{'prepare':>11}{'a step':>10}{'peak memory':>14}{f'GRIP ({grip_steps():,} steps)':>24}"
    )
    for row in rows:
        memory = row.get("peak_gpu_mib", row["peak_mib"])
        print(
            f"{row['prompt']:<12}{row['learned']:>10,}{row['inputs_mib']:>8,.0f}"
            f" MiB{row['prepare_seconds']:>9.1f} s{row['step_seconds']:>8.2f} s{memory:>10,}"
            f" MiB{row['step_seconds'] * grip_steps() / 3600:>22.1f} h"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "rehearsal.json")
    parser.add_argument("--measure", choices=PROMPTS, help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        return print(
            json.dumps(
                measure(given.measure, given.weights, given.device, given.steps, given.images)
            )
        )
    about = machine(resolve_device(given.device))
    with tempfile.TemporaryDirectory() as folder:
        write_weights(Path(folder) / "weights.safetensors")
        rows = [
            in_own_process(kind, Path(folder) / "weights.safetensors", given) for kind in PROMPTS
        ]
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
    with write_atomically(given.out) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
