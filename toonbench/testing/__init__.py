"""The conformance suite: laws that every metric, method and task keeps, also those of plug-ins. `toonbench check` runs it."""

from toonbench.testing.find import Plugin, find
from toonbench.testing.laws import Outcome
from toonbench.testing.subjects import Setting, check

__all__ = ["Outcome", "Plugin", "Setting", "check", "find"]
