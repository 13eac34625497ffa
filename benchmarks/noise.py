"""How far two processors part in one run: the error to which a run's nearest decision is compared.

    python benchmarks/noise.py ladder textures-text-ul-growing4-1

plays a shipped run twice, once with plain instructions and once with AVX2, and prints by round how
far a logit of the pool or of the test images lies from its twin, and the nearest decision over the
largest of these errors. `NOISE` in pseudolab.method.run is the largest error of 180 rounds; most
runs stay far below it, so a run whose nearest decision is not a hundred times NOISE is measured on
its own.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pseudolab.clip.loading import load_clip
from pseudolab.clip.model import Clip
from pseudolab.data.tasks import Task
from pseudolab.experiments.ablations import method_cells
from pseudolab.experiments.causal import CLIPS, CausalCell, causal_cells, weights_of
from pseudolab.experiments.grid import grid_cells
from pseudolab.experiments.imbalance import imbalance_cells
from pseudolab.experiments.ladder import ladder_cells
from pseudolab.experiments.runner import Experiment
from pseudolab.experiments.stepwise import stepwise_cells
from pseudolab.method.run import Round, Run
from pseudolab.method.tuner import PROMPTS, PromptTuner


def every_causal_cell() -> list[CausalCell]:
    "The cells of all CLIPs"
    return [cell for name in CLIPS for cell in causal_cells(name)]


KINDS = {
    "causal": every_causal_cell,
    "causal_longer": every_causal_cell,
    "equity": method_cells,
    "grid": grid_cells,
    "ladder": ladder_cells,
    "stepwise": stepwise_cells,
    "imbalance": imbalance_cells,
}
# without AVX and FMA: torch's own loops, its library of matrix products, numpy, the C library
PLAIN = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX",
}
SETTINGS = {"plain": PLAIN, "avx2": {"ATEN_CPU_CAPABILITY": "avx2"}}


def named(kind: str, name: str) -> Experiment:
    "The experiment of that name. Raises ValueError if there is none"
    for cell in KINDS[kind]():
        if cell.name == name:
            return cell
    raise ValueError(f"No run of {kind} is called {name!r}.")


def clip_of(cell: Experiment, weights: str) -> Clip:
    "The CLIP that an experiment is about"
    if not isinstance(cell, CausalCell):
        return load_clip(device="cpu")
    return load_clip(pretrained=str(weights_of(cell.clip_name, weights)), device="cpu")


def played(cell: Experiment, weights: str, rounds: int) -> tuple[Run, PromptTuner]:
    "The run of the tuner that an experiment plays, or its first rounds"
    found: list[tuple[Run, PromptTuner]] = []
    fit = PromptTuner.fit

    def recorded(
        self: PromptTuner,
        task: Task,
        out: str | Path | None = None,
        resume: bool = False,
        progress: bool | Callable[[Round], None] = True,
    ) -> Run:
        for round in self.iter_fit(task):
            if round.number == rounds:
                break
        found.append((self.run_, self))
        return self.run_

    PromptTuner.fit = recorded  # ty: ignore
    try:
        cell.play(clip_of(cell, weights), cell.load_task())
    finally:
        PromptTuner.fit = fit
    (only,) = found
    return only


def logits_by_round(cell: Experiment, weights: str, rounds: int) -> dict[str, Any]:
    "Of the pool and of the test images, in float64; and the nearest decision of each round"
    run, tuner = played(cell, weights, rounds)
    task = cell.load_task()
    kept: dict[str, Any] = {"gaps": np.array([round.gap or np.inf for round in run.rounds])}
    for round in run.rounds[1:]:
        prompt = PROMPTS[tuner.prompt].for_task(tuner.clip, task)
        state = {name: torch.from_numpy(value) for name, value in round.prompt_state.items()}
        prompt.load_state_dict(state)
        with torch.no_grad():
            parts = [prompt.logits(images.images) for images in (task.train, task.test)]
        kept[f"round {round.number}"] = torch.cat(parts).numpy()
    return kept


def measure(kind: str, name: str, weights: str, rounds: int) -> None:
    "Play the run under each setting, and print how far they part"
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for setting, variables in SETTINGS.items():
            files[setting] = Path(folder) / f"{setting}.npz"
            command = [sys.executable, __file__, kind, name, "--into", str(files[setting])]
            command += ["--weights", weights, "--rounds", str(rounds)]
            subprocess.run(command, env=os.environ | variables, check=True)
        plain, avx2 = (np.load(file) for file in files.values())
        worst = 0.0
        for key in plain.files:
            if key != "gaps":
                error = np.abs(plain[key] - avx2[key]).max()
                worst = max(worst, float(error))
                print(f"{key}: {error:.1e}")
        nearest = float(plain["gaps"].min())
    print(
        f"{name}: nearest decision {nearest:.1e}, error {worst:.1e}: {nearest / worst:,.0f} times"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("kind", choices=list(KINDS))
    parser.add_argument("name")
    parser.add_argument("--weights", default="nbs/pocket/weights", help="folder, for causal")
    parser.add_argument("--rounds", type=int, default=10, help="how many at most")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.into is None:
        measure(options.kind, options.name, options.weights, options.rounds)
    else:
        cell = named(options.kind, options.name)
        kept = logits_by_round(cell, options.weights, options.rounds)
        np.savez(options.into, **kept)


if __name__ == "__main__":
    main()
