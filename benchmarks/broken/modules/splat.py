"""Render sorted 2D gaussians onto pixels, front to back, as in gaussian splatting. Gradients for all parameters."""

import numpy as np


def render(centers, conics, opacity, color, pixels):
    """centers (G, 2), conics (G, 3) = a, b, c of the inverse covariance, opacity (G,), color (G, 3), pixels (P, 2)"""
    P, G = len(pixels), len(centers)
    out = np.zeros((P, 3))
    T = np.ones(P)
    saved = []
    for g in range(G):
        d = pixels - centers[g]
        a, b, c = conics[g]
        power = -0.5 * (a * d[:, 0] ** 2 + c * d[:, 1] ** 2) - b * d[:, 0] * d[:, 1]
        w = np.exp(power)
        alpha = opacity[g] * w
        out += (T * alpha)[:, None] * color[g]
        saved.append((d, w, alpha, T))
        T = T * (1 - alpha)
    return out, (saved, centers, conics, opacity, color, pixels)


def render_backward(dout, cache):
    saved, centers, conics, opacity, color, pixels = cache
    dcenters = np.zeros_like(centers)
    dconics = np.zeros_like(conics)
    dopacity = np.zeros_like(opacity)
    dcolor = np.zeros_like(color)
    dpixels = np.zeros_like(pixels)
    dT = np.zeros(len(pixels))  # gradient of the transmittance behind the current gaussian
    for g in reversed(range(len(centers))):
        d, w, alpha, T = saved[g]
        a, b, c = conics[g]
        dcolor[g] = (T * alpha) @ dout
        dot = dout @ color[g]
        dalpha = T * dot - T * dT
        dT = alpha * dot + (1 - alpha) * dT
        dopacity[g] = np.sum(dalpha * w)
        dpower = dalpha * opacity[g] * w
        dconics[g, 0] = np.sum(-0.5 * d[:, 0] ** 2 * dpower)
        dconics[g, 1] = np.sum(-d[:, 0] * d[:, 1] * dpower)
        dconics[g, 2] = np.sum(-0.5 * d[:, 1] ** 2 * dpower)
        ddx = -(a * d[:, 0] + b * d[:, 1]) * dpower
        ddy = -(c * d[:, 1] + b * d[:, 0]) * dpower
        dcenters[g, 0] = -np.sum(ddx)
        dcenters[g, 1] = -np.sum(ddy)
        dpixels[:, 0] += ddx
        dpixels[:, 1] += ddy
    return dcenters, dconics, dopacity, dcolor, dpixels
