"""A cartoon video drives a real image."""

from toonbench.types import Task

task = Task(
    name="cartoon2real",
    version=2,
    source="real",
    driving="cartoon",
    videos=55,
    images=5,
    motion="relative",
    skip=1,
    metrics=(
        "l1@1",
        "psnr@1",
        "ssim@1",
        "cpbd@1",
        "landmark_nme@1",
        "rig_error@1",
        "rig_corr@1",
        "blink_f1@1",
        "mouth_f1@1",
        "head_pose_deg@1",
    ),
    about="A cartoon video drives a real image.",
    paper="Tables 1, 5, 6, 7: 55 cartoon test videos drive 275 CelebA-HQ images, five each",
)
