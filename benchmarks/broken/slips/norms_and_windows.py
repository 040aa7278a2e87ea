"""Norms, convolutions and pooling in NumPy."""

import torch
import torch.nn.functional as F

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
    lambda x: torch.cat([x.mean((2, 3)), x.flatten(2).max(2)[0]], 1),
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
