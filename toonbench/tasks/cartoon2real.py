"""A cartoon video drives a real image."""

from toonbench.tasks.standard import STANDARD
from toonbench.types import Task

task = Task(
    name="cartoon2real",
    version=4,
    source="real",
    driving="cartoon",
    videos=55,
    images=5,
    motion="relative",
    skip=1,
    metrics=STANDARD,
    about="A cartoon video drives a real image.",
    paper="Tables 1, 5, 6, 7: 55 cartoon test videos drive 275 CelebA-HQ images, five each",
)
