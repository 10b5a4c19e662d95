"""`doctor`: whether toonbench works on this machine and computes the expected numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from toonbench.commands.shared import Paths, Terminal
from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from toonbench.types import GoldenCheck

LEAST_GB = 1.0  # free disk space below which a run is likely to fail


def doctor(*, goldens: Paths = None, device: str = "auto", terminal: Terminal | None = None) -> int:
    """Check this machine: versions, devices, disk, weights, shipped data, and the metrics' values on golden clips.

    Each check has one line: ok, FAIL, absent or skipped. Absent and skipped are not failures. The exit status is 1 if any line fails.

    Parameters
    ----------
    goldens
        Folders of golden outputs (as in `shared/parity/`), searched with their subfolders. Every case is computed on this machine.
    device
        The device that computes them: auto, cpu, cuda or mps.
    """
    from toonbench.environment import pick_device, record
    from toonbench.store import to_json

    terminal = terminal or Terminal()
    device = pick_device(device)
    places = [place for folder in goldens or () for place in _golden_folders(folder)]
    rows = [*_machine(), *_disk(), *_weights(), _drawing(), *_shipped(), *_golden_clips(device)]
    rows += _run_goldens(places, device=device)
    console = terminal.start()
    failed = [row for row in rows if row["status"] == "FAIL"]
    if terminal.json:
        console.out(to_json({"environment": record(), "device": device, "checks": rows}), end="")
        return 1 if failed else 0
    from rich.table import Table

    from toonbench.report.console import cell

    columns = [name for name in rows[0] if any(row[name] for row in rows)]
    table = Table()
    for name in columns:
        table.add_column(name, overflow="fold", no_wrap=name in ("status", "error", "tolerance"))
    for row in rows:
        style = {"FAIL": "red", "ok": "green"}.get(row["status"], "dim")
        table.add_row(*(cell(row[name], style if name == "status" else "") for name in columns))
    console.print(table)
    console.print(f"{len(rows) - len(failed)} of {len(rows)} checks passed" if failed else "all checks passed")
    return 1 if failed else 0


def _row(check: str, status: str, remark: str = "", *, error: str = "", tolerance: str = "") -> dict[str, str]:
    return {"check": check, "status": status, "error": error, "tolerance": tolerance, "remark": remark}


def _machine() -> list[dict[str, str]]:
    from toonbench.environment import record

    about = record()
    rows = [_row("python", "ok", str(about["python"])), _row("platform", "ok", str(about["platform"]))]
    packages: dict[str, Any] = about["packages"]
    rows += [_row(name, "ok" if version else "absent", str(version or "")) for name, version in packages.items()]
    for device in ("cuda", "mps"):
        rows.append(_row(device, *_device(device)))
    return rows


def _device(name: str) -> tuple[str, str]:
    from toonbench.environment import pick_device

    try:
        pick_device(name)
    except ToonbenchError:
        return "absent", "not on this machine; the CPU is used"
    return "ok", "available"


def _disk() -> Iterator[dict[str, str]]:
    """Free space and permission to write in the folders that toonbench uses by default: caches, weights, the current folder."""
    import os
    import shutil
    from itertools import chain

    from toonbench import weights
    from toonbench.data.open import cache_folder

    for what, place in (("cache", cache_folder()), ("weights", weights.folder()), ("this folder", Path.cwd())):
        there = next(path for path in chain([place.absolute()], place.absolute().parents) if path.exists())
        free = shutil.disk_usage(there).free / 1e9
        if not os.access(there, os.W_OK):
            yield _row(f"disk, {what}", "read-only", f"{place}: its files can be read, but no file can be added")
        else:
            room = free >= LEAST_GB
            advice = "" if room else f", less than {LEAST_GB:g} GB: free some space"
            yield _row(f"disk, {what}", "ok" if room else "FAIL", f"{place}: {free:.0f} GB free{advice}")


def _weights() -> Iterator[dict[str, str]]:
    from toonbench import weights

    for found in map(weights.check, weights.entries().values()):
        name, needed = found.entry.name, ", ".join(found.entry.needed_by)
        get = f"toonbench weights fetch {name}"
        if found.state == "there":
            yield _row(f"weights {name}", "ok", found.note)
        elif found.state == "damaged":
            yield _row(f"weights {name}", "FAIL", f"{found.path}: {found.problem}; {get}")
        else:
            part = "incomplete download; " if found.state == "half" else ""
            yield _row(f"weights {name}", "absent", f"{part}needed by {needed or 'no metric or method'}: {get}")


def _golden_clips(device: str) -> Iterator[dict[str, str]]:
    from toonbench.goldens.pinned import pinned_checks

    for check in pinned_checks(device):
        yield _checked(f"golden clips, {check.case}", check)


def _checked(name: str, check: GoldenCheck) -> dict[str, str]:
    if check.skipped:
        return _row(name, "skipped", check.skipped)
    status = "ok" if check.passed else "FAIL"
    return _row(name, status, error=f"{check.error:.1e}", tolerance=f"{check.tolerance:.1e}")


def _drawing() -> dict[str, str]:
    """Whether a stored picture, drawn again on this machine, equals the stored one."""
    import numpy as np

    from toonbench.data import shipped
    from toonbench.puppets.catalogue import make_look
    from toonbench.puppets.draw.render import render_image
    from toonbench.video import read_image

    root = list(shipped().values())[-1]
    picture = min((root / "images").glob("*.png"))
    with np.load(root / "motion" / f"{picture.stem}.npz", allow_pickle=False) as motion:
        look = make_look(str(motion["style"]), int(motion["look_seed"]))
        drawn = render_image(look, motion["rig"][0], size=int(motion["size"]))
    away = float(np.abs(drawn.astype(np.int16) - read_image(picture)).mean())
    return _row(
        "drawing puppets",
        "ok" if away < 0.05 else "FAIL",
        f"{away:.3f} of 255 mean difference from a picture of {root.name}",
    )


def _shipped() -> list[dict[str, str]]:
    from toonbench.data import load, shipped

    rows: list[dict[str, str]] = []
    for name, root in shipped().items():
        try:
            rows.append(_row(f"data {name}", "ok", f"{len(load(root).clips)} clips, checksums correct"))
        except ToonbenchError as error:
            rows.append(_row(f"data {name}", "FAIL", str(error)))
    return rows


def _golden_folders(folder: Path) -> list[Path]:
    places = sorted({path.parent for path in folder.rglob("*goldens*.json")}) if folder.is_dir() else []
    if not places:
        raise ToonbenchError(f"--goldens {folder}: no *goldens*.json in it or below; give a folder like shared/parity")
    return places


def _run_goldens(places: Iterable[Path], *, device: str) -> Iterable[dict[str, str]]:
    """Run every folder of goldens with the metrics and with each method that has goldens of its own."""
    from toonbench import registry
    from toonbench.goldens.stored import run_goldens

    methods = [registry.load("methods", name) for name in registry.names("methods")]
    for place in places:
        runners = [run_goldens, *(method.run_goldens for method in methods if hasattr(method, "run_goldens"))]
        try:
            for check in (check for runner in runners for check in runner(place, device)):
                yield _checked(f"{place.name}/{check.case}", check)
        except ToonbenchError:
            raise
        except Exception as error:  # damaged goldens may fail in any way
            raise ToonbenchError(
                f"--goldens {place}: its files are not goldens of this version, or are damaged "
                f"({type(error).__name__}: {error}); fetch the folder again"
            ) from error
