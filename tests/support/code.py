"""What stands in a piece of Python, read without running it."""

import ast
from pathlib import Path


def parse_file(path: Path) -> ast.Module:
    "A file's code as a tree"
    return ast.parse(path.read_text(encoding="utf-8"))


def imported_modules(tree: ast.Module) -> list[str]:
    "The modules that are imported, or imported from, anywhere in the code"
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            names.append(node.module or "")
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return names


def listed_names(tree: ast.Module) -> list[str]:
    "The names in `__all__`; none where there is no such list"
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return []
