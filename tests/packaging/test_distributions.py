"""Wheel and sdist: they build, hold what they should and nothing else, and work where nothing else of ours is."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IN_SDIST = ("bulkjobs/", "inputs/", "tests/", "README.md", "pyproject.toml")
JUNK = (
    "reports/20260101T000000Z/results.csv",
    "reports/journal.db",
    ".venv/lib/python3/site-packages/other.py",
    "bulkjobs/__pycache__/library.cpython-311.pyc",
    "tests/__pycache__/conftest.cpython-311.pyc",
    "inputs/examples/__pycache__/plain_client.cpython-311.pyc",
    ".mypy_cache/cache.json",
    "dist/old.whl",
    ".coverage",
)


@dataclass(frozen=True, slots=True)
class Built:
    """Both distributions, with the files of the tree that they were built from."""

    sources: frozenset[str]
    wheel: Path
    sdist: Path


def build(tree: Path, *targets: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", *(word for target in targets for word in ("-t", target))],
        cwd=tree,
        check=True,
        capture_output=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Built from a working tree with all that lies about in one."""
    tree = tmp_path_factory.mktemp("tree")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    sources = frozenset(name for name in listed if name and (ROOT / name).is_file())
    for name in (*sources, *JUNK):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes((ROOT / name).read_bytes() if name in sources else b"junk")
    (tree / "dist/old.whl").unlink()
    build(tree, "wheel", "sdist")
    (wheel,), (sdist,) = (tree / "dist").glob("*.whl"), (tree / "dist").glob("*.tar.gz")
    return Built(sources, wheel, sdist)


def test_the_wheel_holds_the_package_and_nothing_else(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as file:
        held = {name for name in file.namelist() if ".dist-info/" not in name}
        about = {name.split("/")[1] for name in file.namelist() if ".dist-info/" in name}
    assert held == {name for name in built.sources if name.startswith("bulkjobs/")}
    assert {"bulkjobs/py.typed", "bulkjobs/graph/builtin.toml"} <= held
    assert any(name.startswith("bulkjobs/report/templates/") for name in held)
    assert about == {"METADATA", "WHEEL", "RECORD", "entry_points.txt"}


def test_the_sdist_holds_what_pyproject_says_and_nothing_else(built: Built) -> None:
    with tarfile.open(built.sdist) as file:
        held = {name.partition("/")[2] for name in file.getnames()}
    expected = {name for name in built.sources if name.startswith(IN_SDIST)}
    assert held == expected | {"PKG-INFO", ".gitignore"}  # hatchling needs the latter to leave out what git does


def test_the_sdist_gives_the_same_wheel(built: Built, tmp_path: Path) -> None:
    with tarfile.open(built.sdist) as file:
        file.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()
    build(tree, "wheel")
    (again,) = (tree / "dist").glob("*.whl")
    assert again.read_bytes() == built.wheel.read_bytes()


def test_every_dependency_has_a_lower_bound_and_none_an_upper_one(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as file:
        (name,) = (name for name in file.namelist() if name.endswith("/METADATA"))
        metadata = file.read(name).decode()
    needed = [line.partition(": ")[2] for line in metadata.splitlines() if line.startswith("Requires-Dist: ")]
    assert needed
    for requirement in needed:
        assert ">=" in requirement, requirement
        assert not any(sign in requirement.partition(";")[0] for sign in ("<", "~", "!", ", ", "==")), requirement


@pytest.fixture(scope="module")
def clean(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``bin`` of an environment with the wheel; the libraries it needs are this environment's, after its own."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, "install", "--quiet",
         "--no-deps", "--no-index", built.wheel],
        check=True,
        capture_output=True,
        timeout=120,
    )  # fmt: skip
    (site,) = (folder / "lib").glob("python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def run(words: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    return subprocess.run(words, cwd=folder, env=kept, check=False, capture_output=True, text=True, timeout=60)


def test_the_installed_program_says_its_version(clean: Path, tmp_path: Path) -> None:
    where = run([clean / "python", "-c", "import bulkjobs.library as it; print(it.__file__)"], tmp_path)
    assert where.stdout.startswith(str(clean.parent)), where.stdout + where.stderr
    said = run([clean / "bulkjobs", "--version"], tmp_path)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.strip().endswith("0.1.0")


def test_the_installed_program_submits_and_reports(clean: Path, tmp_path: Path) -> None:
    said = run([clean / "bulkjobs", "submit", ROOT / "inputs" / "sample.csv", "--sandbox"], tmp_path)
    assert said.returncode == 0, said.stderr
    (report,) = (tmp_path / "reports").glob("*/report.html")
    assert "<html" in report.read_text(encoding="utf-8")
