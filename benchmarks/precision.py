"""Row (h): what the same numbers on every machine cost. The pocket CLIP computes in float64; here
stands the same work in float32 beside it. Features are encoded anew in every turn; a run finds them
kept, as a second run does.
"""

from functools import partial
from statistics import median

from measure import Line, Options, interleaved, neighbours

from pseudolab.clip.loading import load_clip
from pseudolab.data.tasks import load_task
from pseudolab.method.prompts.visual import VisualPrompt
from pseudolab.method.run import Run
from pseudolab.method.tuner import PromptTuner

EXACT = "fp64"
SINGLE = "fp32"


def measure(options: Options) -> list[Line]:
    task = load_task("satellite")
    device = str(options.device)
    clips = {name: load_clip("pocket", device=device, precision=name) for name in (EXACT, SINGLE)}

    prompts = {name: VisualPrompt(clip, task.class_names) for name, clip in clips.items()}

    def played(name: str) -> Run:
        return PromptTuner(clips[name]).fit(task, progress=False)

    def looked(name: str) -> None:
        prompts[name].zero_grad()
        prompts[name].logits(task.train.images[:64]).sum().backward()

    scores = {name: played(name).score for name in clips}
    whats = {
        "features of 600 pictures": lambda name: clips[name].encode_images(task.train.images),
        "GRIP, 10 rounds, textual prompt": played,
        "a visual prompt, 64 pictures forward and backward": looked,
    }
    ends = f"a run ends at {scores[EXACT]:.1%} in float64, {scores[SINGLE]:.1%} in float32"
    lines: list[Line] = []
    for what, work in whats.items():
        runs = {name: partial(work, name) for name in clips}
        found = interleaved(runs, options.repetitions, options.device)
        lines.append(
            Line(
                row="h",
                what=f"{what}, pocket CLIP in float64; against float32",
                ours=median(found[EXACT]),
                plain=median(found[SINGLE]),
                ratio=neighbours(found, SINGLE, EXACT),
                note=ends,
                details={"seconds": found},
            )
        )
    return lines
