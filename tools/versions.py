"""Lay out the pages of all releases for publishing: a folder a release.

    python tools/versions.py --out published

writes today's docs/ into the folder, and beneath it the docs/ of every tag such as v0.2.1 in a
folder of that name: of 0.2.0 and 0.2.1 the later, and of these the newest five. `versions.html`
lists them. Each page of a release says so in its first line, and leads to the same page of today.
Tags whose commit has no docs/ are passed over. Needs git, and a checkout with its tags.
"""

import argparse
import html
import io
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
TAG = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
NEWEST = 5  # a site may have a gigabyte where GitHub publishes it, and one release has 30 MB
STYLE = "font:15px/1.5 system-ui,sans-serif;padding:.6em 1em;background:#fff3cd;color:#3d2c00"
LIST = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Versions of these pages</title>
<style>body {{ font: 17px/1.6 system-ui, sans-serif; max-width: 40em; margin: 3em auto; }}</style>
<h1>Versions of these pages</h1>
<ul>
<li><a href="index.html">Today's, as the code stands now</a></li>
{items}
</ul>
</html>
"""


def git(root: Path, *arguments: str) -> bytes:
    "What git prints. Raises RuntimeError, with what git says, if it fails"
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise RuntimeError(f"git {' '.join(arguments)} failed in {root}: {said}")
    return done.stdout


def kept_releases(
    tags: list[str],  # any; others than v1.2.3 are no releases
) -> list[str]:  # newest first
    "Of each minor version the last, and of these the newest"
    last: dict[tuple[int, int], int] = {}
    for tag in tags:
        found = TAG.fullmatch(tag)
        if found:
            major, minor, patch = map(int, found.groups())
            last[major, minor] = max(patch, last.get((major, minor), 0))
    newest = sorted(last, reverse=True)[:NEWEST]
    return [f"v{major}.{minor}.{last[major, minor]}" for major, minor in newest]


def unpack(root: Path, tag: str, out: Path) -> bool:
    "Write the docs/ of a tag into `out`; False if it has none"
    if not git(root, "ls-tree", tag, "docs/"):
        return False
    archive = git(root, "archive", "--format=tar", f"{tag}:docs")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(out, filter="data")
    return True


def with_note(
    page: str,  # as HTML
    tag: str,
    today: str,  # where the same page, or the front page, of today is
) -> str:
    "A page of a release that says in its first line which one it is of"
    note = (
        f'<p style="{STYLE}">These are the pages of {html.escape(tag)}.'
        f' <a href="{html.escape(today)}" style="color:inherit">To today\'s</a></p>'
    )
    body = re.search(r"<body[^>]*>", page)
    at = body.end() if body else 0
    return page[:at] + note + page[at:]


def note_release(folder: Path, tag: str, out: Path) -> None:
    "Write on every page of a release which one it is of"
    for path in sorted(folder.rglob("*.html")):
        place = PurePosixPath(path.relative_to(folder).as_posix())
        there = place if (out / place).is_file() else PurePosixPath("index.html")
        today = "../" * len(place.parts) + str(there)
        page = path.read_text(encoding="utf-8")
        path.write_text(with_note(page, tag, today), encoding="utf-8")


def lay_out(
    root: Path,  # of the checkout
    out: Path,  # a folder that does not exist
) -> list[str]:  # the releases, newest first
    """Write today's pages and those of the releases. Raises FileExistsError if `out` is there, and
    RuntimeError if git fails
    """
    shutil.copytree(root / "docs", out)
    tags = git(root, "tag", "--list").decode("utf-8").split()
    written = [tag for tag in kept_releases(tags) if unpack(root, tag, out / tag)]
    for tag in written:
        note_release(out / tag, tag, out)
    items = [f'<li><a href="{tag}/index.html">{tag}</a></li>' for tag in written]
    (out / "versions.html").write_text(LIST.format(items="\n".join(items)), encoding="utf-8")
    return written


def main() -> int:
    "Read the command line, and write; returns the exit status"
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="a folder that does not exist yet")
    out = parser.parse_args().out
    try:
        written = lay_out(ROOT, out)
    except FileExistsError:
        print(f"{out} is there already. Remove it, or name another folder.", file=sys.stderr)
        return 1
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{out}: today's pages, and those of {', '.join(written) or 'no release'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
