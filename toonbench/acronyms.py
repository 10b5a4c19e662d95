"""Names of metrics in papers that are not registered here: what each one measures, and what is nearest here.

Names are compared without case, dashes, underscores and spaces. Registered names are looked up first, so a package that
registers `fvd` has it. docs/metrics/README.md shows the table.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Acronym:
    """One quantity of papers. `names` are its spellings, `nearest` are metrics here, `note` says how these differ.

    `same` marks a quantity that `nearest` measures under another name.
    """

    names: tuple[str, ...]
    meaning: str
    nearest: tuple[str, ...]
    note: str
    same: bool = False

    def line(self, name: str) -> str:
        """One line about `name`, as the user typed it."""
        if self.same:
            return f"'{name}' ({self.meaning}) is called {' or '.join(self.nearest)} here: {self.note}"
        return f"'{name}' ({self.meaning}) is not measured here; {' or '.join(self.nearest)} is nearest, but another quantity: {self.note}"


def acronym(name: str) -> Acronym | None:
    """What papers mean by a name, None for an unknown one."""
    return _by_key().get(key(name))


def key(name: str) -> str:
    """A name for comparison: `LSE-D`, `lse_d` and `Lse D` are `lsed`."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name).casefold())


@functools.cache
def _by_key() -> dict[str, Acronym]:
    return {key(name): one for one in ACRONYMS for name in one.names}


def _other(names: str, meaning: str, nearest: str, note: str) -> Acronym:
    return Acronym(names=_names(names), meaning=meaning, nearest=tuple(nearest.split()), note=note)


def _same(names: str, meaning: str, nearest: str, note: str) -> Acronym:
    return Acronym(names=_names(names), meaning=meaning, nearest=tuple(nearest.split()), note=note, same=True)


def _names(names: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(","))


_SOUND = "no metric here reads sound; mouth_f1 compares openings of the mouth with the target's (puppets)"
_FID = "fid compares single frames, so it shows no errors of time"
_KID = "kid compares single frames, so it shows no errors of time"
_CPBD = "cpbd measures sharpness alone, not a learned rating of quality"
_POSE = "that is the angle to the ground-truth pose in degrees (puppets), not a difference of estimated coefficients"

ACRONYMS: tuple[Acronym, ...] = (
    _other("APD, average pose distance, pose distance, pose error", "average pose distance", "head_pose_deg", _POSE),
    _other("HPE, head pose error, PRMSE, head pose distance", "head pose error", "head_pose_deg", _POSE),
    _other("ARD, average rotation distance", "average rotation distance of the head", "head_pose_deg", _POSE),
    _same("average expression distance, expression distance, AED-exp", "average expression distance", "aed_expression",
          "from 51 blendshapes, not from 3D face coefficients; do not compare it with numbers of papers"),
    _same("average euclidean distance, identity distance, AED-id", "average Euclidean distance of embeddings", "aed_identity",
          "squared distance of OpenFace embeddings, as FOMM computes it"),
    _same("average keypoint distance, keypoint distance", "average keypoint distance", "akd_fan68",
          "68 landmarks, in pixels at 256 x 256"),
    _other("MKR, missing keypoint rate", "missing keypoint rate", "akd_fan68",
           "akd_fan68 counts a frame without a face as its worst case; the share of such frames is no number of its own"),
    _other("LMD, landmark distance, F-LMD", "landmark distance of face or mouth, in pixels", "akd_fan68 landmark_nme",
           "both use all landmarks of the face; akd_fan68 is in pixels, landmark_nme in distances between the eyes (puppets)"),
    _other("M-LMD, LMD-M, mouth landmark distance", "mouth landmark distance", "mouth_f1 landmark_nme",
           "mouth_f1 compares openings of the mouth in time, landmark_nme all landmarks of the face (both for puppets)"),
    _same("NME, normalised mean error, normalized mean error", "normalised mean error of landmarks", "landmark_nme",
          "for puppets, by our landmark network; a frame without the face counts as 1"),
    _other("AVD, average vertex distance, vertex error, LVE", "vertex distance of a fitted 3D face", "landmark_nme rig_error",
           "no 3D face is fitted here; both compare estimated 2D landmarks or rig values with ground-truth motion (puppets)"),
    _other("EMO, EMO-sim, emotion accuracy, emotion similarity, Acc-emo", "agreement of recognised emotions", "aed_expression",
           "aed_expression compares blendshapes frame by frame, not classes of emotion"),
    _other("AUCON, AU error, action unit error, FAU", "agreement of facial action units", "aed_expression",
           "aed_expression compares 51 blendshapes as numbers, not action units as on or off"),
    _other("MAE gaze, gaze error, AGD, average gaze distance", "error of the gaze direction", "rig_error",
           "gaze is two of the 18 rig channels of its mean (puppets)"),
    _other("FVD, FVD16, Fréchet video distance, frechet video distance", "Fréchet video distance, of I3D features of clips",
           "fid", _FID),
    _other("FID-VID, FID-FVD, VFID, video FID", "Fréchet distance of 3D network features of clips", "fid", _FID),
    _other("KVD, kernel video distance", "kernel distance of features of clips", "kid", _KID),
    _other("IS, inception score", "Inception score", "fid kid",
           "both compare with reference pictures; IS compares with nothing and was made for classes of ImageNet"),
    _other("LSE-D, LSE_distance", "lip-sync error, distance of SyncNet", "mouth_f1", _SOUND),
    _other("LSE-C, LSE_confidence", "lip-sync error, confidence of SyncNet", "mouth_f1", _SOUND),
    _other("LSE, Sync, SyncNet, Sync-C, Sync-D, Syncconf, Syncdist, sync score, AV offset, lip sync", "lip sync by SyncNet",
           "mouth_f1", _SOUND),
    _other("CCLAP, CLAP, CAPP, CLAP-sim", "a contrastive network's agreement of sound with motion, by most uses of the name",
           "mouth_f1", _SOUND),
    _other("BAS, beat align, beat alignment score", "agreement of motion with beats of sound", "rig_corr",
           "rig_corr compares curves of motion with the target's, without sound (puppets)"),
    _same("ID-sim, IDS, ID, ID similarity, identity similarity, identity preservation, ArcFace, ISIM, cosine similarity, "
          "cosine sim, cosim, face similarity, FaceSim", "cosine similarity of face embeddings", "csim_arcface",
          "each frame with the source; csim_sface has free weights, csim_dinov2 is for drawn faces"),
    _other("CLIP, CLIP-sim, CLIP-I, CLIP score, CLIP-S, CLIP-IQA, CLIP-T", "similarity or rating by CLIP", "csim_dinov2",
           "cosine similarity to the source, by DINOv2 instead of CLIP; nothing here reads text"),
    _same("DINO, DINO-I, DINO-sim, DINOv2", "similarity of DINO features", "csim_dinov2", "DINOv2 ViT-S/14, with the source"),
    _other("IQA, NIQE, MUSIQ, BRISQUE, PIQE, MANIQA, NIMA, Q-Align, TOPIQ, image quality", "image quality without a reference", "cpbd",
           _CPBD),
    _other("DOVER, FAST-VQA, VQA, VBench, aesthetic score, LAION aesthetic", "rated quality of videos", "cpbd", _CPBD),
    _other("PSNR-Y, Y-PSNR", "PSNR of luma", "psnr", "psnr is over RGB, so errors of colour count, too"),
    _other("MS-SSIM, multi-scale SSIM, SSIM-Y, FSIM, VIF", "structural similarity at several scales or of other features",
           "ssim", "ssim has one scale, over RGB, with a Gaussian window"),
    _other("DISTS, PieAPP, DreamSim, perceptual loss, perceptual distance", "learned perceptual distance",
           "lpips_alex lpips_vgg", "LPIPS uses another network, which counts small shifts of texture as errors"),
    _same("ST-LPIPS, shift-tolerant LPIPS", "shift-tolerant LPIPS", "stlpips_alex", "with AlexNet, as the authors' package has it"),
    _other("JOD, FovVideoVDP, ColorVideoVDP, CVVDP, VMAF, VQM, FLIP", "visible difference of videos on a display", "ssim lpips_alex",
           "both compare single frames and know no display or viewing distance"),
    _same("L2, MSE, RMSE", "mean squared error", "psnr", "it is -10 log10 of the mean squared error of values in [0, 1]"),
    _same("MAE, mean absolute error, L1 loss, L1 distance", "mean absolute error", "l1", "on values in [0, 1]"),
    _other("tOF, E-warp, warping error, warp error, temporal consistency, flicker, tLP", "change from frame to frame by optical flow",
           "rig_corr", "rig_corr compares motion in time with the target's (puppets); nothing here measures flicker"),
)  # fmt: skip
