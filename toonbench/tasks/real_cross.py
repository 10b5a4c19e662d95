"""A real video drives an image of another real person."""

from toonbench.tasks.standard import STANDARD
from toonbench.types import Task

task = Task(
    name="real_cross",
    version=4,
    source="real",
    driving="real",
    videos=200,
    images=5,
    motion="relative",
    skip=1,
    metrics=STANDARD,
    about="A real video drives an image of another real person.",
    paper="Table 3: 200 VoxCeleb test videos drive 1,000 CelebA-HQ images, five each",
)
