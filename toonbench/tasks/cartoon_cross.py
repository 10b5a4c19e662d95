"""A cartoon video drives an image of another cartoon character."""

from toonbench.tasks.standard import STANDARD
from toonbench.types import Task

task = Task(
    name="cartoon_cross",
    version=4,
    source="cartoon",
    driving="cartoon",
    videos=55,
    images=5,
    motion="relative",
    skip=1,
    metrics=STANDARD,
    about="A cartoon video drives an image of another cartoon character.",
    paper="Table 4: 55 cartoon test videos drive 275 cartoon images, five each",
)
