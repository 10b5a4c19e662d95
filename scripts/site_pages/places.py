"""Which documents of the repository are pages of the site, and where."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

ABOUT = ("CONTRIBUTING", "CHANGELOG", "SECURITY", "CODE_OF_CONDUCT")
FOLDERS = ("leaderboards", "examples", "benchmarks")  # their README.md is a page
LEFT_OUT = ("docs/metrics/notes/", "docs/metrics/calibration/rows/")  # parts of other pages


def page_of(root: Path) -> dict[str, str]:
    """The page of each document: paths below the repository to paths below the site, such as `README.md` to `index.md`."""
    pages = {"README.md": "index.md"}
    pages |= {f"{name}.md": f"about/{name.lower()}.md" for name in ABOUT}
    pages |= {f"{name}/README.md": f"{name}.md" for name in FOLDERS}
    pages |= {path: f"design/{PurePosixPath(path).name.lower()}" for path in _found(root, "design/*.md")}
    pages |= {path: f"cards/{card_name(path)}.md" for path in cards(root)}
    pages |= {path: path.removeprefix("docs/") for path in _found(root, "docs/**/*.md")}
    return {path: page for path, page in pages.items() if (root / path).is_file() and not path.startswith(LEFT_OUT)}


def cards(root: Path) -> list[str]:
    """The cards of weights and of shipped data sets."""
    patterns = (
        "toontalker/weights/*.md",
        "baselines/*/weights/*.md",
        "toonbench/networks/weights/*.md",
        "toonbench/puppets/frozen/*/README.md",
    )
    return [path for pattern in patterns for path in _found(root, pattern)]


def card_name(path: str) -> str:
    """`fomm` for `baselines/fomm/weights/README.md`, `landmarks` for `toonbench/networks/weights/landmarks.md`."""
    place = PurePosixPath(path)
    if place.stem != "README":
        return place.stem
    folder = place.parent
    return (folder.parent if folder.name == "weights" else folder).name.replace("@", "-")


def _found(root: Path, pattern: str) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.glob(pattern))
