"""The tasks of this package, and the metrics that a task takes, in the order of its table.

Metrics that are not available for a pair or on a machine are left out and listed.
"""

# Named here, not found by entry points: an installed plug-in must not change the meaning of a recipe.
STANDARD_TASKS = ("cartoon2real", "cartoon_cross", "real2cartoon", "real_cross", "real_self")

PICTURE = ("l1@1", "psnr@1", "ssim@1", "lpips_alex@1", "stlpips_alex@1", "cpbd@1")
DISTRIBUTION = ("fid@1", "kid@1")
IDENTITY = ("csim_arcface@1", "csim_dinov2@1", "csim_sface@1")
MOTION = ("motion_agreement@1",)
PAPER_MOTION = ("akd_fan68@1", "aed_identity@1", "aed_expression@1")
EXACT_MOTION = ("landmark_nme@1", "rig_error@1", "rig_corr@1", "blink_f1@1", "mouth_f1@1", "head_pose_deg@1")
STANDARD = (*PICTURE, *DISTRIBUTION, *IDENTITY, *MOTION, *PAPER_MOTION, *EXACT_MOTION)
