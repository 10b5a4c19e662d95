"""A metric of toonbench: the distance of mean colours."""

import numpy as np

from toonbench import Metric, Sample, ToonbenchError


class ColourShift(Metric):
    """Distance of the mean colours of a generated frame and its target, in grey levels; 0 is equal.

    A video that shows the wrong character in the right pose is noticed only if the colours differ.
    """

    name = "colour_shift"
    higher_is_better = False
    needs = frozenset({"target"})
    bounds = (0.0, 255.0)

    def measure(self, sample: Sample) -> np.ndarray:
        """One distance for each frame, (frames, 1) float32."""
        if sample.target is None:
            raise ToonbenchError(f"{self.name} needs a target and pair '{sample.pair.id}' has none")
        generated, target = (frames.mean(axis=(1, 2)) for frames in (sample.generated, sample.target))
        return np.abs(generated - target).mean(axis=1, keepdims=True).astype(np.float32)
