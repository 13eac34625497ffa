"""The package as it is installed: its parts, its public names, and what it says of itself."""

import ast
import re
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, packages_distributions, version

import pytest

import pseudolab
from support import ROOT
from support.code import imported_modules, parse_file
from support.project import copy_of_the_tree, name, run_python, settings

PACKAGE = ROOT / "pseudolab"


def test_all_packages_are_installed():
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in PACKAGE.rglob("__init__.py")}
    assert found == set(settings()["tool"]["setuptools"]["packages"])


@pytest.mark.slow
def test_wheel_holds_the_whole_package(tmp_path):
    try:
        found = version("setuptools")
    except PackageNotFoundError:
        pytest.skip("setuptools is not installed; building a wheel would need a network")
    if int(found.split(".")[0]) < 77:
        pytest.skip(f"setuptools {found} is older than 77, which our licence field needs")
    copy = copy_of_the_tree(tmp_path / "copy")
    offline = ("--no-deps", "--no-build-isolation", "--no-index")
    wheels = tmp_path / "wheels"
    done = run_python(copy, "-m", "pip", "wheel", *offline, "--wheel-dir", str(wheels), ".")
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = wheels.glob("pseudolab-*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        path.relative_to(copy).as_posix()
        for path in (copy / "pseudolab").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert not expected - inside, f"not in the wheel: {sorted(expected - inside)}"
    assert not [path for path in inside if path.startswith(("tools/", "tests/", "nbs/"))]
    assert any(path.endswith("licenses/LICENSE") for path in inside)


# ---- what it imports


def libraries(path):
    "What a module imports, anywhere in it, that is neither Python's nor ours"
    names = {module.split(".")[0] for module in imported_modules(parse_file(path))}
    return names - set(sys.stdlib_module_names) - {"pseudolab"}


def normal(distribution):
    return re.sub(r"[-_.]+", "-", distribution).lower()


def declared(requirements):
    return {normal(re.match(r"[\w.-]+", line)[0]) for line in requirements}


def undeclared(folder, requirements):
    "Libraries that are imported in a folder and stand in none of the requirements"
    homes = packages_distributions()
    missing = {}
    for path in folder.rglob("*.py"):
        for library in libraries(path):
            distributions = {normal(one) for one in homes.get(library, [library])}
            if not distributions & declared(requirements):
                missing[library] = name(path)
    return missing


def test_every_imported_library_is_declared():
    assert undeclared(PACKAGE, settings()["project"]["dependencies"]) == {}


def test_every_library_of_the_tools_is_declared():
    project = settings()["project"]
    everything = project["dependencies"] + project["optional-dependencies"]["dev"]
    # fastcore is nbdev's own
    assert set(undeclared(ROOT / "tools", everything)) <= {"fastcore"}


# ---- public names


def test_every_public_name_is_where_the_table_says():
    for module, names in pseudolab._HOMES.items():
        for one in names:
            value = getattr(pseudolab, one)
            home = getattr(value, "__module__", f"pseudolab.{module}")
            assert home == f"pseudolab.{module}", one


def test_the_stub_names_what_the_table_does():
    stub = parse_file(PACKAGE / "__init__.pyi")
    said = {
        (node.module.removeprefix("pseudolab."), alias.name, alias.asname)
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    table = {(module, one, one) for module, names in pseudolab._HOMES.items() for one in names}
    assert said == table


def test_names_are_listed_and_others_refused():
    assert set(pseudolab.__all__) <= set(dir(pseudolab))
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        _ = pseudolab.no_such_name


def test_importing_the_package_imports_no_torch():
    code = "import sys, pseudolab; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert run_python(ROOT, "-c", code).returncode == 0


# ---- what it says of itself


def test_citation_is_of_this_version():
    yaml = pytest.importorskip("yaml")
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = settings()["project"]
    assert cited["version"] == pseudolab.__version__
    assert cited["license"] == project["license"]


def test_the_changelog_knows_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"(?m)^## \[{re.escape(pseudolab.__version__)}\]", text)
