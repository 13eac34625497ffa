"""The package as it is installed: its parts, its public names, and what it says of itself."""

import ast
import json
import re
import sys
import tarfile
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


BUILD = """
import sys
from setuptools import build_meta
folder = sys.argv[1]  # setuptools has arguments of its own
print(build_meta.build_sdist(folder), build_meta.build_wheel(folder))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    "A copy of the tree, and the folder with what was built from it, and what setuptools said"
    try:
        found = version("setuptools")
    except PackageNotFoundError:
        pytest.skip("setuptools is not installed; building a wheel would need a network")
    if int(found.split(".")[0]) < 77:
        pytest.skip(f"setuptools {found} is older than 77, which our licence field needs")
    folder = tmp_path_factory.mktemp("built")
    copy = copy_of_the_tree(folder / "copy")
    done = run_python(copy, "-c", BUILD, str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    return copy, folder, done.stdout + done.stderr


def in_the_wheel(folder):
    (wheel,) = folder.glob("pseudolab-*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.slow
def test_wheel_holds_the_whole_package(built):
    copy, folder, _ = built
    inside = in_the_wheel(folder)
    expected = {
        path.relative_to(copy).as_posix()
        for path in (copy / "pseudolab").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert expected - inside == {"pseudolab/_modidx.py"}, "the index is nbdev's alone"
    beside = {path for path in inside - expected if ".dist-info/" not in path}
    assert all(path.startswith("pseudolab/course/") for path in beside), beside
    assert any(path.endswith("licenses/LICENSE") for path in inside)


@pytest.mark.slow
def test_wheel_holds_the_course_without_outputs(built):
    copy, folder, _ = built
    (wheel,) = folder.glob("pseudolab-*.whl")
    course = "pseudolab/course/"
    with zipfile.ZipFile(wheel) as archive:
        names = [path for path in archive.namelist() if path.startswith(course)]
        notebooks = [path for path in names if path.endswith(".ipynb")]
        assert {path.removeprefix(course) for path in notebooks} == {
            path.relative_to(copy / "nbs").as_posix() for path in (copy / "nbs").rglob("*.ipynb")
        }
        assert {f"{course}settings.ini", f"{course}images/scene.webp"} <= set(names)
        for path in notebooks:
            made = json.loads(archive.read(path))
            given = json.loads((copy / "nbs" / path.removeprefix(course)).read_text("utf-8"))
            assert not any(cell.get("outputs") for cell in made["cells"])
            assert [c["source"] for c in made["cells"]] == [c["source"] for c in given["cells"]]
    assert wheel.stat().st_size < 10_000_000


@pytest.mark.slow
def test_setuptools_warns_of_nothing(built):
    *_, said = built
    warned = [line for line in said.splitlines() if re.search(r"warn|deprecat", line, re.I)]
    assert not [line for line in warned if "byte-compiling" not in line], warned


@pytest.mark.slow
def test_the_source_archive_makes_the_same_wheel_and_has_no_tests(built, tmp_path):
    _, folder, _ = built
    (archive,) = folder.glob("pseudolab-*.tar.gz")
    with tarfile.open(archive) as tar:
        names = tar.getnames()
        tar.extractall(tmp_path, filter="data")
    inside = {name.split("/", 1)[1] for name in names if "/" in name}
    assert not [path for path in inside if path.startswith(("tests", "docs", "tools/site"))]
    (root,) = tmp_path.glob("pseudolab-*")
    code = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    done = run_python(root, "-c", code, str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert in_the_wheel(tmp_path) == in_the_wheel(folder)


# ---- what an editor knows of it

USE = """
import pseudolab
from pseudolab import PromptTuner, load_clip, load_task
tuner = PromptTuner(load_clip(), prompt="text", paradigm="ul", strategy="grip")
run = tuner.fit(load_task("satellite"))
reveal_type(tuner)
reveal_type(run)
reveal_type(run.rounds[0])
reveal_type(load_task("satellite"))
PromptTuner(no_such_switch=1)
pseudolab.no_such_name
"""


def pyright(folder, text):
    "What pyright says of a program that stands beside an unpacked wheel, by line"
    (folder / "use.py").write_text(text, encoding="utf-8")
    config = {"include": ["use.py"], "extraPaths": [str(folder / "wheel")]}
    (folder / "pyrightconfig.json").write_text(json.dumps(config))
    options = ("--outputjson", "--pythonpath", sys.executable, "-p", str(folder))
    done = run_python(folder / "wheel", "-m", "pyright", *options)
    if not done.stdout.strip().startswith("{"):
        pytest.skip("pyright does not start here: it fetches its program from npm, once")
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {one["range"]["start"]["line"]: one["message"] for one in found}


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    "A folder with the wheel unpacked in it"
    _, folder, _ = built
    (wheel,) = folder.glob("pseudolab-*.whl")
    place = tmp_path_factory.mktemp("installed")
    zipfile.ZipFile(wheel).extractall(place / "wheel")
    return place


@pytest.mark.slow
def test_an_editor_knows_what_the_wheel_gives(installed):
    said = pyright(installed, USE)
    lines = USE.splitlines()
    told = {lines[at]: message for at, message in said.items()}
    assert told.pop("reveal_type(tuner)") == 'Type of "tuner" is "PromptTuner"'
    assert told.pop("reveal_type(run)") == 'Type of "run" is "Run"'
    assert told.pop("reveal_type(run.rounds[0])") == 'Type of "run.rounds[0]" is "Round"'
    assert told.pop(lines[8]) == 'Type of "load_task("satellite")" is "Task"'
    assert "no_such_switch" in told.pop("PromptTuner(no_such_switch=1)")
    assert "no_such_name" in told.pop("pseudolab.no_such_name")
    assert not told


@pytest.mark.slow
def test_an_editor_knows_every_public_name(installed):
    names = sorted(pseudolab.__all__)
    text = "".join(f"from pseudolab import {one}\nreveal_type({one})\n" for one in names)
    said = pyright(installed, text)
    assert sorted(said) == list(range(1, 2 * len(names), 2)), said
    unknown = [message for message in said.values() if re.search(r"\bUnknown\b", message)]
    assert not [one for one in unknown if re.search(r'is "Unknown', one)], unknown


def test_other_machines_install_it_with_a_torch_for_cpus():
    "Binder and a dev container, which are not built here"
    index = "https://download.pytorch.org/whl/cpu"
    binder = (ROOT / ".binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert f"--extra-index-url {index}" in binder
    assert binder[-1] == "-e .[lab]"
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    steps = container["postCreateCommand"].split(" && ")
    assert steps == [
        f"pip install torch torchvision --index-url {index}",
        "pip install -e '.[dev]'",
    ]
    assert steps[0] in (ROOT / "README.md").read_text(encoding="utf-8")
    used = [(ROOT / ".binder" / "runtime.txt").read_text().strip().removeprefix("python-")]
    used.append(container["image"].rsplit(":", 1)[1])
    assert all(
        f"Programming Language :: Python :: {one}" in settings()["project"]["classifiers"]
        for one in used
    )


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
    project = settings()["project"]
    # Dask is asked for, and told to be missing, where experiments are handed to it
    others = undeclared(PACKAGE, project["dependencies"])
    assert others == {"distributed": "pseudolab/experiments/runner.py"}
    assert "distributed" in declared(project["optional-dependencies"]["dask"])


def test_every_library_of_the_tools_is_declared():
    project = settings()["project"]
    everything = project["dependencies"] + project["optional-dependencies"]["dev"]
    ours = {path.stem for path in (ROOT / "tools").glob("*.py")}
    # fastcore is nbdev's own
    assert set(undeclared(ROOT / "tools", everything)) - ours <= {"fastcore"}


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


# ---- for those who come


def test_whoever_reports_a_fault_is_asked_for_the_doctor():
    yaml = pytest.importorskip("yaml")
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yml").read_text("utf-8"))
    (asked,) = [one for one in form["body"] if one["id"] == "doctor"]
    assert "pseudolab doctor" in asked["attributes"]["label"]
    assert asked["validations"]["required"] is True
    assert "pseudolab doctor" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", ["SECURITY.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md"])
def test_no_contact_is_invented(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    assert not re.findall(r"[\w.+-]+@[\w-]+\.\w+", text)


def test_forms_and_workflows_can_be_read():
    yaml = pytest.importorskip("yaml")
    files = sorted((ROOT / ".github").rglob("*.yml"))
    assert len(files) >= 6
    assert all(isinstance(yaml.safe_load(one.read_text(encoding="utf-8")), dict) for one in files)
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8"))["jobs"]
    pythons = {
        one.rsplit(" ", 1)[1] for one in settings()["project"]["classifiers"] if ":: 3." in one
    }
    assert set(jobs["pytest"]["strategy"]["matrix"]["python"]) == pythons
    assert jobs["lowest"]["steps"][-1]["run"] == "bash tests/lowest.sh"
