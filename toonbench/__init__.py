"""toonbench: benchmark and data toolkit for cross-domain (cartoon and real) face reenactment.

The public names below are loaded when used; importing the package imports neither torch nor anything large.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toonbench.data import load_data
    from toonbench.registry import load_method, load_metric, load_task
    from toonbench.tasks import draw_pairs
    from toonbench.types import Clip, Method, Metric, Pair, Result, Sample, Task, ToonbenchError

__version__ = "0.1.0"

_PLACES = {
    "Clip": "toonbench.types",
    "Metric": "toonbench.types",
    "Method": "toonbench.types",
    "Pair": "toonbench.types",
    "Result": "toonbench.types",
    "Sample": "toonbench.types",
    "Task": "toonbench.types",
    "ToonbenchError": "toonbench.types",
    "draw_pairs": "toonbench.tasks",
    "load_data": "toonbench.data",
    "load_method": "toonbench.registry",
    "load_metric": "toonbench.registry",
    "load_task": "toonbench.registry",
}
__all__ = [
    "Clip",
    "Method",
    "Metric",
    "Pair",
    "Result",
    "Sample",
    "Task",
    "ToonbenchError",
    "__version__",
    "draw_pairs",
    "load_data",
    "load_method",
    "load_metric",
    "load_task",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'toonbench' has no attribute '{name}'")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
