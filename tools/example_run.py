"""The run that the page "Open a run" has as an example: GRIP beside self-training, on half of the
pictures of the satellite task.

    python tools/example_run.py          writes pseudolab/views/static/example_run.json

The pocket CLIP and the seeds decide every number, so it is always the same file.
"""

from pseudolab.clip.loading import load_clip
from pseudolab.data.tasks import load_task
from pseudolab.method.self_training import self_training_run
from pseudolab.method.tuner import PromptTuner
from pseudolab.views.html import STATIC
from pseudolab.views.run_page import export

PICTURES = 30  # of each class


def main() -> None:
    "Train, and write the file"
    clip, task = load_clip(), load_task("satellite", n_train=PICTURES)
    run = PromptTuner(clip, strategy="grip", seed=0).fit(task, progress=False)
    path = export(run, STATIC / "example_run.json", self_training_run(task, clip))
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} KB, {run.score:.3f}")


if __name__ == "__main__":
    main()
