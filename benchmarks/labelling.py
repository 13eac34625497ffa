"""Row (i): `pseudolab label` on a large folder: decoding, features, ten rounds of GRIP and the
table, in a process of its own with an empty cache. The plain way takes the photographs one at a
time through decoder and tower, before any round. The floor: the operations of one pass of the image
tower, at the rate of a matrix product in the same precision.
"""

import tempfile
from pathlib import Path
from statistics import median

from decoding import SIDES, write_photos
from grip_run import image_operations
from measure import MAIN, Line, Options, in_products, interleaved, matmul, python

from pseudolab.clip.loading import load_clip
from pseudolab.data.images import Images, read_image

NAMES = "forest, river, lake, highway, pasture land, residential buildings"
SAMPLE = 512  # photographs that the encoder alone is measured on
ALONE = 64  # photographs that go one at a time


def labelled(photos: Path, folder: Path) -> None:
    "The command, from a cold start"
    out = folder / "labels.csv"
    words = ["label", str(photos), "--class-names", NAMES, "--out", str(out), "--quiet"]
    python("-c", MAIN, *words, home=folder)


def measure(options: Options) -> list[Line]:
    clip = load_clip("pocket", device=str(options.device))
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        photos, kept = Path(place) / "photos", Path(place) / "kept"
        photos.mkdir()
        kept.mkdir()
        paths = write_photos(photos, options.photos)

        def alone() -> None:
            for path in paths[:ALONE]:
                clip.encode_images([read_image(path)])

        runs = {
            "alone": alone,
            "encoder": lambda: clip.encode_images(Images(paths[:SAMPLE])),
            "matmul": matmul(clip.device, clip.dtype),
        }
        found = interleaved(runs, options.repetitions, clip.device)
        whole = interleaved({"label": lambda: labelled(photos, kept)}, 1, warm_up=False)
    ours = median(whole["label"])
    sample = min(SAMPLE, len(paths))
    encoder = median(found["encoder"]) / sample
    plain = median(found["alone"]) / min(ALONE, len(paths)) * len(paths)
    floor = in_products(len(paths) * image_operations(clip)) * median(found["matmul"])
    width, height = SIDES
    return [
        Line(
            row="i",
            what=f"pseudolab label, {len(paths):,} photographs of {width} by {height}, pocket CLIP",
            ours=ours,
            plain=plain,
            ratio=plain / ours,
            floor=floor,
            over_floor=ours / floor,
            note=(
                f"{len(paths) / ours:.0f} photographs a second with ten rounds and the table;"
                f" decoding and tower alone {1 / encoder:.0f}, the tower's floor"
                f" {len(paths) / floor:.0f}; the plain way, one at a time without any round,"
                f" reckoned from {ALONE}"
            ),
            details={"seconds": found | whole},
        )
    ]
