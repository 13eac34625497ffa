"settings.ini: the nearest one with our section wins, and a slip of the pen is always named."

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pseudolab.settings import ALLOWED, RULES, TASK_NAMES, Settings, read_settings


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    "A folder with a settings.ini"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.ini").write_text(text, encoding=encoding)
    return folder


def test_the_nearest_file_with_our_section_wins(tmp_path):
    write(tmp_path, "[pseudolab]\nseed = 1\n")
    write(tmp_path / "a", "[pseudolab]\nseed = 2\n")
    write(tmp_path / "a" / "b", "[DEFAULT]\nlib_name = other\nseed = 99\n")
    (tmp_path / "a" / "b" / "c").mkdir()
    assert read_settings(tmp_path / "a" / "b" / "c").seed == 2
    assert read_settings(tmp_path).seed == 1


def test_the_working_folder_is_where_the_search_starts(tmp_path, monkeypatch):
    monkeypatch.chdir(write(tmp_path, "[pseudolab]\ntask = digits\n"))
    assert read_settings().task == "digits"
    write(tmp_path, "[pseudolab]\ntask = flowers\n")
    assert read_settings().task == "flowers"


@pytest.mark.parametrize(
    "foreign",
    [
        "no section at all\n",
        "[nbdev]\nseed = x\n",
        "[DEFAULT]\n[[[\n",
        "%(broken)s = [\n",
        "",
        "\0\x01binary",
        "# [pseudolab]\n",
    ],
)
def test_other_projects_files_are_passed_over(tmp_path, foreign):
    write(tmp_path / "in", foreign)
    write(tmp_path, "[pseudolab]\nseed = 5\n")
    assert read_settings(tmp_path / "in").seed == 5


def test_a_file_that_is_not_text_is_passed_over(tmp_path):
    (tmp_path / "settings.ini").write_bytes(bytes(range(256)))
    assert read_settings(tmp_path).path != tmp_path / "settings.ini"


def test_a_folder_called_settings_ini_is_passed_over(tmp_path):
    (tmp_path / "settings.ini").mkdir()
    assert read_settings(tmp_path).path != tmp_path / "settings.ini"


def test_values_beside_other_sections_do_not_leak(tmp_path):
    lines = [
        "[DEFAULT]",
        "lib_name = other",
        "seed = 9",
        "[pseudolab]",
        "task = digits",
        "[else]",
        "recipe = paper",
    ]
    write(tmp_path, "\n".join(lines))
    assert read_settings(tmp_path) == Settings(task="digits", path=tmp_path / "settings.ini")


def test_every_value_arrives_with_its_type(tmp_path):
    lines = [
        "[pseudolab]",
        "backbone = ViT-B-32 openai",
        "task = folder",
        "recipe = authors_code",
        "seed = 7",
        "device = cuda:1",
        "cache = kept here",
    ]
    write(tmp_path, "\n".join(lines))
    found = read_settings(tmp_path)
    assert found == Settings(
        backbone="ViT-B-32 openai",
        task="folder",
        recipe="authors_code",
        seed=7,
        device="cuda:1",
        cache=tmp_path / "kept here",
        path=tmp_path / "settings.ini",
    )
    assert (found.model, found.pretrained) == ("ViT-B-32", "openai")


def test_an_empty_cache_is_the_users_and_a_byte_order_mark_is_no_trouble(tmp_path):
    write(tmp_path, "[pseudolab]\ncache =\n", encoding="utf-8-sig")
    found = read_settings(tmp_path)
    assert found.cache is None and found.path


def test_a_cache_may_have_percent_signs_and_a_tilde(tmp_path):
    write(tmp_path, "[pseudolab]\ncache = ~/50%% {of} %(it)s\n")
    assert read_settings(tmp_path).cache == Path.home() / "50%% {of} %(it)s"


def test_a_checkpoint_is_looked_for_beside_the_file(tmp_path):
    write(tmp_path, "[pseudolab]\nbackbone = ViT-B-32 my weights/x.pt\n")
    assert read_settings(tmp_path).pretrained == "my weights/x.pt"
    (tmp_path / "my weights").mkdir()
    (tmp_path / "my weights" / "x.pt").touch()
    assert read_settings(tmp_path).pretrained == str(tmp_path / "my weights" / "x.pt")


@pytest.mark.parametrize(
    "line",
    [
        "seed = -1",
        "seed = 1.5",
        "seed =",
        "seed = one",
        "seed = 1_0",
        "seed = 4294967296",
        "seed = \u0663",
        "seed = 0x10",
        "task = eurosats",
        "task = Satellite",
        "task =",
        "recipe = papr",
        "recipe =",
        "device = gpu",
        "device = cuda:",
        "device = cuda:-1",
        "device = CPU",
        "backbone =",
        "backbone = pocket openai",
        "backbone",
    ],
)
def test_a_bad_value_names_the_file_the_key_and_what_is_allowed(tmp_path, line):
    write(tmp_path, f"[pseudolab]\n{line}\n")
    with pytest.raises(ValueError) as caught:
        read_settings(tmp_path)
    message = str(caught.value)
    key = line.split("=")[0].strip()
    assert str(tmp_path / "settings.ini") in message and key in message
    assert "=" not in line or ALLOWED[key] in message


@pytest.mark.parametrize("key", ["sed", "cuda", "back bone", "path", "model"])
def test_an_unknown_key_names_the_file_and_the_keys(tmp_path, key):
    write(tmp_path, f"[pseudolab]\n{key} = 1\n")
    with pytest.raises(ValueError, match=f'there is no setting "{key}"') as caught:
        read_settings(tmp_path)
    message = str(caught.value)
    assert str(tmp_path / "settings.ini") in message
    assert all(name in message for name in ALLOWED)


@pytest.mark.parametrize(
    "text",
    [
        "[pseudolab]\nseed = 1\nseed = 2\n",
        "[pseudolab]\nseed = 1\n[pseudolab]\nseed = 1\n",
        "[pseudolab]\n= 3\n",
    ],
)
def test_a_section_of_ours_that_is_no_ini_is_an_error(tmp_path, text):
    with pytest.raises(ValueError, match="settings.ini"):
        read_settings(write(tmp_path, text))


@pytest.mark.parametrize("header", ["[Pseudolab]", "[ pseudolab ]", "[a]\nx = 1\n  [pseudolab]"])
def test_a_header_that_is_nearly_ours_is_not_passed_over(tmp_path, header):
    with pytest.raises(ValueError, match="write .pseudolab. at the start"):
        read_settings(write(tmp_path, f"{header}\nseed = 1\n"))


def test_a_start_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_settings(tmp_path / "gone")


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": -1},
        {"seed": "3"},
        {"seed": True},
        {"task": "x"},
        {"recipe": None},
        {"device": "tpu"},
        {"backbone": " "},
    ],
)
def test_settings_made_by_hand_keep_the_same_rules(wrong):
    with pytest.raises(ValueError, match="allowed"):
        Settings(**wrong)


@given(key=st.sampled_from(sorted(RULES)), text=st.text(max_size=30))
def test_rules_answer_any_text(key, text):
    assert RULES[key](text.strip()) in (True, False)


def test_the_projects_own_file_is_right_and_names_every_setting():
    root = Path(__file__).resolve().parents[2]
    found = read_settings(root)
    assert found.path == root / "settings.ini"
    assert all(f"\n{key} =" in found.path.read_text() for key in ALLOWED)


LIGHT = """
import sys
import pseudolab.data.tasks
import pseudolab.io
import pseudolab.settings
sys.exit("torch" in sys.modules or "sklearn" in sys.modules)
"""


def test_settings_and_tasks_do_not_import_torch():
    command = [sys.executable, "-c", LIGHT]
    assert subprocess.run(command, stdin=subprocess.DEVNULL).returncode == 0


def test_the_names_of_the_tasks_agree():
    from pseudolab.data.tasks import task_names

    assert task_names() == list(TASK_NAMES)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_of_any_windows_editor_is_read(tmp_path, encoding):
    write(tmp_path, "[pseudolab]\ntask = digits\nseed = 7\n", encoding)
    assert (read_settings(tmp_path).task, read_settings(tmp_path).seed) == ("digits", 7)


@pytest.mark.parametrize("order", ["le", "be"])
def test_utf_16_with_a_mark_in_either_order_and_without_one(tmp_path, order):
    text = "[pseudolab]\nseed = 7\n"
    mark = {"le": b"\xff\xfe", "be": b"\xfe\xff"}[order]
    (tmp_path / "settings.ini").write_bytes(mark + text.encode(f"utf-16-{order}"))
    assert read_settings(tmp_path).seed == 7
    write(tmp_path, text, f"utf-16-{order}")
    with pytest.raises(ValueError, match=r"settings.ini is neither in UTF-8 .* save it as UTF-8"):
        read_settings(tmp_path)


@pytest.mark.parametrize(
    "key, named", [("cache", "~nobody9/c"), ("backbone", "ViT-B-32 ~nobody9/w")]
)
def test_a_home_folder_that_nobody_has_is_named(tmp_path, key, named):
    write(tmp_path, f"[pseudolab]\n{key} = {named}\n")
    with pytest.raises(ValueError, match=rf"{key} = \"~nobody9/.\" .*; write the whole path"):
        assert read_settings(tmp_path).pretrained
