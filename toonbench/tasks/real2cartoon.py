"""A real video drives a cartoon image."""

from toonbench.tasks.standard import STANDARD
from toonbench.types import Task

task = Task(
    name="real2cartoon",
    version=4,
    source="cartoon",
    driving="real",
    videos=60,
    images=5,
    motion="relative",
    skip=1,
    metrics=STANDARD,
    about="A real video drives a cartoon image.",
    paper="Tables 1, 5, 6, 7: 60 VoxCeleb test videos drive 300 cartoon images, five each",
)
