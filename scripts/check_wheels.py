"""Check that wheels of all dependencies exist, without downloading any: `python scripts/check_wheels.py`; needs `uv` (`pip install uv`).

For each system and each version of Python, uv resolves the dependencies of pyproject.toml, and their dependencies, from wheels alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent / "pyproject.toml"
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
SYSTEMS = {
    "Linux x86-64": "x86_64-manylinux_2_28",
    "Linux aarch64": "aarch64-manylinux_2_28",
    "macOS arm64": "aarch64-apple-darwin",
    "Windows": "x86_64-pc-windows-msvc",
    "macOS Intel": "x86_64-apple-darwin",
}
MACOS = "14.0"  # the oldest version that all packages have wheels for
EXCEPTIONS = {"macOS Intel"}  # the README names them


def command(uv: str, *, platform: str, version: str, extras: tuple[str, ...] = ()) -> list[str]:
    """The command that resolves the project's dependencies for one system and one version of Python."""
    chosen = [word for extra in extras for word in ("--extra", extra)]
    options = ["--only-binary", ":all:", "--no-header", "--no-annotate", "--quiet"]
    return [
        uv,
        "pip",
        "compile",
        str(PROJECT),
        "--python-platform",
        platform,
        "--python-version",
        version,
        *options,
        *chosen,
    ]


def resolved(uv: str, *, platform: str, version: str, extras: tuple[str, ...] = ()) -> tuple[int, str]:
    """The number of packages that would be installed, and why it is 0 if no set of wheels fits."""
    words = command(uv, platform=platform, version=version, extras=extras)
    environment = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": MACOS}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        return 0, " ".join(done.stderr.split())
    return sum(1 for line in done.stdout.splitlines() if "==" in line), ""


def main() -> int:
    uv = shutil.which("uv")
    if uv is None:
        print("uv is missing: pip install uv", file=sys.stderr)
        return 2
    unexpected = 0
    for system, platform in SYSTEMS.items():
        for version in VERSIONS:
            count, reason = resolved(uv, platform=platform, version=version, extras=tuple(sys.argv[1:]))
            unexpected += (count == 0) != (system in EXCEPTIONS)
            print(f"{system:14} Python {version}: {f'{count} wheels' if count else f'no: {reason}'}", flush=True)
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
