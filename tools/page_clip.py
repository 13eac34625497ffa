"""Write what a page needs to run the pocket CLIP by itself: scripts, weights and tasks.

    python tools/page_clip.py write --out docs/assets --task satellite --task digits
    python tools/page_clip.py kernel

The first writes `clip.js`, `clip_weights.js` and `clip_image_tower.js`, and for each task a
`clip_task_NAME.js` and a `clip_pictures_NAME.js`, as pseudolab.views.page_clip makes them: always
the same bytes. With `--texts` there is neither image tower nor picture: no picture can be drawn.

The second compiles the inner loops, tools/clip_kernel.ts, into pseudolab/views/static/clip_wasm.js.
Run it after that file was changed. It needs npm, and fetches the compiler, AssemblyScript.
"""

import argparse
import hashlib
import subprocess
import tempfile
from pathlib import Path

from pseudolab.io import write_atomically
from pseudolab.views.html import STATIC, base64_text
from pseudolab.views.page_clip import write_page_clip

KERNEL = Path(__file__).with_name("clip_kernel.ts")
WASM = STATIC / "clip_wasm.js"
COMPILER = "assemblyscript@0.28.20"
OPTIONS = ("-O3", "--noAssert", "--runtime", "stub", "--importMemory", "--enable", "simd")


def kernel_digest() -> str:
    "A name for the kernel's source and how it is compiled"
    told = "\n".join([COMPILER, *OPTIONS, KERNEL.read_text(encoding="utf-8")])
    return hashlib.sha256(told.encode()).hexdigest()


def compile_kernel() -> bytes:
    "The kernel in WebAssembly"
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / "kernel.wasm"
        command = ["npx", "--yes", "--package", COMPILER, "asc", str(KERNEL), *OPTIONS]
        subprocess.run([*command, "--outFile", str(binary)], check=True, cwd=folder)
        return binary.read_bytes()


def write_kernel() -> None:
    "Compile the kernel into the script that pages hold"
    text = base64_text(compile_kernel())
    lines = [f'  "{text[at : at + 90]}",' for at in range(0, len(text), 90)]
    head = [
        "// Made by `python tools/page_clip.py kernel` from tools/clip_kernel.ts. Do not edit.",
        f"// source {kernel_digest()}",
        "const CLIP_WASM = [",
    ]
    with write_atomically(WASM) as temporary:
        temporary.write_text("\n".join([*head, *lines, '].join("");', ""]), encoding="utf-8")


def main() -> None:
    "Read the command line, and write"
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("kernel", help="compile tools/clip_kernel.ts; needs npm")
    writer = commands.add_parser("write", help="write the scripts of a page")
    writer.add_argument("--out", type=Path, required=True, help="folder for the scripts")
    writer.add_argument("--task", action="append", default=[], help="a task; may be repeated")
    writer.add_argument("--texts", action="store_true", help="leave the image tower out")
    given = parser.parse_args()
    if given.command == "kernel":
        write_kernel()
        return
    for path in write_page_clip(given.out, given.task, image_tower=not given.texts):
        print(f"{path} {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
