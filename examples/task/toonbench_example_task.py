"""A task of toonbench: a first look at cartoon characters that real videos drive."""

from toonbench import Task

task = Task(
    name="quick",
    version=1,
    source="cartoon",
    driving="real",
    videos=5,
    images=2,
    motion="relative",
    skip=1,  # the target of the first driving frame is the source itself
    metrics=("l1@1", "rig_corr@1", "blink_f1@1"),
    about="Five real videos drive two cartoon images each.",
)
