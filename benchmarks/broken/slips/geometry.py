"""Cameras, rotations, kernels and images in NumPy."""

import torch

from ..draws import between
from ..table import enter


def rotate(q, v):
    w, x, y, z = (q / q.norm()).unbind()
    u = torch.stack([x, y, z]).expand_as(v)
    t = 2 * torch.linalg.cross(u, v)
    return v + w * t + torch.linalg.cross(u, t)


enter(
    "NumPy",
    "geometry.rotate_by_quaternion",
    "rotate_by_quaternion_backward",
    rotate,
    [(4,), (3, 3)],
    [(4,), (5, 3)],
    [
        ("transpose", "R not transposed: the inverse rotation", "dv = dout @ R\n", "dv = dout @ R.T\n"),
        ("transpose", "M the other way round", "M = dout.T @ v", "M = v.T @ dout"),
        ("sign", "one sign in dx", "w * (M[2, 1] - M[1, 2])) - 4 * x", "w * (M[1, 2] - M[2, 1])) - 4 * x"),
        ("missing path", "the normalisation held fixed", "dq = (du - u * (u @ du)) / n", "dq = du / n"),
        ("constant", "2 for 4 on the diagonal", "- 4 * y * (M[0, 0] + M[2, 2])", "- 2 * y * (M[0, 0] + M[2, 2])"),
        (
            "copy-paste",
            "dz with the diagonal entries of dy",
            "- 4 * z * (M[0, 0] + M[1, 1])",
            "- 4 * z * (M[0, 0] + M[2, 2])",
        ),
    ],
)


def near(*size):
    """Points in front of the camera."""
    return lambda rng: rng.uniform(0.5, 2, size)


enter(
    "NumPy",
    "geometry.project",
    "project_backward",
    lambda p, f, c: p[:, :2] / p[:, 2:] * f + c,
    [near(4, 3), (2,), (2,)],
    [near(2, 3), (2,), (2,)],
    [
        ("sign", "depth's sign", "dpoints[:, 2] = -np.sum", "dpoints[:, 2] = np.sum"),
        ("missing factor", "depth divided once", "np.sum(duv * uv, axis=1) / points[:, 2]", "np.sum(duv * uv, axis=1)"),
        ("missing factor", "focal length forgotten", "duv = dpix * f", "duv = dpix"),
        (
            "stale variable",
            "focal lengths' gradient from duv",
            "return dpoints, np.sum(dpix * uv, axis=0)",
            "return dpoints, np.sum(duv * uv, axis=0)",
        ),
        (
            "results' order",
            "focal lengths and centre exchanged",
            "np.sum(dpix * uv, axis=0), np.sum(dpix, axis=0)",
            "np.sum(dpix, axis=0), np.sum(dpix * uv, axis=0)",
        ),
    ],
)


enter(
    "NumPy",
    "geometry.rbf_kernel",
    "rbf_kernel_backward",
    lambda A, B, s: torch.exp(-0.5 * ((A[:, None] - B) ** 2).sum(-1) * torch.exp(-2 * s)),
    [(3, 2), (4, 2), ()],
    [(2, 3), (3, 3), ()],
    [
        ("sign", "distances' sign", "g_sq = -0.5 * GK", "g_sq = 0.5 * GK"),
        (
            "axis",
            "B's sum over its own index",
            "(B * g_sq.sum(0)[:, None] - g_sq.T @ A)",
            "(B * g_sq.mean(0)[:, None] - g_sq.T @ A)",
        ),
        ("missing path", "the cross term forgotten", "- g_sq @ B)", ")"),
        ("missing factor", "K not multiplied again", "GK = G * K", "GK = G"),
        (
            "constant",
            "exp(-s) for exp(-2s)",
            "np.sum(GK * sq) * np.exp(-2 * log_len)",
            "np.sum(GK * sq) * np.exp(-log_len)",
        ),
    ],
)


enter(
    "NumPy",
    "geometry.mahalanobis",
    "mahalanobis_backward",
    lambda x, m, L: (((x - m) @ L) ** 2).sum(1),
    [(4, 3), (3,), (3, 3)],
    [(3, 2), (2,), (2, 2)],
    [
        ("transpose", "square L not transposed", "gx = dd @ L.T", "gx = dd @ L"),
        ("missing factor", "the two", "dd = 2 * g[:, None] * d", "dd = g[:, None] * d"),
        ("wrong cached array", "d for the residual in L's gradient", "r.T @ dd", "d.T @ dd"),
        ("broadcasting", "the mean's gradient not summed", "return gx, -gx.sum(0),", "return gx, -gx,"),
        ("sign", "the mean's sign", "return gx, -gx.sum(0),", "return gx, gx.sum(0),"),
    ],
)


def bilinear(img, pts):
    i = pts.detach().floor().long()
    y, x = (pts - i).T
    r, c = i.T
    top = img[r, c] * (1 - x) + img[r, c + 1] * x
    return top * (1 - y) + (img[r + 1, c] * (1 - x) + img[r + 1, c + 1] * x) * y


enter(
    "NumPy",
    "geometry.sample_bilinear",
    "sample_bilinear_backward",
    bilinear,
    [(4, 5), between(0.1, 2.9, 10, 2)],
    [(3, 3), between(0.1, 1.9, 4, 2)],
    [
        (
            "wrong index",
            "corner c + 1 gets the lower row's share",
            "dimg, (r, c + 1), dval * fx * (1 - fy)",
            "dimg, (r, c + 1), dval * fx * fy",
        ),
        (
            "= for +=",
            "corners hit twice keep one",
            "np.add.at(dimg, (r, c), dval * (1 - fx) * (1 - fy))",
            "dimg[r, c] = dval * (1 - fx) * (1 - fy)",
        ),
        (
            "wrong index",
            "rows and columns exchanged in the result",
            "np.stack([drow, dcol], axis=1)",
            "np.stack([dcol, drow], axis=1)",
        ),
        (
            "operand order",
            "fx and 1 - fx exchanged",
            "((e - a) * (1 - fx) + (f - b) * fx)",
            "((e - a) * fx + (f - b) * (1 - fx))",
        ),
        (
            "copy-paste",
            "the row's weights for the column",
            "((b - a) * (1 - fy) + (f - e) * fy)",
            "((b - a) * (1 - fx) + (f - e) * fx)",
        ),
    ],
)
