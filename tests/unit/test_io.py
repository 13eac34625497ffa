"The cache: unambiguous names, files that are whole or not there, arrays that are made once."

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pseudolab import io
from pseudolab.io import (
    cache_files,
    cache_folder,
    cached_array,
    cached_arrays,
    cached_rows,
    digest,
    prune,
    read_json,
    remove_dead_parts,
    write_atomically,
    write_json,
)

# --- where files are kept


def test_the_folder_that_is_asked_for_is_made(tmp_path):
    folder = tmp_path / "a b" / "ü"
    assert cache_folder(folder) == folder and folder.is_dir()
    assert cache_folder(str(tmp_path)) == tmp_path


def test_settings_come_before_the_users_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    (tmp_path / "settings.ini").write_text("[pseudolab]\ncache =\n")
    if sys.platform.startswith("linux"):
        assert cache_folder() == cache_folder("") == tmp_path / "xdg" / "pseudolab"
    (tmp_path / "settings.ini").write_text("[pseudolab]\ncache = kept\n")
    assert cache_folder() == tmp_path / "kept"
    assert cache_folder(tmp_path / "argument") == tmp_path / "argument"


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the folder's name differs by system"
)
def test_a_relative_xdg_folder_is_not_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for value in ("", "relative/folder"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache_folder() == tmp_path / "home" / ".cache" / "pseudolab"


def test_the_users_folder_has_one_name_on_every_system(tmp_path, monkeypatch):
    asked = []

    def user_cache_path(*arguments, **options):
        asked.append((arguments, options))
        return tmp_path / "of the user"

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(io, "user_cache_path", user_cache_path)
    assert cache_folder() == tmp_path / "of the user"
    assert asked == [(("pseudolab",), {"appauthor": False})]


def test_a_home_folder_that_is_not_known(tmp_path, monkeypatch):
    def user_cache_path(*arguments, **options):
        raise RuntimeError("could not determine the home directory")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(io, "user_cache_path", user_cache_path)
    with pytest.raises(ValueError, match="home folder is not known.*settings.ini"):
        cache_folder()


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ValueError, match="cannot be written to") as caught:
            cache_folder(place)
        assert str(place) in str(caught.value) and "settings.ini" in str(caught.value)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere"
)
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ValueError, match="cannot be written to"):
            cache_folder(tmp_path)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(
    not Path("/proc/self").is_dir(),
    reason="a folder that nobody can write to is only known on Linux",
)
def test_a_folder_that_nobody_can_write_to():
    with pytest.raises(ValueError, match="cannot be written to"):
        cache_folder("/proc/self")


# --- digest

numbers = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.binary(max_size=5)
)
parts = st.recursive(
    numbers,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def tagged(part):
    "What a digest must tell apart, as nested tuples with the kinds written out"
    if isinstance(part, (list, tuple)):
        return ("l", *map(tagged, part))
    if isinstance(part, dict):
        return ("d", *((key, tagged(part[key])) for key in sorted(part)))
    if isinstance(part, float):
        return ("f", part.hex())
    return type(part).__name__, part


@given(st.lists(parts, max_size=4), st.lists(parts, max_size=4))
def test_digests_are_equal_exactly_when_the_parts_are(a, b):
    assert (digest(*a) == digest(*b)) == (tagged(a) == tagged(b))
    assert digest(*a) == digest(*a) and len(digest(*a)) == 32


@given(st.binary(max_size=8), st.integers(0, 8))
def test_where_the_parts_are_cut_matters(data, at):
    left, right = data[:at], data[at:]
    name = digest(left, right)
    assert name != digest(data)
    assert name != digest([left, right]) != digest([left], right)
    assert name == digest(bytearray(left), memoryview(right))


@given(
    npst.arrays(
        st.sampled_from([np.uint8, np.int64, np.float32, np.float16, np.bool_]),
        npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    )
)
def test_arrays_by_dtype_shape_and_value(array):
    name = digest(array)
    assert name == digest(array.copy()) == digest(np.asarray(array, order="F"))
    assert name != digest(array.tolist())
    assert name != digest(array[None])
    assert name != digest(array.astype(np.complex64))
    if array.size and array.dtype == np.int64:
        assert name != digest(array ^ 1)


def all_differ(values):
    return len({digest(value) for value in values}) == len(values)


def test_numbers_and_the_order_of_a_dict():
    assert all_differ([0, 1, -1, 10, 11, 12, 100, 1e10, 10**10, 10**30, 0.1, 0.2])
    name = digest({"a": 1, "b": {"c": 2, 3: 4}})
    assert name == digest({"b": {3: 4, "c": 2}, "a": 1})
    assert name != digest({"a": {"c": 2, 3: 4}, "b": 1})


def test_views_and_kinds():
    grid = np.arange(24).reshape(4, 6)
    view = grid[::2, ::-1]
    assert digest(view) == digest(view.copy()) != digest(grid[::2])
    one = [1, 1.0, True, "1", b"1", [1], np.array(1), np.array([1])]
    assert all_differ([*one, (), None, 0.0, -0.0])
    assert digest(np.int32(5)) == digest(5)
    assert digest(np.float64(0.5)) == digest(0.5)
    assert digest(np.bool_(True)) == digest(True)
    assert digest("\ud800") != digest("?")


def test_digests_stay_what_they_were():
    "Names of files that are kept, and of everything else that a digest identifies"
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    name = digest("ab", 1, 2.5, None, True, b"c", array, [1, ("d",)], {"e": {"f": -1}})
    assert name == "a7ce5e0b4fe50cf8ebb3dc12681bb5ed"


def run_python(code, *arguments, **environment):
    "What another process says that runs this code"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


NAMES_ITSELF = """
import numpy as np
from pseudolab.io import digest
print(digest("a", 1, {"x": np.arange(3.0)}))
"""


def test_the_name_is_the_same_in_every_process():
    name = digest("a", 1, {"x": np.arange(3.0)})
    for seed in ("1", "2"):
        assert run_python(NAMES_ITSELF, PYTHONHASHSEED=seed).stdout == f"{name}\n"


def test_a_path_stands_for_what_its_file_holds(tmp_path):
    a = tmp_path / "a"
    b = tmp_path / "b"
    a.write_bytes(b"same")
    b.write_bytes(b"same")
    assert digest(a) == digest(b) != digest(b"same")
    b.write_bytes(b"else")
    assert digest(a) != digest(b)
    for missing in (tmp_path / "c", tmp_path):
        with pytest.raises(FileNotFoundError, match="not a file"):
            digest(missing)


@pytest.mark.parametrize("part", [object(), {1, 2}, print, np.array([object()]), [object()]])
def test_what_has_no_digest_is_refused(part):
    with pytest.raises(ValueError, match="no digest"):
        digest(part)


# --- whole or not there


def test_a_file_and_its_folder_appear_at_the_end(tmp_path):
    path = tmp_path / "deep" / "x.json"
    with write_atomically(path) as part:
        part.write_text("{}")
        assert part.parent == path.parent
        assert not path.exists() and not list(path.parent.glob("*.json"))
    assert path.read_text() == "{}" and os.listdir(path.parent) == ["x.json"]


@given(
    before=st.none() | st.binary(max_size=9),
    written=st.binary(max_size=9),
    error=st.sampled_from([None, OSError, KeyboardInterrupt, SystemExit, GeneratorExit]),
)
def test_failure_leaves_what_was_there(before, written, error):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        if before is not None:
            path.write_bytes(before)
        try:
            with write_atomically(path) as part:
                part.write_bytes(written)
                if error:
                    raise error
        except BaseException as caught:
            assert type(caught) is error
        now = path.read_bytes() if path.exists() else None
        assert now == (before if error else written)
        assert os.listdir(folder) == ([] if now is None else ["x"])


def test_nothing_written_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="Nothing was written"):
        with write_atomically(tmp_path / "x"):
            pass
    assert not os.listdir(tmp_path)


def test_a_folder_in_the_way_stays(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(OSError):
        with write_atomically(tmp_path / "x") as part:
            part.touch()
    assert os.listdir(tmp_path) == ["x"]


KILLED = """
import os, sys
from pseudolab.io import write_atomically
with write_atomically(sys.argv[1]) as part:
    part.write_text("new")
    os._exit(9)
"""


def test_a_killed_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("old")
    assert run_python(KILLED, path).returncode == 9
    assert path.read_text() == "old" and list(tmp_path.glob("*.json")) == [path]


def test_json_comes_back_as_it_was(tmp_path):
    path = tmp_path / "deep" / "x.json"
    value = {"name": "forêt", "numbers": [1, 2.5, None, True]}
    for indent in (None, 1):
        write_json(path, value, indent=indent)
        assert read_json(path) == value and os.listdir(path.parent) == ["x.json"]


@pytest.mark.parametrize("damaged", [b"", b'{"a": 1', b"\xff\xfe", b"not json"])
def test_damaged_json_is_an_error(tmp_path, damaged):
    path = tmp_path / "x.json"
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match="x.json is damaged"):
        read_json(path)
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "gone.json")


def test_what_json_cannot_hold_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, [1])
    with pytest.raises(TypeError):
        write_json(path, {1, 2})
    assert read_json(path) == [1] and os.listdir(tmp_path) == ["x.json"]


def test_deep_json_and_endless_numbers_are_damaged(tmp_path):
    for text in ("[" * 100_000, '{"a":' * 100_000, "9" * 10_000):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(ValueError, match="x.json is damaged") as caught:
            read_json(tmp_path / "x.json")
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_a_new_file_is_new(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, [1], exclusive=True)
    with pytest.raises(FileExistsError):
        write_json(path, [2], exclusive=True)
    assert read_json(path) == [1] and os.listdir(tmp_path) == ["x.json"]


def test_a_new_file_is_new_without_hard_links_too(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(io.os, "link", refuse)
    test_a_new_file_is_new(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="rights are those of POSIX")
@pytest.mark.parametrize("umask, mode", [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_the_rights_of_a_file_are_those_of_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        with write_atomically(tmp_path / "x") as part:
            part.touch(mode=0o600)  # as safetensors does
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == mode


def test_only_parts_of_dead_processes_are_removed(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    own = io._part_name()
    parts = {
        "dead": own.replace(f"-{os.getpid()}-", f"-{ended.pid}-"),
        "own": own,
        "of the first process": own.replace(f"-{os.getpid()}-", "-1-"),
        "of another machine": ".00000000-" + own.split("-", 1)[1],
        "of no machine": ".0123.part",
        "no part": "x.json",
    }
    for name in parts.values():
        (tmp_path / name).touch()
    remove_dead_parts(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*parts.values()} - {parts["dead"]}
    remove_dead_parts(tmp_path / "gone")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_process_that_nobody_asked_how_it_ended_has_ended():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert not io.has_ended(child.pid)
    child.kill()
    about = Path(f"/proc/{child.pid}/stat")
    while about.read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)
    assert io.has_ended(child.pid)
    child.wait()
    assert io.has_ended(child.pid)


@pytest.mark.parametrize("number", [27, 28, 30])
def test_what_cannot_be_written_is_named_with_what_is_safe(tmp_path, number):
    from safetensors import SafetensorError

    (tmp_path / "x").write_text("old")
    for error in (OSError(number, "no"), SafetensorError(f"I/O error: no (os error {number})")):
        with pytest.raises(ValueError, match=r"/x cannot be written: .* Every file .* is whole"):
            with write_atomically(tmp_path / "x") as part:
                part.write_text("half")
                raise error
    assert (tmp_path / "x").read_text() == "old" and os.listdir(tmp_path) == ["x"]


def test_other_errors_pass_as_they_are(tmp_path):
    from safetensors import SafetensorError

    missing = FileNotFoundError(2, "No such file", "photo.jpg")
    for error in (missing, OSError("cannot identify image"), SafetensorError("wrong type")):
        with pytest.raises(type(error)) as caught:
            with write_atomically(tmp_path / "x"):
                raise error
        assert caught.value is error
        with pytest.raises(type(error)):
            cached_rows("k", (3,), float, lambda error=error: fail_with(error), tmp_path)


def fail_with(error):
    yield np.zeros(1)
    raise error


# --- arrays that are made once


def make(calls):
    calls.append(1)
    return {
        "a": np.arange(6).reshape(2, 3),
        "empty": np.zeros((0, 4), np.float16),
        "scalar": np.array(3.5),
        "t": np.arange(6).reshape(2, 3).T,
    }


def never():
    raise AssertionError("the file is whole, so nothing need be made")


def equal(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and (a == b).all()


def same(a, b):
    return sorted(a) == sorted(b) and all(equal(a[name], b[name]) for name in a)


def test_made_once_and_read_back_as_it_was(tmp_path):
    calls = []
    first = cached_arrays("k-1", lambda: make(calls), tmp_path)
    second = cached_arrays("k-1", lambda: make(calls), tmp_path)
    assert len(calls) == 1 and same(first, second) and same(second, make([]))
    assert os.listdir(tmp_path) == ["k-1.npz"]


def test_an_array_is_kept_in_a_file_that_numpy_reads(tmp_path):
    for name, array in make([]).items():
        made = cached_array(name, lambda array=array: array, tmp_path)
        read = cached_array(name, never, tmp_path)
        assert equal(made, array) and equal(read, array)
        assert equal(np.load(tmp_path / f"{name}.npy"), array)
    cached_arrays("all", lambda: make([]), tmp_path)
    assert same(dict(np.load(tmp_path / "all.npz")), make([]))


def cut(whole):
    return whole[:-1]


def halved(whole):
    return whole[: len(whole) // 2]


def flipped_at_the_end(whole):
    return whole[:-1] + bytes([whole[-1] ^ 1])


def flipped_in_the_header(whole):
    return whole[:6] + bytes([whole[6] ^ 1]) + whole[7:]


def flipped_in_the_middle(whole):
    at = len(whole) // 2
    return whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]


def emptied(whole):
    return b""


def zeroed(whole):
    return bytes(len(whole))


DAMAGES = [
    cut,
    halved,
    flipped_at_the_end,
    flipped_in_the_header,
    flipped_in_the_middle,
    emptied,
    zeroed,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_made_again_with_a_warning(tmp_path, damage):
    calls = []
    cached_arrays("k", lambda: make(calls), tmp_path)
    path = tmp_path / "k.npz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.warns(UserWarning, match="damaged") as heard:
        arrays = cached_arrays("k", lambda: make(calls), tmp_path)
    assert len(calls) == 2 and same(arrays, make([]))
    assert str(path) in str(heard[0].message) and heard[0].filename == __file__
    cached_arrays("k", never, tmp_path)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_noticed_in_a_mapped_file(tmp_path, damage):
    def rows():
        block = np.full((50, 3), 7, np.uint8)
        return cached_rows("r", (50, 3), np.uint8, lambda: [block], tmp_path)

    def array():
        return cached_array("r", lambda: np.full((50, 3), 7, np.uint8), tmp_path)

    rows()
    path = tmp_path / "r.npy"
    for read in (rows, array):
        path.write_bytes(damage(path.read_bytes()))
        with pytest.warns(UserWarning, match="damaged") as heard:
            assert (read() == 7).all()
        assert str(path) in str(heard[0].message) and heard[0].filename == __file__
        assert (read() == 7).all()


def test_a_file_of_somebody_else_is_made_again(tmp_path):
    np.savez(tmp_path / "k.npz", a=np.zeros(3))
    np.save(tmp_path / "k.npy", np.zeros(3))
    with pytest.warns(UserWarning, match="damaged"):
        assert same(cached_arrays("k", lambda: make([]), tmp_path), make([]))
    with pytest.warns(UserWarning, match="damaged"):
        assert cached_array("k", lambda: np.ones(3), tmp_path).sum() == 3


@pytest.mark.parametrize("key", ["", "a/b", "../x", ".hidden", "a b", "a\n", "é", "x" * 201, "a\0"])
def test_a_key_that_cannot_name_a_file(tmp_path, key):
    for kept in (cached_arrays, cached_array):
        with pytest.raises(ValueError, match="cannot name a file"):
            kept(key, never, tmp_path)
    assert not os.listdir(tmp_path)


def test_a_maker_that_fails_leaves_nothing(tmp_path):
    def fail():
        raise RuntimeError("no")

    for kept in (cached_arrays, cached_array):
        with pytest.raises(RuntimeError):
            kept("k", fail, tmp_path)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("wrong", [[1, 2], np.array([object()]), np.array(["text"])])
def test_what_is_no_array_of_numbers_is_not_kept(tmp_path, wrong):
    with pytest.raises(ValueError, match='kept under "a".*expected'):
        cached_arrays("k", lambda: {"a": wrong}, tmp_path)
    with pytest.raises(ValueError, match='kept under "k".*expected'):
        cached_array("k", lambda: wrong, tmp_path)
    assert not os.listdir(tmp_path)


def test_a_full_disk_is_explained_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(io.np, "save", full)
    monkeypatch.setattr(io.np, "savez", full)
    monkeypatch.setattr(io.np.lib.format, "write_array_header_1_0", full)
    for write in (
        lambda: cached_array("k", lambda: np.zeros(3), tmp_path),
        lambda: cached_arrays("k", lambda: make([]), tmp_path),
        lambda: cached_rows("k", (3,), float, lambda: [np.zeros(3)], tmp_path),
    ):
        with pytest.raises(ValueError, match="No space left.*cache --prune.*settings.ini"):
            write()
        assert not os.listdir(tmp_path)


RACE = """
import sys, time, warnings
import numpy as np
from pathlib import Path
from pseudolab.io import cached_array, cached_arrays
warnings.simplefilter("error")
folder, me = Path(sys.argv[1]), sys.argv[2]
(folder / f"ready-{me}").touch()
while len(list(folder.glob("ready-*"))) < 2:
    time.sleep(.005)
for i in range(60):
    arrays = cached_arrays(f"k{i}", lambda: {"a": np.full((40, 1000), i)}, folder)
    array = cached_array(f"k{i}", lambda: np.full((40, 1000), i), folder)
    for found in (arrays["a"], array):
        assert (found == i).all() and found.shape == (40, 1000)
"""


def test_two_processes_at_once(tmp_path):
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, tmp_path, str(me)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for me in range(2)
    ]
    errors = [racer.communicate(timeout=120)[1] for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0], errors
    assert len(list(tmp_path.glob("k*.npz"))) == len(list(tmp_path.glob("k*.npy"))) == 60
    assert not list(tmp_path.glob(".*.part"))


# --- mapped


def test_a_mapped_array_is_a_view_of_the_file(tmp_path):
    cached_array("k", lambda: np.arange(6).reshape(2, 3), tmp_path)
    root = cached_array("k", never, tmp_path)
    assert equal(root, np.arange(6).reshape(2, 3))
    while isinstance(root.base, np.ndarray):
        root = root.base
    assert isinstance(root, np.memmap)


def test_what_is_written_to_a_mapped_array_stays_in_memory(tmp_path):
    cached_array("k", lambda: np.arange(6), tmp_path)
    array = cached_array("k", never, tmp_path)
    array[:] = 99
    assert equal(cached_array("k", never, tmp_path), np.arange(6))


MEASURES_ITSELF = """
import sys
import numpy as np
from pathlib import Path
from pseudolab.io import cached_rows

def used():
    "Bytes of memory that no file backs"
    lines = Path("/proc/self/status").read_text().splitlines()
    anonymous = next(line for line in lines if line.startswith("RssAnon:"))
    return int(anonymous.split()[1]) * 1024

before = used()
most = [0]

def blocks():
    for at in range(200):
        most[0] = max(most[0], used())
        yield np.full((1000, 1000), at, np.uint8)

for _ in range(2):
    rows = cached_rows("r", (200_000, 1000), np.uint8, blocks, sys.argv[1])
    assert rows[::1000, 0].tolist() == list(range(200))
print(max(most[0], used()) - before)
"""


@pytest.mark.skipif(
    not Path("/proc/self/status").is_file(),
    reason="how much memory is anonymous is known on Linux alone",
)
def test_rows_need_no_room_in_memory(tmp_path):
    "200 MB, made and read back, of which a block of 1 MB is held at a time"
    done = run_python(MEASURES_ITSELF, tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 20e6


@given(
    npst.arrays(
        st.sampled_from([np.uint8, np.int64, np.float32, np.float16, np.bool_]),
        npst.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5),
    ),
    st.integers(1, 6),
)
def test_rows_block_by_block(rows, size):
    def blocks():
        for start in range(0, len(rows), size):
            yield rows[start : start + size]

    with tempfile.TemporaryDirectory() as folder:
        first = cached_rows("r", rows.shape, rows.dtype, blocks, folder)
        again = cached_rows("r", rows.shape, rows.dtype, never, folder)
        # the file is one that numpy reads, and another array's like it
        loaded = np.load(Path(folder) / "r.npy")
        as_array = cached_array("r", never, folder)
        for got in (first, again, loaded, as_array):
            assert got.dtype == rows.dtype and got.shape == rows.shape
            assert got.tobytes() == rows.tobytes()


@pytest.mark.parametrize(
    "blocks",
    [
        [np.zeros((2, 3), np.uint8)],
        [np.zeros((9, 3), np.uint8)],
        [np.zeros((5, 4), np.uint8)],
        [np.zeros((5, 3))],
        [],
    ],
)
def test_blocks_that_do_not_make_the_rows(tmp_path, blocks):
    with pytest.raises(ValueError, match="expected"):
        cached_rows("r", (5, 3), np.uint8, lambda: blocks, tmp_path)
    assert not os.listdir(tmp_path)


def test_rows_that_fail_half_way_leave_nothing(tmp_path):
    def blocks():
        yield np.zeros((2, 3), np.uint8)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        cached_rows("r", (5, 3), np.uint8, blocks, tmp_path)
    assert not os.listdir(tmp_path)


# --- a bound


def fill(folder, names):
    "A file of each name, used one second after the other; how large each is"
    for at, name in enumerate(names):
        key = f"{name}-{digest(name)}"
        cached_array(key, lambda: np.zeros(100), folder)
        os.utime(folder / f"{key}.npy", (at, at))
    return cache_files(folder)[0].bytes


def kinds(files):
    return [file.kind for file in files]


def test_the_longest_unused_goes_first(tmp_path):
    size = fill(tmp_path, "abcde")
    assert kinds(cache_files(tmp_path)) == list("abcde")
    cached_array(f"b-{digest('b')}", never, tmp_path)  # used
    assert kinds(prune(3 * size, tmp_path)) == ["a", "c"]
    assert kinds(cache_files(tmp_path)) == ["d", "e", "b"]


def test_every_file_of_the_cache_counts(tmp_path):
    cached_arrays("arrays", lambda: make([]), tmp_path)
    cached_array("array", lambda: np.zeros(100), tmp_path)
    cached_rows("rows", (2,), float, lambda: [np.zeros(2)], tmp_path)
    written = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert {file.path.name: file.bytes for file in cache_files(tmp_path)} == written
    assert len(prune(0, tmp_path)) == 3 and not os.listdir(tmp_path)


@given(sizes=st.lists(st.integers(0, 50), max_size=6), most=st.integers(0, 40_000))
def test_what_stays_is_within_the_bound_and_no_smaller_than_it_must_be(sizes, most):
    with tempfile.TemporaryDirectory() as folder:
        for at, n in enumerate(sizes):
            cached_array(f"k{at}", lambda n=n: np.zeros(n * 100), folder)
            os.utime(Path(folder) / f"k{at}.npy", (at, at))
        before = cache_files(folder)
        gone = prune(most, folder)
        left = cache_files(folder)
        room = sum(file.bytes for file in left)
        assert before == gone + left and room <= most
        if gone:
            assert room + gone[-1].bytes > most


def test_only_what_the_cache_made_is_deleted(tmp_path):
    fill(tmp_path, "ab")
    others = ["notes.txt", "weights.pt", ".hidden"]
    for name in others:
        (tmp_path / name).write_text("mine")
    old = tmp_path / ".0123.part"
    young = tmp_path / ".4567.part"
    for part in (old, young):
        part.write_bytes(b"half")
    long_ago = time.time() - 2 * io.STALE
    os.utime(old, (long_ago, long_ago))
    prune(0, tmp_path)
    # somebody may still be writing to the young one
    assert sorted(os.listdir(tmp_path)) == sorted([*others, young.name])


def test_a_bound_below_nothing(tmp_path):
    with pytest.raises(ValueError, match="0 or more"):
        prune(-1, tmp_path)


@pytest.mark.skipif(
    sys.platform == "win32", reason="an open file cannot be deleted there, and is passed over"
)
def test_a_reader_keeps_what_it_has(tmp_path):
    block = np.full((1000, 1000), 5, np.uint8)
    rows = cached_rows("r", block.shape, np.uint8, lambda: [block], tmp_path)
    assert len(prune(0, tmp_path)) == 1 and not cache_files(tmp_path)
    assert (rows == 5).all()


READER = """
import sys, warnings
import numpy as np
from pathlib import Path
from pseudolab.io import cached_array, cached_arrays, cached_rows
warnings.simplefilter("error")
folder = Path(sys.argv[1])
(folder / "ready").touch()
for i in range(300):
    five, three = i % 5, i % 3
    if i % 2:
        found = cached_arrays(f"k{five}", lambda: {"a": np.full((20, 1000), five)}, folder)["a"]
    else:
        found = cached_array(f"k{five}", lambda: np.full((20, 1000), five), folder)
    assert (found == five).all()
    if i % 10 == 0:
        blocks = [np.full((250, 40), three, np.int16)] * 2
        rows = cached_rows(f"r{three}", (500, 40), np.int16, lambda: blocks, folder)
        assert (rows == three).all()
"""


def test_pruned_again_and_again_while_another_process_reads(tmp_path):
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, tmp_path],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deleted = 0
    while reader.poll() is None:
        deleted += len(prune(0, tmp_path))
        time.sleep(0.02)
    assert reader.returncode == 0, reader.stderr.read()
    assert deleted > 5


def test_a_cache_that_may_only_be_read_still_serves(tmp_path, monkeypatch):
    fill(tmp_path, "a")

    def refuse(*arguments):
        raise PermissionError("not yours")

    monkeypatch.setattr(io.os, "utime", refuse)
    assert cached_array(f"a-{digest('a')}", never, tmp_path).sum() == 0


def test_a_file_that_may_not_be_read_is_neither_made_again_nor_taken_over(tmp_path, monkeypatch):
    fill(tmp_path, "a")
    key = f"a-{digest('a')}"
    before = (tmp_path / f"{key}.npy").read_bytes()
    opened = Path.open

    def denied(path, mode="r", *arguments, **options):
        if path.suffix == ".npy":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, mode, *arguments, **options)

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(ValueError, match=r"may not be read by you .*ask its owner.*settings.ini"):
        cached_array(key, never, tmp_path)
    monkeypatch.undo()
    assert (tmp_path / f"{key}.npy").read_bytes() == before


# --- the command


def command(*arguments):
    from typer.testing import CliRunner

    from pseudolab.cli.app import app

    return CliRunner().invoke(app, ["cache", *arguments])


def test_the_command_shows_and_prunes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "settings.ini").write_text("[pseudolab]\ncache = kept\n")
    (tmp_path / "kept").mkdir()
    size = fill(tmp_path / "kept", ["features", "pixels"])
    shown = command()
    assert shown.exit_code == 0
    for word in ("features", "pixels", "2 files", "1970-01-01"):
        assert word in shown.output
    done = command("--prune", f"{size}B")
    assert done.exit_code == 0 and "1 files deleted" in done.output
    assert "pixels" in done.output and "features" not in done.output
    assert "0 files" in command("--prune", "0").output and not cache_files()


@pytest.mark.parametrize("size", ["much", "-1GB", "1 XB", ""])
def test_the_command_refuses_what_is_no_size(tmp_path, monkeypatch, size):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "settings.ini").write_text("[pseudolab]\ncache = kept\n")
    done = command("--prune", size)
    assert done.exit_code in (1, 2) and isinstance(done.exception, SystemExit)
