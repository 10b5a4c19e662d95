"""Speed of the search for near-duplicates by perceptual hashes, against a plain method, in one run.

    OMP_NUM_THREADS=1 python benchmarks/duplicates_speed.py

Clips have random hashes, 12 words of 64 bits, in which one of ten is a copy of another clip with 5 % of the bits changed. `search`
compares every clip with every other one, as it is and mirrored, and stops a pair early (`toonbench.prepare.duplicates.candidates`, one
process). `plain` does the same by numpy's XOR and population count in blocks of rows, without stopping early, on `--plain` clips.
Times are of the CPU. `ratio` is plain over search on these clips. `growth` is the time of the most clips over that of a tenth of them:
100 for a comparison of all pairs. `grouping` is complete linkage of the pairs that were found. Checks that every planted copy is
found and nothing else. Writes results/duplicates_speed.json.
"""

from __future__ import annotations

import argparse
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonbench.prepare.duplicates import MOMENTS, NEAR, candidates, complete_linkage
from toonbench.store import write_json

HERE = Path(__file__).parent
CHANGED = 0.05  # share of the bits of a copy
ROUNDS = 2  # of which the faster one counts
ROWS = 64  # of a block of the plain method

Hashes = NDArray[np.uint64]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=100_000)
    parser.add_argument("--plain", type=int, default=5_000)
    given = parser.parse_args()
    candidates(*made(100)[:2])  # compiles
    counts = (given.plain, given.clips // 10, given.clips)
    runs = [min((searched(count) for _ in range(ROUNDS)), key=lambda run: run["search"]) for count in counts]
    for run in runs:
        print(run, flush=True)
    hashes, mirrored, _ = made(given.plain)
    times: list[float] = []
    for _ in range(ROUNDS):
        start = time.process_time()
        assert plain(hashes, mirrored) == runs[0]["pairs"]
        times.append(time.process_time() - start)
    seconds = min(times)
    result = {
        "what": "CPU seconds to compare all pairs of clips by their hashes, one process",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "runs": runs,
        "plain": {"clips": given.plain, "seconds": round(seconds, 2)},
        "ratio": round(seconds / runs[0]["search"], 1),
        "growth": round(runs[2]["search"] / runs[1]["search"], 1),
    }
    print(result["plain"], result["ratio"], result["growth"])
    write_json(HERE / "results/duplicates_speed.json", result)


def made(count: int) -> tuple[Hashes, Hashes, set[tuple[int, int]]]:
    """Hashes, those of the mirrored clips, and the planted pairs; half of the copies are mirrored."""
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**64, (count, MOMENTS), np.uint64)
    mirrored = random.integers(0, 2**64, (count, MOMENTS), np.uint64)
    copies, planted = count // 10, set[tuple[int, int]]()
    bits = random.random((copies, MOMENTS, 64)) < CHANGED
    noise = np.packbits(bits, axis=2, bitorder="little").view(np.uint64)[..., 0]
    for at in range(copies):
        forms = mirrored if at % 2 else hashes
        forms[count - 1 - at] = hashes[at] ^ noise[at]
        planted.add((at, count - 1 - at))
    return hashes, mirrored, planted


def searched(count: int) -> dict[str, Any]:
    hashes, mirrored, planted = made(count)
    start = time.process_time()
    found = [(one, other) for one, other, _ in candidates(hashes, mirrored)]
    middle = time.process_time()
    names = [f"{number:06}" for number in range(count)]
    groups = complete_linkage(names, [(0.5, names[one], names[other]) for one, other in found])
    end = time.process_time()
    assert set(found) == planted
    assert sum(len(group) == 2 for group in groups) == len(planted)
    return {"clips": count, "pairs": len(found), "search": round(middle - start, 2), "grouping": round(end - middle, 2)}


def plain(hashes: Hashes, mirrored: Hashes) -> int:
    """The number of near pairs."""
    most, found = int(NEAR * 64 * MOMENTS), 0
    for start in range(0, len(hashes), ROWS):
        block = hashes[start : start + ROWS, None]
        apart = np.minimum(*(np.bitwise_count(block ^ forms[None]).sum(axis=2) for forms in (hashes, mirrored)))
        later = np.arange(len(hashes)) > np.arange(start, start + len(block))[:, None]
        found += int(((apart <= most) & later).sum())
    return found


if __name__ == "__main__":
    main()
