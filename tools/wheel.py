"""What the wheel has beside the modules: the course, for `pseudolab lessons`.

setuptools calls this when it builds the package (`[tool.setuptools.cmdclass]` in pyproject.toml);
nothing here is run by hand. Notebooks go in without their outputs: with them the wheel would be
four times as large, and a reader makes them anyway.
"""

import json
from pathlib import Path
from shutil import copyfile

from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parents[1]
DEVELOPERS = {"_modidx"}  # modules that only the tools read


def without_outputs(text: str) -> str:
    "A notebook, as its file has it, with nothing that running it has left"
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def write_course(
    folder: Path,  # made here
    root: Path = ROOT,  # of the checkout or of the source archive
) -> None:
    "Lay the notebooks into a folder, with the pictures and the settings that they need"
    notebooks = root / "nbs"
    for path in sorted(notebooks.rglob("*.ipynb")):
        place = path.relative_to(notebooks)
        if any(part.startswith(".") for part in place.parts):
            continue
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(without_outputs(path.read_text(encoding="utf-8")), encoding="utf-8")
    (folder / "images").mkdir(exist_ok=True)
    for path in (notebooks / "images").iterdir():
        copyfile(path, folder / "images" / path.name)
    copyfile(root / "settings.ini", folder / "settings.ini")


class BuildPy(build_py):
    "The modules and their data, without what is for developers, and the course"

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        found = super().find_package_modules(package, package_dir)
        return [module for module in found if module[1] not in DEVELOPERS]

    def run(self) -> None:
        super().run()
        if not self.editable_mode:  # an editable package finds the notebooks in its checkout
            write_course(Path(self.build_lib) / "pseudolab" / "course")
