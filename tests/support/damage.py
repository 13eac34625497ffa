"""Run folders that were damaged: by a bad disk, by a careless hand, or by somebody who makes every
digest fit again.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from pseudolab.method.run_folder import digests, run_seal, seal

Damage = Callable[[Path, np.random.Generator], str]  # changes a folder, says what it did
JSON_FILES = ("run.json", "tuner.json", "rounds/00.json", "rounds/01.json", "rounds/02.json")
ARRAY_FILES = tuple(f"rounds/{number:02d}.safetensors" for number in range(3))
ALL_FILES = (*JSON_FILES, *ARRAY_FILES, "prompt.safetensors")


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def write(path: Path, values: dict[str, Any]) -> None:
    "Write a JSON file whose seal fits"
    values = {name: value for name, value in values.items() if name != "seal"}
    text = json.dumps(values | {"seal": seal(values)}, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")


def rebind(folder: Path) -> None:
    "Have all files carry the digest of the run.json that is there, as a forger would"
    own = run_seal(folder)
    for path in [*folder.glob("tuner.json"), *(folder / "rounds").glob("*.json")]:
        write(path, read(path) | {"run": own})


def put(folder: Path, file: str, keys: tuple, value: Any) -> None:
    "Change one value of a JSON file, and have every digest fit again"
    values = read(folder / file)
    at = values
    for key in keys[:-1]:
        at = at[key]
    at[keys[-1]] = value
    write(folder / file, values)
    if file == "run.json":
        rebind(folder)


def drop(folder: Path, file: str, keys: tuple) -> None:
    "Take one value out of a JSON file, and have every digest fit again"
    values = read(folder / file)
    at = values
    for key in keys[:-1]:
        at = at[key]
    del at[keys[-1]]
    write(folder / file, values)
    if file == "run.json":
        rebind(folder)


def put_arrays(
    folder: Path, number: int, change: Callable[[dict[str, np.ndarray]], object]
) -> None:
    "Change the arrays of a round, and have every digest fit again"
    stem = folder / "rounds" / f"{number:02d}"
    arrays = load_file(f"{stem}.safetensors")
    change(arrays)
    save_file(arrays, f"{stem}.safetensors")
    values = read(Path(f"{stem}.json"))
    write(Path(f"{stem}.json"), values | {"arrays": digests(arrays)})


def pick(rng: np.random.Generator, options: Any) -> Any:
    options = list(options)
    return options[int(rng.integers(len(options)))]


# ---- a bad disk


def flipped_bit(folder: Path, rng: np.random.Generator) -> str:
    file = pick(rng, ALL_FILES)
    data = bytearray((folder / file).read_bytes())
    before = bytes(data)
    while bytes(data).lower() == before.lower():  # 1e-5 and 1E-5 are one number
        data = bytearray(before)
        at = int(rng.integers(len(data)))
        data[at] ^= 1 << int(rng.integers(8))
    (folder / file).write_bytes(data)
    return f"a bit of {file} at byte {at}"


def cut_short(folder: Path, rng: np.random.Generator) -> str:
    file = pick(rng, ALL_FILES)
    data = (folder / file).read_bytes()
    length = int(rng.integers(len(data)))
    (folder / file).write_bytes(data[:length])
    return f"{file} cut to {length} of {len(data)} bytes"


def other_contents(folder: Path, rng: np.random.Generator) -> str:
    file = pick(rng, ALL_FILES)
    contents = {
        "deep": b"[" * 100_000,
        "deep and closed": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        "a list": b"[1, 2]",
        "a number": b"7",
        "utf-16": '{"schema": 2}'.encode("utf-16"),
        "NaN": b'{"schema": NaN}',
        "many digits": b'{"schema": ' + b"9" * 10_000 + b"}",
        "zeros": bytes(1000),
        "a lying header": b"\xff\xff\xff\xff\xff\xff\xff\x7f{}",
        "an empty table": b"{}",
    }
    name = pick(rng, contents)
    (folder / file).write_bytes(contents[name])
    return f"{file} is {name}"


def lost_file(folder: Path, rng: np.random.Generator) -> str:
    # without the last JSON file the run is a shorter one, and whole; without the tuner's file the
    # last round's prompt is loaded, which is the same
    whole_without = ("rounds/02.json", "tuner.json")
    file = pick(rng, [file for file in ALL_FILES if file not in whole_without])
    (folder / file).unlink()
    return f"{file} is lost"


def no_file(folder: Path, rng: np.random.Generator) -> str:
    file = pick(rng, ALL_FILES)
    (folder / file).unlink()
    kind = pick(rng, ("folder", "pipe") if hasattr(os, "mkfifo") else ("folder",))
    (folder / file).mkdir() if kind == "folder" else os.mkfifo(folder / file)
    return f"{file} is a {kind}"


def large_file(folder: Path, rng: np.random.Generator) -> str:
    file = pick(rng, JSON_FILES)
    with (folder / file).open("r+b") as opened:
        opened.truncate(2**40)  # takes no room on the disk
    return f"{file} has a terabyte"


# ---- a careless hand


def changed_by_hand(folder: Path, rng: np.random.Generator) -> str:
    "A value that could be right, in a file whose seal is left as it was"
    file, key, value = pick(
        rng,
        [
            ("run.json", "seed", 1),
            ("run.json", "strategy", "ifpl"),
            ("run.json", "versions", {}),
            ("run.json", "selector", "balanced"),
            ("rounds/01.json", "seconds", 0.5),
            ("rounds/02.json", "gap", 0.125),
            ("tuner.json", "learned", "VisualPrompt"),
        ],
    )
    values = read(folder / file)
    (folder / file).write_text(json.dumps(values | {key: value}))
    return f"{key} of {file} changed by hand"


def exchanged_rounds(folder: Path, rng: np.random.Generator) -> str:
    ending = pick(rng, (".json", ".safetensors", "both"))
    for one in (".json", ".safetensors") if ending == "both" else (ending,):
        first, second = (folder / "rounds" / f"{number:02d}{one}" for number in (1, 2))
        kept = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(kept)
    return f"rounds 1 and 2 exchanged ({ending})"


def files_of_another_run(folder: Path, rng: np.random.Generator) -> str:
    "As after a copy into a folder that was not empty; `other` stands beside the folder"
    other = folder.parent / "other"
    files = pick(
        rng,
        [
            ("run.json",),
            ("rounds/01.json", "rounds/01.safetensors"),
            ("rounds/02.json", "rounds/02.safetensors"),
            ("rounds/02.safetensors",),
            ("tuner.json", "prompt.safetensors"),
            ("prompt.safetensors",),
        ],
    )
    for file in files:
        shutil.copy(other / file, folder / file)
    return f"{' and '.join(files)} of another run"


def one_round_more(folder: Path, rng: np.random.Generator) -> str:
    number = pick(rng, (3, 7))
    for ending in (".json", ".safetensors"):
        shutil.copy(folder / f"rounds/02{ending}", folder / f"rounds/{number:02d}{ending}")
    put(folder, f"rounds/{number:02d}.json", ("number",), number)
    return f"a copy of round 2 as round {number}"


# ---- somebody who makes every digest fit


def another_kind(folder: Path, rng: np.random.Generator) -> str:
    "A value of a wrong kind under a name that is read"
    file, keys = pick(
        rng,
        [
            *(("run.json", (name,)) for name in read(folder / "run.json") if name != "seal"),
            *(("run.json", ("task", name)) for name in ("name", "class_names", "n_train")),
            *(("run.json", ("task", name)) for name in ("n_test", "test_counts", "template")),
            ("run.json", ("clip", "name")),
            ("run.json", ("schedule", "rounds")),
            *(
                (f"rounds/0{number}.json", (name,))
                for number in range(3)
                for name in ("number", "k", "score", "per_class_accuracy", "seconds", "arrays")
            ),
            *(
                (f"rounds/0{number}.json", ("audit", name))
                for number in (1, 2)
                for name in ("chosen", "right", "precision", "recall", "mean_confidence")
            ),
            *(("tuner.json", (name,)) for name in ("arguments", "learned", "clip")),
            *(
                ("tuner.json", ("arguments", name))
                for name in ("strategy", "recipe", "seed", "shots", "paradigm", "prompt")
            ),
        ],
    )
    value = pick(rng, (True, [[[[[1]]]]], {"a": {"b": {"c": {"d": {}}}}}, float("nan")))
    put(folder, file, keys, value)
    return f"{'.'.join(keys)} of {file} is {value}"


def lost_value(folder: Path, rng: np.random.Generator) -> str:
    file, keys = pick(
        rng,
        [
            *(("run.json", (name,)) for name in ("schema", "task", "clip", "prompt", "strategy")),
            *(("run.json", ("task", name)) for name in ("name", "class_names", "n_train")),
            ("run.json", ("clip", "name")),
            *(
                ("rounds/01.json", (name,))
                for name in ("number", "k", "score", "per_class_accuracy", "audit", "seconds")
            ),
            ("rounds/02.json", ("arrays",)),
            ("rounds/02.json", ("run",)),
            ("rounds/02.json", ("audit", "precision")),
            *(("tuner.json", (name,)) for name in ("arguments", "learned", "clip")),
            ("tuner.json", ("arguments", "recipe")),
            ("tuner.json", ("arguments", "recipe", "epochs")),
            ("tuner.json", ("arguments", "strategy")),
        ],
    )
    drop(folder, file, keys)
    return f"{file} lacks {'.'.join(keys)}"


def impossible_number(folder: Path, rng: np.random.Generator) -> str:
    n_classes = len(read(folder / "run.json")["task"]["class_names"])
    file, keys, value = pick(
        rng,
        [
            ("run.json", ("schema",), 3),
            ("run.json", ("task", "n_train"), 100_000),
            ("run.json", ("task", "n_test"), 1),
            ("run.json", ("task", "n_test"), -1),
            ("run.json", ("task", "class_names"), ["one"]),
            ("run.json", ("task", "class_names"), ["same"] * n_classes),
            ("run.json", ("task", "class_names"), [f"c{c}" for c in range(n_classes + 1)]),
            ("run.json", ("task", "test_counts"), [1]),
            ("run.json", ("task", "test_counts"), [0] * n_classes),
            ("run.json", ("task", "template"), "no place"),
            ("run.json", ("task", "source", "n_train"), 0),
            ("run.json", ("task", "source", "root"), "/"),
            ("run.json", ("k",), [1]),
            ("run.json", ("k",), [5, 6]),
            ("run.json", ("paradigm",), "us"),
            ("run.json", ("seed",), 10**400),
            ("run.json", ("prior",), [1.0]),
            ("run.json", ("schedule", "rounds"), -1),
            ("run.json", ("unheard",), 1),
            *(("rounds/01.json", ("number",), number) for number in (-1, 0, 2, 10**30)),
            ("rounds/01.json", ("k",), 7),
            ("rounds/00.json", ("k",), 1),
            *((f"rounds/0{n}.json", ("score",), s) for n in range(3) for s in (-0.1, 1.5, 0.012)),
            ("rounds/01.json", ("score",), None),
            ("rounds/01.json", ("per_class_accuracy",), [0.5]),
            ("rounds/01.json", ("per_class_accuracy", 0), 0.123),
            ("rounds/01.json", ("per_class_accuracy", 0), None),
            ("rounds/01.json", ("seconds",), -1),
            ("rounds/01.json", ("gap",), -1.0),
            ("rounds/01.json", ("audit", "chosen"), [1]),
            ("rounds/01.json", ("audit", "chosen", 0), 10_000),
            ("rounds/01.json", ("audit", "right", 0), 10_000),
            ("rounds/01.json", ("audit", "precision", 0), 0.123),
            ("rounds/01.json", ("audit", "recall", 0), -2),
            ("rounds/02.json", ("audit_zero_shot", "right", 0), 10_000),
            ("tuner.json", ("arguments", "strategy", "rounds"), -1),
            ("tuner.json", ("arguments", "strategy", "k", "kind"), "secret"),
            ("tuner.json", ("arguments", "recipe", "epochs"), "many"),
            ("tuner.json", ("arguments", "recipe", "learning_rate"), "fast"),
            ("tuner.json", ("arguments", "prompt"), "tactile"),
            ("tuner.json", ("arguments", "prompt_options"), {"colour": 1}),
            ("tuner.json", ("learned",), "Module"),
            ("tuner.json", ("prompt_digest",), "0" * 32),
            ("tuner.json", ("clip", "name"), 5),
        ],
    )
    put(folder, file, keys, value)
    return f"{'.'.join(map(str, keys))} of {file} is {str(value)[:30]}"


def wrong_arrays(folder: Path, rng: np.random.Generator) -> str:
    number = pick(rng, (1, 2))

    def fill(name: str, value: float) -> Callable[[dict[str, np.ndarray]], object]:
        return lambda arrays: arrays[name].__setitem__((0,) * arrays[name].ndim, value)

    def replace(name: str, make: Callable[[np.ndarray], np.ndarray]) -> Any:
        return lambda arrays: arrays.__setitem__(name, np.ascontiguousarray(make(arrays[name])))

    changes = {
        "predictions 999": fill("predictions", 999),
        "predictions -5": fill("predictions", -5),
        "predictions too few": replace("predictions", lambda a: a[1:]),
        "predictions as float": replace("predictions", lambda a: a.astype(np.float32)),
        "predictions square": replace("predictions", lambda a: a[None]),
        "predictions lost": lambda arrays: arrays.pop("predictions"),
        "logits NaN": fill("pool_logits", np.nan),
        "logits infinite": fill("pool_logits", np.inf),
        "logits of fewer images": replace("pool_logits", lambda a: a[1:]),
        "logits of fewer classes": replace("pool_logits", lambda a: a[:, 1:]),
        "logits turned": replace("pool_logits", lambda a: a.T),
        "logits lost": lambda arrays: arrays.pop("pool_logits"),
        "logits empty": replace("pool_logits", lambda a: a[:0]),
        "index too large": fill("pseudolabels.index", 10_000),
        "index negative": fill("pseudolabels.index", -1),
        "index lost": lambda arrays: arrays.pop("pseudolabels.index"),
        "label too large": fill("pseudolabels.label", 10_000),
        "labels too few": replace("pseudolabels.label", lambda a: a[1:]),
        "confidence NaN": fill("pseudolabels.confidence", np.nan),
        "confidence 2": fill("pseudolabels.confidence", 2),
        "candidates of another length": lambda arrays: arrays.update(
            {"pseudolabels.candidates": np.zeros((1, 1), bool)}
        ),
        "prompt NaN": fill("prompt.context", np.nan),
        "prompt of another shape": replace("prompt.context", lambda a: a[1:]),
        "prompt of another name": lambda arrays: arrays.update(
            {"prompt.secret": arrays.pop("prompt.context")}
        ),
    }
    name = pick(rng, changes)
    put_arrays(folder, number, changes[name])
    return f"round {number}: {name}"


def without_digests(folder: Path, rng: np.random.Generator) -> str:
    "The older format, in which nothing is sealed, and an impossible value"
    for file in JSON_FILES:
        values = read(folder / file)
        for name in ("seal", "arrays", "run", "prompt_digest", "schema"):
            values.pop(name, None)
        if file == "run.json":
            values = {"schema": 1} | values
        if file == "rounds/01.json":
            values |= pick(rng, ({"score": 1.5}, {"number": 7}, {"seconds": -1}, {"k": 77}))
        (folder / file).write_text(json.dumps(values))
    return "format 1 with an impossible value"


DAMAGES: tuple[Damage, ...] = (
    flipped_bit,
    cut_short,
    other_contents,
    lost_file,
    no_file,
    large_file,
    changed_by_hand,
    exchanged_rounds,
    files_of_another_run,
    one_round_more,
    another_kind,
    lost_value,
    impossible_number,
    impossible_number,
    wrong_arrays,
    wrong_arrays,
    without_digests,
)
