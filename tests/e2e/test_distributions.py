"""What is published builds, describes itself, and works without the repository."""

import csv
import importlib.util
import os
import subprocess
import sys
import tarfile
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LARGEST, ALL = 10_000_000, 60_000_000  # bytes of a file, and of a distribution
pytestmark = pytest.mark.slow


def run(*words, **options):
    own = {
        name: value for name, value in os.environ.items() if name != "PYTHONPATH"
    }  # a new environment sees what it holds
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False, env=own, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with the wheel and the source distribution; the wheel is built from the source distribution."""
    for package in ("build", "hatchling", "twine"):
        pytest.importorskip(package, reason=f"{package} is missing: pip install -e '.[dev]'")
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    return folder


def test_both_distributions_pass_the_check_of_the_package_index(built):
    assert run(sys.executable, "-m", "twine", "check", "--strict", *sorted(built.iterdir())).count("PASSED") == 2


def test_the_source_distribution_has_no_large_and_no_foreign_files(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
    assert path.stat().st_size < ALL
    assert [member.name for member in members if member.size > LARGEST] == []
    tracked = set(run("git", "ls-files", cwd=ROOT).splitlines()) if (ROOT / ".git").exists() else None
    names = {member.name.partition("/")[2] for member in members} - {"PKG-INFO"}
    if tracked:
        assert names - tracked == set()


def test_the_wheel_evaluates_the_bundled_model_without_the_repository(built, tmp_path):
    """Other packages are those of this Python, by a path file; toonbench's own is that of the wheel."""
    venv.create(tmp_path / "venv")
    (python,) = [path for path in (tmp_path / "venv").glob("*/python*") if path.name in ("python", "python.exe")]
    (site,) = (tmp_path / "venv").glob("[lL]ib/**/site-packages")
    places = {str(Path(importlib.util.find_spec(name).origin).parent.parent) for name in ("torch", "cyclopts", "numpy")}
    shared = "".join(f"import sys; sys.path.append({place!r})\n" for place in sorted(places))
    (site / "shared.pth").write_text(shared)
    (wheel,) = built.glob("*.whl")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "-q", wheel)
    place = run(python, "-c", "import toonbench; print(toonbench.__file__)", cwd=tmp_path).strip()
    assert Path(place).is_relative_to(tmp_path)
    words = ["--task", "real2cartoon", "--limit", "3", "--metrics", "psnr", "rig_corr", "--workers", "1"]
    run(python.parent / "toonbench", "eval", "--method", "toontalker", *words, cwd=tmp_path)
    (scores,) = (tmp_path / "runs").rglob("scores.csv")
    with scores.open() as handle:
        assert [bool(row["psnr@1"]) for row in csv.DictReader(handle)] == [True] * 3


def test_the_check_of_wheels_covers_every_version_that_the_project_allows():
    import check_wheels

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={check_wheels.VERSIONS[0]}"
    assert set(check_wheels.SYSTEMS) > check_wheels.EXCEPTIONS
