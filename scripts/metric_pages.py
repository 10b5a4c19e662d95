"""Write docs/metrics/<name>.md and its README.md: `python scripts/metric_pages.py`, after changing a docstring or notes.

`--pictures` also measures and draws the failure cases (half a minute). `--check` only lists the outdated pages.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from metric_docs.failure_pictures import draw_cases
from metric_docs.pages import make_pages
from toonbench.store import write_bytes
from toonbench.types import ToonbenchError

DOCS = Path(__file__).parent.parent / "docs" / "metrics"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", action="store_true")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.pictures and not options.check:
        draw_cases(DOCS / "images")
    try:
        pages = {DOCS / name: text.encode() for name, text in make_pages(DOCS).items()}
    except ToonbenchError as error:
        print(error, file=sys.stderr)
        return 2
    old = [path for path, text in pages.items() if not path.is_file() or path.read_bytes() != text]
    for path in old:
        if not options.check:
            write_bytes(path, pages[path])
        print(f"{'outdated' if options.check else 'written'}: {path}")
    return 1 if options.check and old else 0


if __name__ == "__main__":
    sys.exit(main())
