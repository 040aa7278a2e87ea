"""Energies, residuals and rays."""

import numpy as np


def heat_residual(u, kappa, dt=0.1, dx=0.5):
    """Mean square residual of u_t = (kappa u_x)_x with constant kappa; u (T, X), central differences inside."""
    ut = (u[1:, 1:-1] - u[:-1, 1:-1]) / dt
    uxx = (u[:-1, 2:] - 2 * u[:-1, 1:-1] + u[:-1, :-2]) / dx**2
    res = ut - kappa * uxx
    return np.mean(res**2), (u, kappa, uxx, res, dt, dx)


def heat_residual_grad(cache):
    u, kappa, uxx, res, dt, dx = cache
    g = 2 * res / res.size
    gk = -np.sum(g * uxx)
    gu = np.zeros_like(u)
    gu[1:, 1:-1] += g / dt
    gu[:-1, 1:-1] -= g / dt
    s = -kappa * g / dx**2
    gu[:-1, 2:] += s
    gu[:-1, 1:-1] -= 2 * s
    gu[:-1, :-2] += s
    return gu, gk


def spring_energy(pos, edges, rest, k):
    """pos (N, 2), edges (E, 2) whole numbers, rest (E,), k (E,)"""
    d = pos[edges[:, 0]] - pos[edges[:, 1]]
    length = np.sqrt((d**2).sum(1))
    stretch = length - rest
    return 0.5 * np.sum(k * stretch**2), (pos, edges, k, d, length, stretch)


def spring_energy_grad(cache):
    pos, edges, k, d, length, stretch = cache
    force = (k * stretch / length)[:, None] * d
    gpos = np.zeros_like(pos)
    np.add.at(gpos, edges[:, 0], force)
    np.subtract.at(gpos, edges[:, 1], force)
    return gpos, None, -k * stretch, 0.5 * stretch**2


def lennard_jones(r, eps, sigma):
    s6 = (sigma / r) ** 6
    return 4 * eps * (s6**2 - s6), (r, eps, sigma, s6)


def lennard_jones_grad(g, cache):
    r, eps, sigma, s6 = cache
    dr = g * 4 * eps * (-12 * s6**2 + 6 * s6) / r
    deps = np.sum(g * 4 * (s6**2 - s6))
    dsigma = np.sum(g * 4 * eps * (12 * s6**2 - 6 * s6)) / sigma
    return dr, deps, dsigma


def composite(sigma, rgb, delta):
    """Volume rendering of rays: sigma (R, S), rgb (R, S, 3), delta (R, S) -> (R, 3)"""
    tau = sigma * delta
    alpha = 1 - np.exp(-tau)
    before = np.cumsum(tau, axis=1) - tau
    T = np.exp(-before)
    weights = T * alpha
    return np.einsum("rs,rsc->rc", weights, rgb), (sigma, rgb, delta, tau, T, weights)


def composite_grad(dC, cache):
    sigma, rgb, delta, tau, T, weights = cache
    drgb = weights[:, :, None] * dC[:, None, :]
    dw = np.einsum("rc,rsc->rs", dC, rgb)
    dtau = dw * T * np.exp(-tau)
    # every sample shades all samples behind it
    wd = weights * dw
    behind = np.cumsum(wd[:, ::-1], axis=1)[:, ::-1] - wd
    dtau -= behind
    return dtau * delta, drgb, dtau * sigma


def pendulum(state, params, steps=3, dt=0.2):
    """Symplectic Euler for (angle, speed); params = (g over l, damping)."""
    th, om = state
    k, c = params
    path = []
    for _ in range(steps):
        path.append((th, om))
        om = om + dt * (-k * np.sin(th) - c * om)
        th = th + dt * om
    return np.array([th, om]), (path, params, dt)


def pendulum_grad(dout, cache):
    path, (k, c), dt = cache
    gth, gom = dout
    gk = gc = 0.0
    for th, om in path[::-1]:
        gom = gom + dt * gth
        gk += -dt * np.sin(th) * gom
        gc += -dt * om * gom
        gth = gth - dt * k * np.cos(th) * gom
        gom = gom * (1 - dt * c)
    return np.array([gth, gom]), np.array([gk, gc])
