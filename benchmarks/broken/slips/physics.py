"""Energies, residuals and rays in NumPy."""

import torch

from ..draws import positive
from ..table import enter


def heat(u, kappa):
    ut = (u[1:, 1:-1] - u[:-1, 1:-1]) / 0.1
    return ((ut - kappa * u[:-1].diff(dim=1).diff(dim=1) / 0.25) ** 2).mean()


enter(
    "NumPy",
    "physics.heat_residual",
    "heat_residual_grad",
    heat,
    [(3, 5), ()],
    [(4, 4), ()],
    [
        ("missing factor", "the two at the centre", "gu[:-1, 1:-1] -= 2 * s", "gu[:-1, 1:-1] -= s"),
        ("wrong index", "space differences at the later time", "gu[:-1, 2:] += s", "gu[1:, 2:] += s"),
        ("sign", "the right neighbour's sign", "gu[:-1, 2:] += s", "gu[:-1, 2:] -= s"),
        ("missing square", "dx not squared", "s = -kappa * g / dx**2", "s = -kappa * g / dx"),
        ("count", "the mean forgotten", "g = 2 * res / res.size", "g = 2 * res"),
        (
            "= for +=",
            "the later time overwritten",
            "gu[1:, 1:-1] += g / dt",
            "gu[1:, 1:-1] += g / dt\n    gu[:-1, 1:-1] = 0",
        ),
    ],
)


def springs(pos, edges, rest, k):
    return 0.5 * (k * (((pos[edges[:, 0]] - pos[edges[:, 1]]) ** 2).sum(1).sqrt() - rest) ** 2).sum()


def chain(n):
    """Edges from one particle to the next, and one across."""
    return lambda rng: rng.permutation([[i, i + 1] for i in range(n - 1)] + [[0, n - 1]])


enter(
    "NumPy",
    "physics.spring_energy",
    "spring_energy_grad",
    springs,
    [(4, 2), chain(4), positive(4), positive(4)],
    [(5, 3), chain(5), positive(5), positive(5)],
    [
        (
            "sign",
            "no opposite force",
            "np.subtract.at(gpos, edges[:, 1], force)",
            "np.add.at(gpos, edges[:, 1], force)",
        ),
        ("missing factor", "direction not normalised", "(k * stretch / length)[:, None]", "(k * stretch)[:, None]"),
        (
            "= for +=",
            "particles of several springs keep one",
            "np.add.at(gpos, edges[:, 0], force)",
            "gpos[edges[:, 0]] += force",
        ),
        ("missing factor", "the half in k's gradient", "0.5 * stretch**2", "stretch**2"),
        ("sign", "rest length's sign", "None, -k * stretch,", "None, k * stretch,"),
    ],
)


enter(
    "NumPy",
    "physics.lennard_jones",
    "lennard_jones_grad",
    lambda r, e, s: 4 * e * ((s / r) ** 12 - (s / r) ** 6),
    [positive(5), (), positive()],
    [positive(3, 2), (), positive()],
    [
        ("constant", "6 for 12", "dr = g * 4 * eps * (-12 * s6**2", "dr = g * 4 * eps * (-6 * s6**2"),
        ("missing factor", "1 / r forgotten", "6 * s6) / r\n", "6 * s6)\n"),
        ("sign", "sigma's sign", "(12 * s6**2 - 6 * s6)) / sigma", "(-12 * s6**2 + 6 * s6)) / sigma"),
        (
            "upstream",
            "upstream ignored in eps",
            "deps = np.sum(g * 4 * (s6**2 - s6))",
            "deps = np.sum(4 * (s6**2 - s6))",
        ),
    ],
)


def composite(sigma, rgb, delta):
    tau = sigma * delta
    T = torch.exp(tau - tau.cumsum(1))
    return ((T * -torch.expm1(-tau))[..., None] * rgb).sum(1)


enter(
    "NumPy",
    "physics.composite",
    "composite_grad",
    composite,
    [positive(2, 4), (2, 4, 3), positive(2, 4)],
    [positive(3, 3), (3, 3, 2), positive(3, 3)],
    [
        ("missing path", "no shading of what lies behind", "    dtau -= behind\n", ""),
        (
            "iteration order",
            "those in front for those behind",
            "np.cumsum(wd[:, ::-1], axis=1)[:, ::-1] - wd",
            "np.cumsum(wd, axis=1) - wd",
        ),
        ("off by one", "the sample shades itself", "[:, ::-1] - wd\n", "[:, ::-1]\n"),
        ("missing factor", "transmittance forgotten", "dtau = dw * T * np.exp(-tau)", "dtau = dw * np.exp(-tau)"),
        ("stale variable", "delta's gradient multiplied by delta", "drgb, dtau * sigma", "drgb, dtau * delta"),
        ("axis", "summed over the rays", "np.cumsum(wd[:, ::-1], axis=1)", "np.cumsum(wd[:, ::-1], axis=0)"),
    ],
)


def pendulum(state, params):
    th, om = state
    for _ in range(3):
        om = om + 0.2 * (-params[0] * torch.sin(th) - params[1] * om)
        th = th + 0.2 * om
    return torch.stack([th, om])


enter(
    "NumPy",
    "physics.pendulum",
    "pendulum_grad",
    pendulum,
    [(2,), positive(2)],
    [(2,), positive(2)],
    [
        ("missing path", "the angle's step forgotten", "        gom = gom + dt * gth\n", ""),
        ("iteration order", "steps taken forwards", "in path[::-1]:", "in path:"),
        (
            "order",
            "the speed replaced before the angle uses it",
            "        gth = gth - dt * k * np.cos(th) * gom\n        gom = gom * (1 - dt * c)\n",
            "        gom = gom * (1 - dt * c)\n        gth = gth - dt * k * np.cos(th) * gom\n",
        ),
        ("sign", "sine's derivative with a minus", "gth = gth - dt * k", "gth = gth + dt * k"),
        ("missing path", "damping forgotten", "gom = gom * (1 - dt * c)", "gom = gom * 1.0"),
        ("wrong formula", "the sine left as it is", "k * np.cos(th) * gom", "k * np.sin(th) * gom"),
    ],
)
