"""A real video is rebuilt from its own first frame."""

from toonbench.types import Task

task = Task(
    name="real_self",
    version=2,
    source="real",
    driving="real",
    videos=200,
    images=0,
    motion="absolute",
    skip=0,
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
    about="A real video is rebuilt from its own first frame.",
    paper="Table 2: 200 VoxCeleb test videos",
)
