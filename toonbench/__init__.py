"""toonbench: benchmark and data toolkit for cross-domain (cartoon and real) face reenactment.

The public names below are loaded when used; importing the package imports neither torch nor anything large.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toonbench.data import load_data
    from toonbench.evaluate import Evaluation, Generation, compare, evaluate, generate, score
    from toonbench.registry import load_method, load_metric, load_task
    from toonbench.tasks import draw_pairs
    from toonbench.types import Clip, Frames, Method, Metric, Pair, Result, Rows, Sample, Task, ToonbenchError

__version__ = "0.1.0"

_PLACES = {
    "Clip": "toonbench.types",
    "Evaluation": "toonbench.evaluate",
    "Frames": "toonbench.types",
    "Generation": "toonbench.evaluate",
    "Method": "toonbench.types",
    "Metric": "toonbench.types",
    "Pair": "toonbench.types",
    "Result": "toonbench.types",
    "Rows": "toonbench.types",
    "Sample": "toonbench.types",
    "Task": "toonbench.types",
    "ToonbenchError": "toonbench.types",
    "compare": "toonbench.evaluate",
    "draw_pairs": "toonbench.tasks",
    "evaluate": "toonbench.evaluate",
    "generate": "toonbench.evaluate",
    "load_data": "toonbench.data",
    "load_method": "toonbench.registry",
    "load_metric": "toonbench.registry",
    "load_task": "toonbench.registry",
    "score": "toonbench.evaluate",
}
__all__ = [
    "Clip",
    "Evaluation",
    "Frames",
    "Generation",
    "Method",
    "Metric",
    "Pair",
    "Result",
    "Rows",
    "Sample",
    "Task",
    "ToonbenchError",
    "__version__",
    "compare",
    "draw_pairs",
    "evaluate",
    "generate",
    "load_data",
    "load_method",
    "load_metric",
    "load_task",
    "score",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'toonbench' has no attribute '{name}'")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """This package. `toonbench.score` and its like are functions, also after the modules of these names were imported."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _PLACES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
