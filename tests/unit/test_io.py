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
    cached_arrays,
    cached_rows,
    digest,
    prune,
    write_atomically,
)

# --- where files are kept


def test_the_folder_that_is_asked_for_is_made(tmp_path):
    assert (
        cache_folder(tmp_path / "a b" / "ü") == tmp_path / "a b" / "ü"
        and (tmp_path / "a b" / "ü").is_dir()
    )
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


@pytest.mark.parametrize(
    ("platform", "end"),
    [("darwin", ("Library", "Caches", "pseudolab")), ("win32", ("Local", "pseudolab"))],
)
def test_other_systems(tmp_path, monkeypatch, platform, end):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
    monkeypatch.setattr(io.sys, "platform", platform)
    assert io._user_cache() == tmp_path.joinpath(*end)


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
    assert digest(left, right) != digest(data) and digest([left], right) != digest([left, right])
    assert digest(left, right) == digest(bytearray(left), memoryview(right))


@given(
    npst.arrays(
        st.sampled_from([np.uint8, np.int64, np.float32, np.float16, np.bool_]),
        npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    )
)
def test_arrays_by_dtype_shape_and_value(array):
    name = digest(array)
    assert (
        name
        == digest(array.copy())
        == digest(np.asarray(array, order="F"))
        != digest(array.tolist())
    )
    assert name != digest(array[None]) and name != digest(array.astype(np.complex64))
    if array.size and array.dtype == np.int64:
        assert name != digest(array ^ 1)


def test_numbers_and_the_order_of_a_dict():
    assert (
        len(
            {
                digest(number)
                for number in (0, 1, -1, 10, 11, 12, 100, 1e10, 10**10, 10**30, 0.1, 0.2)
            }
        )
        == 12
    )
    assert (
        digest({"a": 1, "b": {"c": 2, 3: 4}})
        == digest({"b": {3: 4, "c": 2}, "a": 1})
        != digest({"a": {"c": 2, 3: 4}, "b": 1})
    )


def test_views_and_kinds():
    grid = np.arange(24).reshape(4, 6)
    assert digest(grid[::2, ::-1]) == digest(grid[::2, ::-1].copy()) != digest(grid[::2])
    assert (
        len(
            {
                digest(value)
                for value in (
                    1,
                    1.0,
                    True,
                    "1",
                    b"1",
                    [1],
                    (),
                    None,
                    np.array(1),
                    np.array([1]),
                    0.0,
                    -0.0,
                )
            }
        )
        == 12
    )
    assert (
        digest(np.int32(5)) == digest(5)
        and digest(np.float64(0.5)) == digest(0.5)
        and digest(np.bool_(True)) == digest(True)
    )
    assert digest("\ud800") != digest("?")


def test_the_name_is_the_same_in_every_process():
    code = (
        "import numpy as np; from pseudolab.io import digest; print(digest('a', 1, {'x':"
        " np.arange(3.)}))"
    )
    out = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        ).stdout
        for seed in ("1", "2")
    }
    assert out == {digest("a", 1, {"x": np.arange(3.0)}) + "\n"}


def test_a_path_stands_for_what_its_file_holds(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
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
        assert (
            not path.exists()
            and part.parent == path.parent
            and not list(path.parent.glob("*.json"))
        )
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
        assert now == (before if error else written) and len(os.listdir(folder)) == (
            now is not None
        )


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


def test_a_killed_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("old")
    code = (
        "import os, sys; from pseudolab.io import write_atomically\nwith"
        " write_atomically(sys.argv[1]) as part: part.write_text('new'); os._exit(9)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code, path], stdin=subprocess.DEVNULL).returncode == 9
    )
    assert path.read_text() == "old" and list(tmp_path.glob("*.json")) == [path]


# --- arrays that are made once


def make(calls):
    calls.append(1)
    return {
        "a": np.arange(6).reshape(2, 3),
        "empty": np.zeros((0, 4), np.float16),
        "scalar": np.array(3.5),
        "t": np.arange(6).reshape(2, 3).T,
    }


def same(a, b):
    return sorted(a) == sorted(b) and all(
        a[k].dtype == b[k].dtype and a[k].shape == b[k].shape and (a[k] == b[k]).all() for k in a
    )


def test_made_once_and_read_back_as_it_was(tmp_path):
    calls = []
    first, second = (cached_arrays("k-1", lambda: make(calls), tmp_path) for _ in range(2))
    assert len(calls) == 1 and same(first, second) and same(second, make([]))
    assert os.listdir(tmp_path) == ["k-1.safetensors"]


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "foreign", "zeros"])
def test_a_damaged_file_is_made_again_with_a_warning(tmp_path, damage):
    calls = []
    cached_arrays("k", lambda: make(calls), tmp_path)
    path = tmp_path / "k.safetensors"
    whole = path.read_bytes()
    if damage == "foreign":
        from safetensors.numpy import save_file

        save_file({"a": np.zeros(3)}, path)
    else:
        path.write_bytes(
            {
                "cut": whole[:-1],
                "flip": whole[:-1] + bytes([whole[-1] ^ 1]),
                "empty": b"",
                "zeros": bytes(len(whole)),
            }[damage]
        )
    with pytest.warns(UserWarning, match="damaged") as heard:
        arrays = cached_arrays("k", lambda: make(calls), tmp_path)
    assert (
        len(calls) == 2
        and same(arrays, make([]))
        and str(path) in str(heard[0].message)
        and heard[0].filename == __file__
    )
    cached_arrays("k", lambda: make(calls), tmp_path)
    assert len(calls) == 2


@pytest.mark.parametrize("key", ["", "a/b", "../x", ".hidden", "a b", "a\n", "é", "x" * 201, "a\0"])
def test_a_key_that_cannot_name_a_file(tmp_path, key):
    with pytest.raises(ValueError, match="cannot name a file"):
        cached_arrays(key, dict, tmp_path)
    assert not os.listdir(tmp_path)


def test_a_maker_that_fails_leaves_nothing(tmp_path):
    def fail():
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        cached_arrays("k", fail, tmp_path)
    for wrong in ([1, 2], np.array([object()]), np.array(["text"])):
        with pytest.raises(ValueError):
            cached_arrays("k", lambda: {"a": wrong}, tmp_path)
    assert not os.listdir(tmp_path)


RACE = """
import sys, time, warnings
import numpy as np
from pathlib import Path
from pseudolab.io import cached_arrays
warnings.simplefilter("error")
folder, me = Path(sys.argv[1]), sys.argv[2]
(folder / f"ready-{me}").touch()
while len(list(folder.glob("ready-*"))) < 2: time.sleep(.005)
for i in range(60):
    arrays = cached_arrays(f"k{i}", lambda: {"a": np.full((40, 1000), i)}, folder)
    assert (arrays["a"] == i).all() and arrays["a"].shape == (40, 1000)
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
    assert len(list(tmp_path.glob("k*.safetensors"))) == 60 and not list(tmp_path.glob(".*.part"))


# --- mapped


def test_mapped_arrays_are_views_of_the_file(tmp_path):
    calls = []
    cached_arrays("k", lambda: make(calls), tmp_path, mapped=True)
    arrays, copies = (
        cached_arrays("k", lambda: make(calls), tmp_path, mapped=mapped) for mapped in (True, False)
    )
    assert len(calls) == 1 and same(arrays, copies) and same(arrays, make([]))
    root = arrays["a"]
    while isinstance(root.base, np.ndarray):
        root = root.base
    assert isinstance(root, np.memmap)


def test_what_is_written_to_a_mapped_array_stays_in_memory(tmp_path):
    arrays = cached_arrays("k", lambda: make([]), tmp_path, mapped=True)
    arrays = cached_arrays("k", dict, tmp_path, mapped=True)
    arrays["a"][:] = 99
    assert same(cached_arrays("k", dict, tmp_path), make([]))


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_damage_is_noticed_in_a_mapped_file(tmp_path, damage):
    rows = lambda: cached_rows(
        "r", (50, 3), np.uint8, lambda: [np.full((50, 3), 7, np.uint8)], tmp_path
    )
    rows()
    path = tmp_path / "r.safetensors"
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[:-1], "flip": whole[:-1] + bytes([whole[-1] ^ 1])}[damage])
    with pytest.warns(UserWarning, match="damaged"):
        assert (rows() == 7).all()


@pytest.mark.skipif(
    not Path("/proc/self/status").is_file(),
    reason="how much memory is anonymous is known on Linux alone",
)
def test_rows_need_no_room_in_memory(tmp_path):
    "200 MB, of which a block of 1 MB is held at a time; read in a process of its own, with the memory that no file backs looked at before and after"
    code = """if True:
        import sys, numpy as np
        from pathlib import Path
        from pseudolab.io import cached_rows
        used = lambda: next(int(line.split()[1]) * 1024 for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon:"))
        before, most = used(), [0]
        def blocks():
            for at in range(200):
                most[0] = max(most[0], used())
                yield np.full((1000, 1000), at, np.uint8)
        rows = cached_rows("r", (200_000, 1000), np.uint8, blocks, sys.argv[1])
        assert rows[::1000, 0].tolist() == list(range(200))
        print(max(most[0], used()) - before)"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
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
    with tempfile.TemporaryDirectory() as folder:
        blocks = lambda: (rows[at : at + size] for at in range(0, len(rows), size))
        first, again = (cached_rows("r", rows.shape, rows.dtype, blocks, folder) for _ in range(2))
        for got in (first, again):
            assert (
                got.dtype == rows.dtype
                and got.shape == rows.shape
                and got.tobytes() == rows.tobytes()
            )
        # the file is a safetensors file like the others
        copied = cached_arrays("r", dict, folder)["rows"]
        assert copied.shape == rows.shape and copied.tobytes() == rows.tobytes()


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
    "A file of each name, used one second after the other"
    for at, name in enumerate(names):
        cached_arrays(f"{name}-{digest(name)}", lambda: {"a": np.zeros(100)}, folder)
        os.utime(folder / f"{name}-{digest(name)}.safetensors", (at, at))
    return cache_files(folder)[0].bytes


def test_the_longest_unused_goes_first(tmp_path):
    size = fill(tmp_path, "abcde")
    assert [file.kind for file in cache_files(tmp_path)] == list("abcde")
    cached_arrays(f"b-{digest('b')}", dict, tmp_path)  # used
    assert [file.kind for file in prune(3 * size, tmp_path)] == ["a", "c"]
    assert [file.kind for file in cache_files(tmp_path)] == ["d", "e", "b"]


@given(sizes=st.lists(st.integers(0, 50), max_size=6), most=st.integers(0, 40_000))
def test_what_stays_is_within_the_bound_and_no_smaller_than_it_must_be(sizes, most):
    with tempfile.TemporaryDirectory() as folder:
        for at, n in enumerate(sizes):
            cached_arrays(f"k{at}", lambda: {"a": np.zeros(n * 100)}, folder)
            os.utime(Path(folder) / f"k{at}.safetensors", (at, at))
        before = cache_files(folder)
        gone, left = prune(most, folder), cache_files(folder)
        assert before == gone + left and sum(file.bytes for file in left) <= most
        if gone:
            assert sum(file.bytes for file in left) + gone[-1].bytes > most


def test_only_what_the_cache_made_is_deleted(tmp_path):
    fill(tmp_path, "ab")
    others = ["notes.txt", "weights.pt", ".hidden"]
    for name in others:
        (tmp_path / name).write_text("mine")
    old, young = tmp_path / ".0123.part", tmp_path / ".4567.part"
    for part in (old, young):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * io.STALE,) * 2)
    prune(0, tmp_path)
    # somebody may still be writing to the young one
    assert sorted(os.listdir(tmp_path)) == sorted([*others, young.name])


def test_a_bound_below_nothing(tmp_path):
    with pytest.raises(ValueError, match="0 or more"):
        prune(-1, tmp_path)


@pytest.mark.skipif(
    sys.platform == "win32", reason="an open file cannot be deleted there, and is passed over"
)
def test_whoever_reads_keeps_what_he_has(tmp_path):
    rows = cached_rows(
        "r", (1000, 1000), np.uint8, lambda: [np.full((1000, 1000), 5, np.uint8)], tmp_path
    )
    assert len(prune(0, tmp_path)) == 1 and not cache_files(tmp_path) and (rows == 5).all()


READER = """
import sys, warnings
import numpy as np
from pathlib import Path
from pseudolab.io import cached_arrays, cached_rows
warnings.simplefilter("error")
folder = Path(sys.argv[1])
(folder / "ready").touch()
for i in range(300):
    arrays = cached_arrays(f"k{i % 5}", lambda: {"a": np.full((20, 1000), i % 5)}, folder, mapped=i % 2 == 0)
    rows = cached_rows(f"r{i % 3}", (500, 40), np.int16, lambda: [np.full((250, 40), i % 3, np.int16)] * 2, folder) if i % 10 == 0 else np.full(1, i % 3)
    assert (arrays["a"] == i % 5).all() and (rows == i % 3).all()
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
    assert cached_arrays(f"a-{digest('a')}", dict, tmp_path)["a"].sum() == 0


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
    assert shown.exit_code == 0 and all(
        word in shown.output for word in ("features", "pixels", "2 files", "1970-01-01")
    )
    done = command("--prune", f"{size}B")
    assert (
        done.exit_code == 0
        and "1 files deleted" in done.output
        and "pixels" in done.output
        and "features" not in done.output
    )
    assert "0 files" in command("--prune", "0").output and not cache_files()


@pytest.mark.parametrize("size", ["much", "-1GB", "1 XB", ""])
def test_the_command_refuses_what_is_no_size(tmp_path, monkeypatch, size):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "settings.ini").write_text("[pseudolab]\ncache = kept\n")
    done = command("--prune", size)
    assert done.exit_code in (1, 2) and isinstance(done.exception, SystemExit)
