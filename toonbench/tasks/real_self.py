"""A real video is rebuilt from its own first frame."""

from toonbench.tasks.standard import STANDARD
from toonbench.types import Task

task = Task(
    name="real_self",
    version=4,
    source="real",
    driving="real",
    videos=200,
    images=0,
    motion="absolute",
    skip=0,
    metrics=STANDARD,
    about="A real video is rebuilt from its own first frame.",
    paper="Table 2: 200 VoxCeleb test videos",
)
