"""HDR frames (HLG and PQ, BT.2020) as SDR: what a BT.709 screen shows.

Reference white (ITU-R BT.2408: 203 cd/m², a signal of 75 % in HLG and 58 % in PQ) becomes white; brighter parts are
compressed above KNEE. Sources: ITU-R BT.2100 (transfer functions, HLG system gamma), BT.2087 (gamut), IEC 61966-2-1 (sRGB).
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from toonbench.types import Frame

PQ, HLG = 16, 18  # transfer characteristics, ITU-T H.273
TRANSFERS = {PQ: "PQ", HLG: "HLG"}
WHITE = 203.0  # cd/m²
HLG_PEAK, HLG_GAMMA = 1000.0, 1.2
KNEE = 0.9
STEPS = 4096  # of the curve from light to 8 bits
LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)
TO_709 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]], np.float32
)

Light = NDArray[np.float32]


def to_sdr(signal: NDArray[np.uint16], transfer: int) -> Frame:
    """Full-range BT.2020 R'G'B' of 16 bits, (h, w, 3), as 8-bit RGB for a BT.709 screen. `transfer` is PQ or HLG."""
    light = _curve(transfer)[signal]
    if transfer == HLG:
        luma = np.maximum(light @ LUMA, 1e-6)
        light *= (luma ** (HLG_GAMMA - 1))[..., None] * (HLG_PEAK / WHITE)
    shown = np.maximum(light @ TO_709.T, 0)
    peak = shown.max(axis=-1, keepdims=True)
    shown *= _rolled_off(peak) / np.maximum(peak, 1e-6)  # all channels alike, which keeps the hue
    return _encoding()[np.rint(np.sqrt(np.clip(shown, 0, 1)) * (STEPS - 1)).astype(np.int32)]


def _rolled_off(light: Light) -> Light:
    """Light unchanged up to KNEE, then approaching 1."""
    over = np.maximum(light - KNEE, 0) / (1 - KNEE)
    return np.where(light <= KNEE, light, KNEE + (1 - KNEE) * over / (1 + over)).astype(np.float32)


@functools.cache
def _curve(transfer: int) -> Light:
    """Light of every signal of 16 bits: HLG's scene light in [0, 1], or PQ's display light as a multiple of WHITE."""
    signal = np.linspace(0, 1, 65536)
    if transfer == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    else:
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        root = signal ** (1 / m2)
        light = 10_000 / WHITE * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return light.astype(np.float32)


@functools.cache
def _encoding() -> NDArray[np.uint8]:
    """The sRGB value of light whose square root is i / (STEPS - 1)."""
    light = np.linspace(0, 1, STEPS) ** 2
    value = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(255 * value).astype(np.uint8)
