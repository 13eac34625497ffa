"""Row (g): decoding and preprocessing photographs for ViT-B/32: threads, as we do it, against one
after the other, with processes beside them. Processes are warm, which favours them: starting them
costs an import of torch each. Then the same with the encoder at work: what the features of the
photographs cost when the next batch is prepared meanwhile.
"""

import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from measure import Line, Options, interleaved, neighbours
from PIL import Image
from text_step import random_clip

from pseudolab.clip import pixels
from pseudolab.clip.model import Clip
from pseudolab.data.images import Images, read_image

PHOTOS = 128
SIDES = (500, 375)


def write_photos(folder: Path, n: int = PHOTOS) -> list[Path]:
    "JPEG files of a usual size, smooth enough to be as large as photographs are"
    rng = np.random.default_rng(0)
    paths = [folder / f"{number}.jpg" for number in range(n)]
    for path in paths:
        coarse = Image.fromarray(rng.integers(0, 256, (47, 63, 3), dtype=np.uint8))
        coarse.resize(SIDES, Image.Resampling.BICUBIC).save(path, quality=90)
    return paths


def prepare(path: Path) -> np.ndarray:
    "One photograph, in a process that does nothing else"
    from open_clip import image_transform

    return image_transform(224, is_train=False)(read_image(path)).numpy()


def prepare_in(processes: ProcessPoolExecutor, paths: list[Path]) -> torch.Tensor:
    return torch.from_numpy(np.stack(list(processes.map(prepare, paths, chunksize=8))))


def with_workers(n: int, run: Callable[..., torch.Tensor], *arguments: Any) -> torch.Tensor:
    "`run` with so many threads that decode"
    before = pixels.WORKERS
    pixels.WORKERS = n
    try:
        return run(*arguments)
    finally:
        pixels.WORKERS = before


def decoding_line(
    clip: Clip,
    images: Images,
    paths: list[Path],
    processes: ProcessPoolExecutor,
    workers: int,
    options: Options,
) -> Line:
    one = partial(with_workers, 1, clip.pixels, images)
    threads = partial(with_workers, workers, clip.pixels, images)
    if not torch.equal(one(), threads()):
        raise ValueError("Threads give other pixels than one worker.")
    runs = {"one": one, "threads": threads, "processes": partial(prepare_in, processes, paths)}
    found = interleaved(runs, options.repetitions)
    return Line(
        row="g",
        what=f"{PHOTOS} photographs decoded and preprocessed, {workers} threads",
        ours=median(found["threads"]),
        plain=median(found["one"]),
        ratio=neighbours(found, "one", "threads"),
        note=f"{workers} processes: {median(found['processes']):.2g} s",
        details={"seconds": found},
    )


def encoding_line(clip: Clip, images: Images, workers: int, options: Options) -> Line:
    runs = {
        "one": partial(with_workers, 1, clip.encode_images, images, 32),
        "threads": partial(with_workers, workers, clip.encode_images, images, 32),
    }
    found = interleaved(runs, max(1, options.repetitions // 2))
    return Line(
        row="g",
        what=f"features of {PHOTOS} photographs, ViT-B/32, {workers} threads",
        ours=median(found["threads"]),
        plain=median(found["one"]),
        ratio=neighbours(found, "one", "threads"),
        note="decoding beside the encoder",
        details={"seconds": found},
    )


def measure(options: Options) -> list[Line]:
    workers = max(2, pixels.WORKERS)
    clip = random_clip("ViT-B-32", options.device)
    with (
        tempfile.TemporaryDirectory(dir=options.folder) as folder,
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as processes,
    ):
        paths = write_photos(Path(folder))
        images = Images(paths)
        return [
            decoding_line(clip, images, paths, processes, workers, options),
            encoding_line(clip, images, workers, options),
        ]
