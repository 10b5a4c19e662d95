"""Whether `motion_agreement` measures what it claims: tests on puppets, whose motion is known, and on stylised copies of real clips."""

from toonbench.calibrate.validity.run import Plan, measure_validity

__all__ = ["Plan", "measure_validity"]
