"""Row (g): decoding and preprocessing photographs for ViT-B/32: threads, as we do it, against one
after the other, with processes beside them. Processes are warm, which favours them: starting them
costs an import of torch each. Then the same with the encoder at work: what the features of the
photographs cost when the next batch is prepared meanwhile.
"""

import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image

import pseudolab.clip.pixels as pixels
from measure import Line, interleaved, neighbours
from pseudolab.data.images import Images, read_image
from text_step import random_clip

PHOTOS, SIDES = 128, (500, 375)


def write_photos(folder: Path) -> list[Path]:
    "JPEG files of a usual size, smooth enough to be as large as photographs are"
    rng, paths = np.random.default_rng(0), [folder / f"{i}.jpg" for i in range(PHOTOS)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (47, 63, 3), dtype=np.uint8)).resize(
            SIDES, Image.Resampling.BICUBIC
        ).save(path, quality=90)
    return paths


def prepare(path: Path) -> np.ndarray:
    from open_clip import image_transform

    return image_transform(224, is_train=False)(read_image(path)).numpy()


def with_workers(n: int, run):
    before, pixels.WORKERS = pixels.WORKERS, n
    try:
        return run()
    finally:
        pixels.WORKERS = before


def measure(options) -> list[Line]:
    workers, clip = max(2, pixels.WORKERS), random_clip("ViT-B-32", options.device)
    with (
        tempfile.TemporaryDirectory(dir=options.folder) as folder,
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as processes,
    ):
        paths = write_photos(Path(folder))
        images = Images(paths)
        want = with_workers(1, lambda: clip.pixels(images))
        if not torch.equal(want, with_workers(workers, lambda: clip.pixels(images))):
            raise ValueError("Threads give other pixels than one worker.")
        decode = interleaved(
            {
                "one": lambda: with_workers(1, lambda: clip.pixels(images)),
                "threads": lambda: with_workers(workers, lambda: clip.pixels(images)),
                "processes": lambda: torch.from_numpy(
                    np.stack(list(processes.map(prepare, paths, chunksize=8)))
                ),
            },
            options.repetitions,
        )
        encode = interleaved(
            {
                name: lambda n=n: with_workers(n, lambda: clip.encode_images(images, batch_size=32))
                for name, n in (("one", 1), ("threads", workers))
            },
            max(1, options.repetitions // 2),
        )
    times = {name: median(values) for name, values in decode.items()}
    return [
        Line(
            "g",
            f"{PHOTOS} photographs decoded and preprocessed, {workers} threads",
            times["threads"],
            times["one"],
            neighbours(decode, "one", "threads"),
            note=f"{workers} processes: {times['processes']:.2g} s",
            details={"seconds": decode},
        ),
        Line(
            "g",
            f"features of {PHOTOS} photographs, ViT-B/32, {workers} threads",
            median(encode["threads"]),
            median(encode["one"]),
            neighbours(encode, "one", "threads"),
            note="decoding beside the encoder",
            details={"seconds": encode},
        ),
    ]
