"The pages of all releases, laid out for publishing"

import subprocess

import pytest

from support import ROOT
from support.scripts import load_script


@pytest.fixture(scope="module")
def versions():
    return load_script("tools/versions.py")


@pytest.fixture
def checkout(tmp_path):
    "A repository with a tag without pages, three releases, and a later commit"
    root = tmp_path / "checkout"
    root.mkdir()

    def git(*arguments):
        named = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.org"]
        done = ["git", *named, "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"]
        subprocess.run([*done, *arguments], cwd=root, check=True, capture_output=True)

    git("init", "-q")
    (root / "code.py").write_text("")
    git("add", "-A")
    git("commit", "-qm", "before any page")
    git("tag", "v0.0.1")
    (root / "docs" / "lessons").mkdir(parents=True)
    for version in ("0.1.0", "0.1.1", "0.2.0", "today"):
        for place in ("index.html", "lessons/a.html"):
            (root / "docs" / place).write_text(f'<head></head><body class="x">{version}</body>')
        gone = root / "docs" / "lessons" / "gone.html"
        gone.write_text(f"<body>{version}</body>")
        if version == "today":
            gone.unlink()
        git("add", "-A")
        git("commit", "-qm", version)
        if version != "today":
            git("tag", f"v{version}")
    git("tag", "not-a-release")
    return root


def test_a_folder_a_release(versions, checkout, tmp_path):
    out = tmp_path / "published"
    assert versions.lay_out(checkout, out) == ["v0.2.0", "v0.1.1"]
    assert (out / "index.html").read_text() == (checkout / "docs" / "index.html").read_text()
    assert {path.name for path in out.iterdir() if path.is_dir()} == {"lessons", "v0.2.0", "v0.1.1"}
    page = (out / "v0.1.1" / "lessons" / "a.html").read_text()
    assert page.startswith('<head></head><body class="x"><p ') and page.endswith("0.1.1</body>")
    assert "the pages of v0.1.1" in page and 'href="../../lessons/a.html"' in page
    listed = (out / "versions.html").read_text()
    assert listed.index("v0.2.0/index.html") < listed.index("v0.1.1/index.html")
    assert "v0.1.0" not in listed and "v0.0.1" not in listed


def test_every_link_to_today_leads_to_a_page(versions, checkout, tmp_path):
    out = tmp_path / "published"
    versions.lay_out(checkout, out)
    gone = (out / "v0.2.0" / "lessons" / "gone.html").read_text()
    assert 'href="../../index.html"' in gone
    for path in out.glob("v*/**/*.html"):
        (link,) = [part.split('"')[0] for part in path.read_text().split('href="')[1:]]
        assert (path.parent / link).resolve().is_file()


def test_the_newest_few_in_the_order_of_numbers(versions):
    tags = [f"v0.{minor}.{patch}" for minor in range(12) for patch in range(3)]
    kept = versions.kept_releases([*tags, "v1", "v0.12.0rc1", "0.13.0", "latest"])
    assert kept == ["v0.11.2", "v0.10.2", "v0.9.2", "v0.8.2", "v0.7.2"]


def test_a_folder_that_is_there_stays_as_it_is(versions, checkout, tmp_path):
    out = tmp_path / "published"
    out.mkdir()
    with pytest.raises(FileExistsError):
        versions.lay_out(checkout, out)
    assert list(out.iterdir()) == []


def test_git_that_fails_is_quoted(versions, checkout, tmp_path):
    with pytest.raises(RuntimeError, match="git archive .* failed in .*nothing"):
        versions.git(checkout, "archive", "nothing")


def test_the_workflow_publishes_what_this_lays_out():
    text = (ROOT / ".github" / "workflows" / "docs.yml").read_text(encoding="utf-8")
    assert "python tools/versions.py --out published" in text and "path: published" in text
    assert "fetch-depth: 0" in text
