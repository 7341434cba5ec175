"""Drawing tools of the generators: soft edges and the noise of a camera."""

from __future__ import annotations

import numpy as np

from .._base.scalar_checks import check_number

#: The largest overlap, noise or variance: beyond it there is nothing but noise, or what no float
#: holds.
MOST_NOISE = 1e9


def check_noise(noise: float) -> float:
    """Return a standard deviation of noise as a float."""
    return check_number(noise, "noise", 0.0, MOST_NOISE)


def coverage(distance: np.ndarray, extent: float | np.ndarray, pixel: float = 1.0) -> np.ndarray:
    """Return the share of a pixel this far from the middle that a shape of this extent covers."""
    return np.clip((extent - distance) / pixel + 0.5, 0.0, 1.0)


def photograph(scene: np.ndarray, noise: float, random_state: np.random.RandomState) -> np.ndarray:
    """Return grey levels in [0, 1], float32, with noise of this standard deviation."""
    images = scene + random_state.normal(scale=check_noise(noise), size=scene.shape)
    return images.clip(0.0, 1.0).astype(np.float32)
