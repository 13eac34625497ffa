"""How fast, and how near to the floor? One command prints the table; every row is a ratio measured
side by side.

    python benchmarks/run.py                    all rows
    python benchmarks/run.py --row a --row f    some
    python benchmarks/run.py --ship             all rows, then the table of the package and its docs
    python benchmarks/run.py --help

Results are kept in benchmarks/results/, one JSON file per row and device, with a description of
the machine.
"""

import os
import sys
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
if TYPE_CHECKING:
    from measure import Line, Options

ROWS = {
    "a": "text_step",
    "b": "grip_run",
    "c": "self_training",
    "d": "selection",
    "e": "visual_step",
    "f": "start_up",
    "g": "decoding",
    "h": "precision",
    "i": "labelling",
    "j": "scaling",
    "k": "frames",
    "l": "wholes",
}
# rows that wait for other processes and threads
WAIT_FOR_OTHERS = ("f", "g", "i", "j", "k", "l")


def keep(row: str, lines: "list[Line]", about: dict[str, Any], device: str) -> None:
    "Write the results of a row, in a file of its own for one thread"
    from pseudolab.io import write_json

    content = {
        "row": row,
        "date": date.today().isoformat(),
        "machine": about,
        "lines": [line.as_dict() for line in lines],
    }
    alone = "-one-thread" if about["threads"] == 1 else ""
    write_json(HERE / "results" / f"{row}-{ROWS[row]}-{device}{alone}.json", content, indent=1)


def formatted(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def show(lines: "list[Line]") -> None:
    "Print the table"
    from rich.console import Console
    from rich.table import Table

    table = Table("row", "what", "ours", "plain", "plain / ours", "floor", "ours / floor", "note")
    for line in lines:
        table.add_row(
            line.row,
            line.what,
            f"{line.ours:.3g} s",
            f"{line.plain:.3g} s",
            f"{line.ratio:.3g}",
            formatted(line.floor, ".3g"),
            formatted(line.over_floor, ".2f"),
            line.note,
        )
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def set_threads(threads: int | None) -> None:
    "Before torch is imported, which reads it then"
    if threads is None:
        return
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    import torch

    torch.set_num_threads(threads)


def measure_rows(names: list[str], options: "Options", clock: str) -> "list[Line]":
    "Measure some rows, and keep the results of each"
    import measure

    found = []
    for name in names:
        measure.clock = "wall" if name in WAIT_FOR_OTHERS else clock
        lines = import_module(ROWS[name]).measure(options)
        keep(name, lines, measure.machine(options.device), options.device.type)
        found += lines
    return found


def main(
    row: Annotated[
        list[str] | None,
        typer.Option(help=f"Measure this row alone: {', '.join(ROWS)}; may be repeated."),
    ] = None,
    repetitions: Annotated[
        int, typer.Option(help="Turns of each comparison; the median counts.", min=1)
    ] = 5,
    device: Annotated[
        str, typer.Option(help="auto, cpu or cuda, for rows that compute with a model.")
    ] = "cpu",
    threads: Annotated[
        int | None, typer.Option(help="Of the processor.", show_default="torch's", min=1)
    ] = None,
    clock: Annotated[
        str,
        typer.Option(
            help=(
                "wall, or cpu: the processor's time, for a machine that others use too; rows f, g"
                " and i to l always take the wall's."
            )
        ),
    ] = "wall",
    ship: Annotated[
        bool,
        typer.Option(
            "--ship",
            help="Then put all that results/ holds where the package and its docs read it.",
        ),
    ] = False,
    only_ship: Annotated[
        bool, typer.Option("--only-ship", help="That alone; nothing is measured.")
    ] = False,
    classes: Annotated[int, typer.Option(help="Row a: classes.", min=2)] = 100,
    images: Annotated[
        int, typer.Option(help="Row d: images of the pool; 1000 classes.", min=1000)
    ] = 1_280_000,
    batch: Annotated[int, typer.Option(help="Row e: pictures of a step.", min=1)] = 16,
    photos: Annotated[
        int, typer.Option(help="Row i: photographs that are labelled.", min=1)
    ] = 20_000,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Rows d, g and i to l: where large files are made, and removed again.",
            show_default="the system's temporary folder",
        ),
    ] = None,
):
    "Measure the rows of the table."
    wanted = list(dict.fromkeys(row or ([] if only_ship else ROWS)))
    unknown = [name for name in wanted if name not in ROWS]
    if unknown:
        raise typer.BadParameter(
            f"There is no row {', '.join(unknown)}; the rows are {', '.join(ROWS)}."
        )
    set_threads(threads)
    from measure import CLOCKS, Options

    from pseudolab.clip.loading import resolve_device

    if clock not in CLOCKS:
        raise typer.BadParameter(f"--clock {clock} is neither of {', '.join(CLOCKS)}.")
    place = resolve_device(device)
    options = Options(place, repetitions, classes, images, batch, photos, folder)
    found = measure_rows(wanted, options, clock)
    if found:
        show(found)
    if ship or only_ship:
        from pseudolab.experiments.benchmarks import ship_benchmarks

        print(f"{ship_benchmarks(HERE / 'results')} written")


if __name__ == "__main__":
    typer.run(main)
