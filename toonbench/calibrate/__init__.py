"""How metrics respond to errors of known size: motion errors injected into the rig, damage injected into the images."""

from toonbench.calibrate.errors import ERRORS, MUTED, Error, every_error
from toonbench.calibrate.measure import Setting, calibrate, measurable

__all__ = ["ERRORS", "MUTED", "Error", "Setting", "calibrate", "every_error", "measurable"]
