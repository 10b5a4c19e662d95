"""`doctor`: whether this machine computes what it should."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from toonbench.commands.shared import Paths, Talk
from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from collections.abc import Iterable


def doctor(*, goldens: Paths = None, device: str = "auto", talk: Talk | None = None) -> int:
    """Check this machine: versions, devices, shipped data, and, given goldens, the numbers.

    Parameters
    ----------
    goldens
        Folders of golden outputs (as in `shared/parity/`), searched for goldens below them; every case is computed here.
    device
        Where to compute them: auto, cpu, cuda or mps.
    """
    from toonbench.environment import describe, pick_device
    from toonbench.store import to_json

    talk = talk or Talk()
    device = pick_device(device)
    rows = [*_machine(), _drawing(), *_shipped()]
    for folder in goldens or ():
        rows += _run_goldens(folder, device=device)
    console = talk.start()
    failed = [row for row in rows if row["status"] == "FAIL"]
    if talk.json:
        console.out(to_json({"environment": describe(), "device": device, "checks": rows}), end="")
        return 1 if failed else 0
    from rich.table import Table
    from rich.text import Text

    columns = [name for name in rows[0] if any(row[name] for row in rows)]
    table = Table(*columns)
    for row in rows:
        style = {"FAIL": "red", "ok": "green"}.get(row["status"], "dim")
        table.add_row(*(Text(row[name], style=style if name == "status" else "") for name in columns))
    console.print(table)
    console.print(f"{len(rows) - len(failed)} of {len(rows)} checks are well" if failed else "all is well")
    return 1 if failed else 0


def _row(check: str, status: str, remark: str = "", *, error: str = "", tolerance: str = "") -> dict[str, str]:
    return {"check": check, "status": status, "error": error, "tolerance": tolerance, "remark": remark}


def _machine() -> list[dict[str, str]]:
    from toonbench.environment import describe

    about = describe()
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


def _drawing() -> dict[str, str]:
    """Whether a frozen picture, drawn again here, comes out as it was frozen."""
    import numpy as np

    from toonbench.data import shipped
    from toonbench.puppets.look import make_look
    from toonbench.puppets.render import render_image
    from toonbench.video import read_image

    root = list(shipped().values())[-1]
    picture = min((root / "images").glob("*.png"))
    with np.load(root / "motion" / f"{picture.stem}.npz", allow_pickle=False) as motion:
        look = make_look(str(motion["style"]), int(motion["look_seed"]))
        drawn = render_image(look, motion["rig"][0], size=int(motion["size"]))
    away = float(np.abs(drawn.astype(np.int16) - read_image(picture)).mean())
    return _row("drawing puppets", "ok" if away < 0.05 else "FAIL", f"{away:.3f} of 255 from a picture of {root.name}")


def _shipped() -> list[dict[str, str]]:
    from toonbench.data import load, shipped

    rows: list[dict[str, str]] = []
    for name, root in shipped().items():
        try:
            rows.append(_row(f"data {name}", "ok", f"{len(load(root).clips)} clips, checksums right"))
        except ToonbenchError as error:
            rows.append(_row(f"data {name}", "FAIL", str(error)))
    return rows


def _run_goldens(folder: Path, *, device: str) -> Iterable[dict[str, str]]:
    """Give every folder of goldens to whoever knows its cases: the metrics, or a method."""
    from toonbench import registry
    from toonbench.metrics.goldens import run_goldens

    places = sorted({path.parent for path in folder.rglob("*goldens*.json")}) if folder.is_dir() else []
    if not places:
        raise ToonbenchError(f"--goldens {folder}: no *goldens*.json in it or below; give a folder like shared/parity")
    methods = [registry.load("methods", name) for name in registry.names("methods")]
    for place in places:
        runners = [run_goldens, *(method.run_goldens for method in methods if hasattr(method, "run_goldens"))]
        for check in (check for runner in runners for check in runner(place, device)):
            if check.skipped:
                yield _row(f"{place.name}/{check.case}", "skipped", check.skipped)
            else:
                status = "ok" if check.passed else "FAIL"
                yield _row(
                    f"{place.name}/{check.case}", status, error=f"{check.error:.1e}", tolerance=f"{check.tolerance:.1e}"
                )
