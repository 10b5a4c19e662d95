"""A real video drives an image of another real person."""

from toonbench.types import Task

task = Task(
    name="real_cross",
    version=2,
    source="real",
    driving="real",
    videos=200,
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
    about="A real video drives an image of another real person.",
    paper="Table 3: 200 VoxCeleb test videos drive 1,000 CelebA-HQ images, five each",
)
