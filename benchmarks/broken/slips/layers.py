"""Norms, windows, geometry, physics and recommenders in NumPy."""

import torch
import torch.nn.functional as F

from ..draws import between, labels, positive
from ..table import enter

enter(
    "NumPy",
    "instance_norms.instance_norm",
    "instance_norm_backward",
    lambda x, w, b: F.instance_norm(x, weight=w, bias=b, eps=1e-3),
    [(2, 3, 4), (3,), (3,)],
    [(3, 2, 5), (2,), (2,)],
    [
        ("count", "the channels counted in place of the length", "L = grad.shape[2]", "L = grad.shape[1]"),
        (
            "axis",
            "weight's gradient summed over the images alone",
            "(grad * x_hat).sum(axis=(0, 2))",
            "(grad * x_hat).sum(axis=0).mean(axis=1)",
        ),
        ("missing path", "the mean's part forgotten", "(L * gh - total - x_hat * dots)", "(L * gh - x_hat * dots)"),
        ("missing factor", "x_hat forgotten before its dot product", "total - x_hat * dots", "total - dots"),
        ("stale variable", "dot product before the weight is applied", "dots = (gh * x_hat)", "dots = (grad * x_hat)"),
    ],
)


def standardised(w, gain):
    c = w - w.mean(1, keepdim=True)
    return gain[:, None] * c / ((c**2).mean(1, keepdim=True) + 1e-4).sqrt() / w.shape[1] ** 0.5


enter(
    "NumPy",
    "instance_norms.standardise_weight",
    "standardise_weight_backward",
    standardised,
    [(3, 5), (3,)],
    [(2, 4), (2,)],
    [
        ("missing path", "centring not differentiated", "dw = dc - dc.mean(1, keepdims=True)", "dw = dc"),
        ("line forgotten", "fan-in forgotten", "    dout = dout / np.sqrt(fan_in)\n", ""),
        (
            "order",
            "gain's gradient before fan-in",
            "    dout = dout / np.sqrt(fan_in)\n    dgain = (dout * n).sum(1)\n",
            "    dgain = (dout * n).sum(1)\n    dout = dout / np.sqrt(fan_in)\n",
        ),
        ("missing factor", "the gain", "dn = gain[:, None] * dout", "dn = dout"),
        ("axis", "centred by columns", "dc - dc.mean(1, keepdims=True)", "dc - dc.mean(0, keepdims=True)"),
        (
            "count",
            "a sum where the mean belongs",
            "(dn * n).mean(1, keepdims=True)) / rms",
            "(dn * n).sum(1, keepdims=True)) / rms",
        ),
    ],
)


def local_response(a):
    sums = F.pad(a**2, (1, 1))
    return a * (2 + 0.3 * (sums[:, :-2] + sums[:, 1:-1] + sums[:, 2:])) ** -0.75


enter(
    "NumPy",
    "instance_norms.local_response",
    "local_response_backward",
    local_response,
    [(3, 5)],
    [(2, 4)],
    [
        (
            "off by one",
            "the window without its last channel",
            "da[:, c] -= 1.5 * alpha * a[:, c] * inner[:, max(0, c - r) : c + r + 1]",
            "da[:, c] -= 1.5 * alpha * a[:, c] * inner[:, max(0, c - r) : c + r]",
        ),
        ("constant", "0.75 without the 2 of the square", "da[:, c] -= 1.5 * alpha", "da[:, c] -= 0.75 * alpha"),
        ("wrong exponent", "the exponent not lowered", "inner = dout * a * s**-1.75", "inner = dout * a * s**-0.75"),
        ("sign", "a plus", "da[:, c] -= 1.5", "da[:, c] += 1.5"),
        (
            "stale variable",
            "each channel's own value inside the window's sum",
            "inner = dout * a * s**-1.75",
            "inner = dout * s**-1.75",
        ),
    ],
)


def dilated(x, w):
    return F.conv1d(F.pad(x[:, None], (2 * (len(w) - 1), 0)), w.flip(0)[None, None], dilation=2)[:, 0]


enter(
    "NumPy",
    "sliding.dilated_conv",
    "dilated_conv_backward",
    dilated,
    [(2, 6), (3,)],
    [(3, 7), (2,)],
    [
        (
            "= for +=",
            "only the last tap reaches x",
            "gx[:, : T - shift] += w[k] * gy",
            "gx[:, : T - shift] = w[k] * gy",
        ),
        (
            "off by one",
            "the shift without dilation",
            "gx[:, : T - shift] += w[k] * gy[:, shift:]",
            "gx[:, : T - k] += w[k] * gy[:, k:]",
        ),
        ("wrong index", "taps in the other order", "+= w[k] * gy[:, shift:]", "+= w[-1 - k] * gy[:, shift:]"),
        (
            "wrong index",
            "x shifted the same way as the gradient",
            "np.sum(gy[:, shift:] * x[:, : T - shift])",
            "np.sum(gy[:, shift:] * x[:, shift:])",
        ),
    ],
)
enter(
    "NumPy",
    "sliding.depthwise_conv",
    "depthwise_conv_backward",
    lambda x, w, b: F.conv1d(x, w[:, None], b, groups=len(w)),
    [(2, 3, 6), (3, 3), (3,)],
    [(3, 2, 5), (2, 2), (2,)],
    [
        ("wrong index", "the filter not turned round", "windows, w[:, ::-1])", "windows, w)"),
        ("wrong index", "channels turned round instead of taps", "windows, w[:, ::-1])", "windows, w[::-1])"),
        ("count", "bias averaged over the batch", 'np.einsum("nct->c", dout)', 'np.einsum("nct->c", dout) / len(dout)'),
        (
            "off by one",
            "all the padding on one side",
            "((0, 0), (0, 0), (K - 1, K - 1))",
            "((0, 0), (0, 0), (2 * K - 2, 0))",
        ),
    ],
)
enter(
    "NumPy",
    "sliding.transposed_conv",
    "transposed_conv_backward",
    lambda x, k: F.conv_transpose1d(x[:, None], k[None, None], stride=2)[:, 0],
    [(2, 4), (3,)],
    [(3, 3), (2,)],
    [
        (
            "off by one",
            "the stride forgotten",
            "window = grad_out[:, t * stride : t * stride + K]",
            "window = grad_out[:, t : t + K]",
        ),
        ("= for +=", "only the last place counts", "grad_kernel += x[:, t] @ window", "grad_kernel = x[:, t] @ window"),
        ("wrong index", "the kernel turned round", "window @ kernel\n", "window @ kernel[::-1]\n"),
        (
            "wrong index",
            "the first sample's place for all",
            "grad_kernel += x[:, t] @ window",
            "grad_kernel += x[:, 0] @ window",
        ),
    ],
)
enter(
    "NumPy",
    "sliding.pool_argmax",
    "pool_argmax_backward",
    lambda x: F.max_pool1d(x[:, None], 2)[:, 0],
    [(3, 6)],
    [(2, 4)],
    [
        (
            "off by one",
            "places counted inside the block",
            "np.put_along_axis(bottom, where, top, 1)",
            "np.put_along_axis(bottom, where % 2, top, 1)",
        ),
        (
            "missing factor",
            "shared as in average pooling",
            "np.put_along_axis(bottom, where, top, 1)",
            "np.put_along_axis(bottom, where, top / 2, 1)",
        ),
        (
            "wrong index",
            "always the block's first place",
            "np.put_along_axis(bottom, where, top, 1)",
            "bottom[:, ::2] = top",
        ),
    ],
)
enter(
    "NumPy",
    "sliding.global_avg_max",
    "global_avg_max_backward",
    lambda x: torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1),
    [(2, 3, 2, 4)],
    [(3, 2, 3, 2)],
    [
        ("count", "divided by one side only", "/ (H * W)\n", "/ H\n"),
        (
            "= for +=",
            "the maximum's place loses its mean part",
            "dflat[n, c, places] += dy",
            "dflat[n, c, places] = dy",
        ),
        ("operand order", "halves of dy exchanged", "np.repeat(dy[:, :C, None]", "np.repeat(dy[:, C:, None]"),
        ("line forgotten", "the maximum's half forgotten", "    dflat[n, c, places] += dy[:, C:]\n", ""),
    ],
)
enter(
    "NumPy",
    "im2col_conv.conv",
    "conv_back",
    lambda x, w, b: F.conv2d(x, w, b, stride=2),
    [(2, 2, 5, 5), (3, 2, 3, 3), (3,)],
    [(1, 3, 4, 6), (2, 3, 2, 2), (2,)],
    [
        ("= for +=", "overlaps overwritten in col2im", "stride] += cols[:, :, i, j]", "stride] = cols[:, :, i, j]"),
        (
            "permutation",
            "the gradient reshaped without moving the filters back",
            "dout.transpose(0, 2, 3, 1).reshape(-1, F)",
            "dout.reshape(-1, F)",
        ),
        (
            "permutation",
            "col2im's axes in another order",
            ".transpose(0, 3, 4, 5, 1, 2)",
            ".transpose(0, 3, 5, 4, 1, 2)",
        ),
        ("count", "bias averaged over the places", "db = d.sum(0)", "db = d.mean(0)"),
        (
            "permutation",
            "rows and columns of the places exchanged",
            "dout.transpose(0, 2, 3, 1).reshape",
            "dout.transpose(0, 3, 2, 1).reshape",
        ),
    ],
)


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
    return 0.5 * (k * ((pos[edges[:, 0]] - pos[edges[:, 1]]).norm(dim=1) - rest) ** 2).sum()


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
enter(
    "NumPy",
    "recommend.factorization_machine",
    "factorization_machine_backward",
    lambda x, w0, w, V: w0 + x @ w + 0.5 * ((x @ V) ** 2 - x**2 @ V**2).sum(1),
    [(4, 3), (), (3,), (3, 2)],
    [(3, 4), (), (4,), (4, 3)],
    [
        (
            "missing path",
            "a feature's own square kept",
            "dV = x.T @ (g_ * xv) - ((x**2).T @ g)[:, None] * V",
            "dV = x.T @ (g_ * xv)",
        ),
        ("missing square", "x for its square", "((x**2).T @ g)[:, None]", "(x.T @ g)[:, None]"),
        ("missing path", "the linear weights forgotten in dx", "g_ * (w + xv @ V.T", "g_ * (xv @ V.T"),
        ("count", "bias averaged", "dw0 = g.sum()", "dw0 = g.mean()"),
        ("constant", "a half left over", "x.T @ (g_ * xv) -", "0.5 * x.T @ (g_ * xv) -"),
    ],
)


def factors(P, Q, bu, bi, users, items, ratings):
    p, q = P[users], Q[items]
    err = (p * q).sum(1) + bu[users] + bi[items] - ratings
    return 0.5 * (err**2).sum() + 0.01 * ((p**2).sum() + (q**2).sum())


enter(
    "NumPy",
    "recommend.matrix_factorization",
    "matrix_factorization_backward",
    factors,
    [(3, 2), (4, 2), (3,), (4,), labels(3, 6), labels(4, 6), labels(5, 6)],
    [(2, 3), (2, 3), (2,), (2,), labels(2, 5), labels(2, 5), labels(5, 5)],
    [
        ("regulariser", "the items' decay with the users' factors", "+ LAM * q[s]\n", "+ LAM * p[s]\n"),
        ("regulariser", "decay twice as large", "+ LAM * p[s]\n", "+ 2 * LAM * p[s]\n"),
        ("= for +=", "users with several ratings keep the last", "gP[u] += err", "gP[u] = err"),
        ("copy-paste", "q's gradient from q", "gQ[i] += err[s] * p[s]", "gQ[i] += err[s] * q[s]"),
        ("wrong index", "item biases at the user's number", "gbi[i] += err[s]", "gbi[u] += err[s]"),
    ],
)
enter(
    "NumPy",
    "recommend.lora",
    "lora_backward",
    lambda x, W, A, B: x @ W + 4 / A.shape[1] * (x @ A) @ B,
    [(4, 3), (3, 5), (3, 2), (2, 5)],
    [(2, 4), (4, 3), (4, 3), (3, 3)],
    [
        ("missing factor", "the scale forgotten for B", "gB = s * low.T @ grad", "gB = low.T @ grad"),
        ("missing path", "x through the low-rank branch", "gx = grad @ W.T + glow @ A.T", "gx = grad @ W.T"),
        ("wrong formula", "alpha * r for alpha / r", "s = 4.0 / A.shape[1]", "s = 4.0 * A.shape[1]"),
        ("count", "the rank read from the wrong side", "s = 4.0 / A.shape[1]", "s = 4.0 / A.shape[0]"),
        ("doubled path", "the scale twice for A", "gA = x.T @ glow", "gA = s * x.T @ glow"),
    ],
)
enter(
    "NumPy",
    "recommend.squeeze_excite",
    "squeeze_excite_backward",
    lambda x, W1, W2: x * torch.sigmoid(torch.relu(x.mean(2) @ W1) @ W2)[:, :, None],
    [(3, 4, 2), (4, 5), (5, 4)],
    [(4, 3, 3), (3, 4), (4, 3)],
    [
        ("missing path", "x through the gate forgotten", " + ds[:, :, None] / L", ""),
        ("count", "the mean's length forgotten", "ds[:, :, None] / L", "ds[:, :, None]"),
        ("wrong cached array", "W1's gradient from the hidden layer", "dW1 = s.T @ dz1", "dW1 = x.max(2).T @ dz1"),
        ("mask", "relu's mask forgotten", "dz1 = dh * (h > 0)", "dz1 = dh"),
        ("missing factor", "sigmoid's own factor", "dgate * gate * (1 - gate)", "dgate * (1 - gate)"),
        ("count", "a mean over the places for the gate", "dgate = (dout * x).sum(2)", "dgate = (dout * x).mean(2)"),
    ],
)


def highway(x, Wt, bt, Wh, bh):
    t = torch.sigmoid(x @ Wt + bt)
    return t * torch.tanh(x @ Wh + bh) + (1 - t) * x


enter(
    "NumPy",
    "recommend.highway",
    "highway_backward",
    highway,
    [(4, 3), (3, 3), (3,), (3, 3), (3,)],
    [(2, 5), (5, 5), (5,), (5, 5), (5,)],
    [
        ("missing path", "the carried x forgotten in the gate", "dt = up * (h - x)", "dt = up * h"),
        ("wrong formula", "the carry by t", "dx = up * (1 - t)", "dx = up * t"),
        ("copy-paste", "Wt for Wh", "zt @ Wt.T + zh @ Wh.T", "zt @ Wt.T + zh @ Wt.T"),
        ("transpose", "square Wt not transposed", "zt @ Wt.T +", "zt @ Wt +"),
        (
            "results' order",
            "gate's and candidate's bias exchanged",
            '"bt": zt.sum(0), "Wh": x.T @ zh, "bh": zh.sum(0)',
            '"bt": zh.sum(0), "Wh": x.T @ zh, "bh": zt.sum(0)',
        ),
        ("= for +=", "the carried path overwritten", "dx = dx + zt @ Wt.T", "dx = zt @ Wt.T"),
    ],
)
