"""A real video drives a cartoon image."""

from toonbench.types import Task

task = Task(
    name="real2cartoon",
    version=2,
    source="cartoon",
    driving="real",
    videos=60,
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
    about="A real video drives a cartoon image.",
    paper="Tables 1, 5, 6, 7: 60 VoxCeleb test videos drive 300 cartoon images, five each",
)
