"""`reenact`: animate one picture with one video."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from toonbench.commands.shared import Seed, Terminal
from toonbench.types import Domain, Motion, ProgramFailed, ToonbenchError


def reenact(
    *,
    source: Path,
    driving: Path,
    out: Path,
    method: str = "landmark-warp",
    checkpoint: Path | None = None,
    motion: Motion = "relative",
    source_domain: Domain | None = None,
    driving_domain: Domain = "real",
    detector: Literal["mtcnn", "yunet", "blazeface", "drawn", "fused"] = "fused",
    crop: Literal["auto", "none", "face"] = "auto",
    mark: Literal["auto", "on", "off"] = "auto",
    device: str = "auto",
    seed: Seed = 0,
    terminal: Terminal | None = None,
) -> int:
    """Animate the face in a picture with the face in a video, and paste it back. Writes OUT and a side-by-side beside it, in H.264.

    Parameters
    ----------
    source
        The picture of the character.
    driving
        The video whose motion the character shows.
    out
        The file to write; its name ends with .mp4.
    method
        A registered method (`toonbench list methods`), `module:Class`, or the TOML file of a program.
    checkpoint
        The method's weights, a file or hf:ORG/NAME[/file]@REV; by default those that toonbench includes.
    motion
        relative moves the source as the driving face moved since its first frame; absolute gives it the driving face's pose.
    source_domain
        Whether the source is a photo (real) or drawn (cartoon); by default cartoon for the method, and unknown for the mark.
    driving_domain
        Whether the driving video is filmed (real) or drawn (cartoon).
    detector
        The face detector; fused asks all that are available.
    crop
        face cuts a square around the face; none takes square pictures as they are; auto keeps square pictures that a face fills.
    mark
        on says in the picture and in the files' metadata that the video was generated; auto does so unless --source-domain is cartoon.
    device
        auto, cpu, cuda or mps.
    """
    from toonbench.environment import pick_device
    from toonbench.generate import MethodSpec, Options
    from toonbench.hub.fetch import checkpoint_file
    from toonbench.prepare.options import Options as Preparation
    from toonbench.reenact import reenact as animate

    terminal = terminal or Terminal()
    console = terminal.start()
    spec = MethodSpec(name=method, device=pick_device(device), checkpoint=checkpoint_file(checkpoint))
    options = Options(motion=motion, seed=seed, source_domain=source_domain or "cartoon", driving_domain=driving_domain)
    marks = mark == "on" or (mark == "auto" and source_domain != "cartoon")
    terminal.message(f"animating {source.name} with {driving.name} by {method}")
    try:
        made = animate(
            source, driving, out, method=spec, options=options, preparation=Preparation(crop=crop, detector=detector),
            mark=marks,
        )  # fmt: skip
    except ProgramFailed as error:
        raise ToonbenchError(f"{error}; log: {_kept(error, out)}") from error
    if marks and source_domain is None:
        terminal.message(
            "the videos are marked as generated; --source-domain cartoon, for a drawing, leaves the mark out"
        )
    for remark in made.remarks:
        terminal.message(f"{driving.name}: {remark}")
    if terminal.json:
        from toonbench.store import to_json

        console.out(to_json({"result": made.result, "side_by_side": made.beside, "frames": made.frames}), end="")
    else:
        console.print(f"{made.frames} frames in {made.result}, side by side in {made.beside}", markup=False)
    return 0


def _kept(error: ProgramFailed, out: Path) -> Path:
    """The file beside OUT with what the program printed."""
    from toonbench.store import write_bytes

    path = out.with_suffix(".log")
    write_bytes(path, error.log.encode("utf-8", "replace"))
    return path
