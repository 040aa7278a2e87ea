"""Layers for any array library with the array API."""


def rms_gate(x, g):
    xp = x.__array_namespace__()
    ms = xp.mean(x * x, axis=-1, keepdims=True)
    r = 1 / xp.sqrt(ms + 1e-3)
    n = x * r
    s = 1 / (1 + xp.exp(-g))
    return n * s, (x, r, n, s)


def rms_gate_vjp(dy, cache):
    x, r, n, s = cache
    xp = dy.__array_namespace__()
    dn = dy * s
    dg = dy * n * s * (1 - s)
    dx = r * (dn - n * xp.mean(dn * n, axis=-1, keepdims=True))
    return dx, dg


def cross_attention(q, k, v):
    xp = q.__array_namespace__()
    scale = 1 / q.shape[-1] ** 0.5
    s = xp.matmul(q, xp.matrix_transpose(k)) * scale
    e = xp.exp(s - xp.max(s, axis=-1, keepdims=True))
    a = e / xp.sum(e, axis=-1, keepdims=True)
    return xp.matmul(a, v), (q, k, v, a, scale)


def cross_attention_vjp(dy, cache):
    q, k, v, a, scale = cache
    xp = dy.__array_namespace__()
    da = xp.matmul(dy, xp.matrix_transpose(v))
    dv = xp.matmul(xp.matrix_transpose(a), dy)
    ds = a * (da - xp.sum(a * da, axis=-1, keepdims=True)) * scale
    dq = xp.matmul(ds, k)
    dk = xp.matmul(xp.matrix_transpose(ds), q)
    return dq, dk, dv


def log_cosh_loss(pred, target):
    xp = pred.__array_namespace__()
    r = pred - target
    a = xp.abs(r)
    return xp.mean(a + xp.log1p(xp.exp(-2 * a)) - 0.6931471805599453), r


def log_cosh_loss_vjp(dy, r):
    xp = r.__array_namespace__()
    g = dy * xp.tanh(r) / (r.shape[0] * r.shape[1])
    return g, -g


def planar_flow(z, u, w, b):
    """z + u tanh(w . z + b) and its log determinant summed to the log likelihood of a standard normal."""
    xp = z.__array_namespace__()
    h = xp.tanh(xp.matmul(z, w) + b)
    wu = xp.sum(w * u)
    det = 1 + (1 - h**2) * wu
    out = z + h[:, None] * u[None, :]
    ll = xp.log(xp.abs(det)) - 0.5 * xp.sum(out**2, axis=1)
    return ll, (z, u, w, h, wu, det, out)


def planar_flow_vjp(dll, cache):
    z, u, w, h, wu, det, out = cache
    xp = dll.__array_namespace__()
    dout = -dll[:, None] * out
    ddet = dll / det
    dwu = xp.sum(ddet * (1 - h**2))
    dh = xp.matmul(dout, u) - 2 * h * wu * ddet
    da = dh * (1 - h**2)
    dz = dout + da[:, None] * w[None, :]
    du = xp.matmul(xp.matrix_transpose(dout), h) + dwu * w
    dw = xp.matmul(xp.matrix_transpose(z), da) + dwu * u
    return dz, du, dw, xp.sum(da)
