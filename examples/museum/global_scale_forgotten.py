"""The gradient of the scales lacks the global scale they are multiplied by."""

import numpy as np
import torch

report = "https://github.com/nerfstudio-project/gsplat/pull/136"
what = "A Gaussian's inverse covariance depends on glob_scale times s; ds lacked the factor glob_scale."
why_unseen = "The author: the test cases were too weak; glob_scale was 1 in them."

ROTATION = np.array([[0.8, -0.6], [0.6, 0.8]])


def forward(s, glob_scale):
    # s (N, 2); R a rotation, m = glob_scale s: y = (R diag(m^2) R^T)^-1 = R diag(m^-2) R^T
    m = glob_scale * s
    return (ROTATION / (m * m)[:, None, :]) @ ROTATION.T, (m, glob_scale)


def wrong(dy, cache):
    m, _ = cache
    diagonal = np.sum((dy @ ROTATION) * ROTATION, axis=1)
    return -2 * diagonal / m**3


def right(dy, cache):
    # forward: y = R diag(m^-2) R^T, m = glob_scale s
    # so:      dm = -2 diag(R^T dy R) / m^3, ds = glob_scale dm
    m, glob_scale = cache
    diagonal = np.sum((dy @ ROTATION) * ROTATION, axis=1)
    return glob_scale * (-2 * diagonal / m**3)


def reference(s, glob_scale):
    R = torch.tensor(ROTATION, dtype=s.dtype)
    return (R / (glob_scale * s).square()[:, None, :]) @ R.T


_s = np.array([[0.5, 1.5], [1.0, 0.7], [2.0, 1.2]])
inputs = [_s, 0.7]
smallest = [np.ones((1, 2)), 2.0], np.array([[[1.0, 0.5], [0.5, 2.0]]])


def own_test(compare):
    """glob_scale is 1; torch.allclose as it comes."""
    return all(torch.allclose(g, e) for g, e in compare([_s, 1.0]))
