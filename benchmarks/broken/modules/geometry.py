"""Cameras, rotations, kernels: small pieces of 3D and of Gaussian processes."""

import numpy as np


def rotate_by_quaternion(q, v):
    """v (N, 3) rotated by q (4,) = w, x, y, z, which is normalised first."""
    n = np.sqrt(np.sum(q * q))
    w, x, y, z = q / n
    R = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return v @ R.T, (q, n, R, v)


def rotate_by_quaternion_backward(dout, cache):
    q, n, R, v = cache
    w, x, y, z = u = q / n
    dv = dout @ R
    M = dout.T @ v
    dw = 2 * (x * (M[2, 1] - M[1, 2]) + y * (M[0, 2] - M[2, 0]) + z * (M[1, 0] - M[0, 1]))
    dx = 2 * (y * (M[1, 0] + M[0, 1]) + z * (M[2, 0] + M[0, 2]) + w * (M[2, 1] - M[1, 2])) - 4 * x * (M[1, 1] + M[2, 2])
    dy = 2 * (x * (M[1, 0] + M[0, 1]) + w * (M[0, 2] - M[2, 0]) + z * (M[1, 2] + M[2, 1])) - 4 * y * (M[0, 0] + M[2, 2])
    dz = 2 * (w * (M[1, 0] - M[0, 1]) + x * (M[2, 0] + M[0, 2]) + y * (M[1, 2] + M[2, 1])) - 4 * z * (M[0, 0] + M[1, 1])
    du = np.array([dw, dx, dy, dz])
    dq = (du - u * (u @ du)) / n
    return dq, dv


def project(points, f, c):
    """Pinhole camera: points (N, 3) with positive depth, focal lengths f (2,), centre c (2,)."""
    uv = points[:, :2] / points[:, 2:]
    return uv * f + c, (points, uv, f)


def project_backward(dpix, cache):
    points, uv, f = cache
    duv = dpix * f
    dpoints = np.empty_like(points)
    dpoints[:, :2] = duv / points[:, 2:]
    dpoints[:, 2] = -np.sum(duv * uv, axis=1) / points[:, 2]
    return dpoints, np.sum(dpix * uv, axis=0), np.sum(dpix, axis=0)


def rbf_kernel(A, B, log_len):
    sq = (A**2).sum(1)[:, None] + (B**2).sum(1)[None, :] - 2 * A @ B.T
    K = np.exp(-0.5 * sq * np.exp(-2 * log_len))
    return K, (A, B, sq, K, log_len)


def rbf_kernel_backward(G, cache):
    A, B, sq, K, log_len = cache
    GK = G * K
    g_sq = -0.5 * GK * np.exp(-2 * log_len)
    gA = 2 * (A * g_sq.sum(1)[:, None] - g_sq @ B)
    gB = 2 * (B * g_sq.sum(0)[:, None] - g_sq.T @ A)
    g_len = np.sum(GK * sq) * np.exp(-2 * log_len)
    return gA, gB, g_len


def mahalanobis(x, mu, L):
    """Squared distances of the rows of x under the precision L L^T."""
    d = (x - mu) @ L
    return (d * d).sum(1), (x - mu, d, L)


def mahalanobis_backward(g, cache):
    r, d, L = cache
    dd = 2 * g[:, None] * d
    gx = dd @ L.T
    return gx, -gx.sum(0), r.T @ dd


def sample_bilinear(img, pts):
    """img (H, W) read at pts (N, 2) = row, column inside the image."""
    i = np.floor(pts).astype(int)
    fy, fx = (pts - i).T
    r, c = i.T
    a, b = img[r, c], img[r, c + 1]
    e, f = img[r + 1, c], img[r + 1, c + 1]
    val = (a * (1 - fx) + b * fx) * (1 - fy) + (e * (1 - fx) + f * fx) * fy
    return val, (img.shape, r, c, fy, fx, a, b, e, f)


def sample_bilinear_backward(dval, cache):
    shape, r, c, fy, fx, a, b, e, f = cache
    dimg = np.zeros(shape)
    np.add.at(dimg, (r, c), dval * (1 - fx) * (1 - fy))
    np.add.at(dimg, (r, c + 1), dval * fx * (1 - fy))
    np.add.at(dimg, (r + 1, c), dval * (1 - fx) * fy)
    np.add.at(dimg, (r + 1, c + 1), dval * fx * fy)
    drow = dval * ((e - a) * (1 - fx) + (f - b) * fx)
    dcol = dval * ((b - a) * (1 - fy) + (f - e) * fy)
    return dimg, np.stack([drow, dcol], axis=1)
