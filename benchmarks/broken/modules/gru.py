import numpy as np


def sigm(v):
    return 1 / (1 + np.exp(-v))


def gru_run(xs, Wz, Uz, Wr, Ur, Wn, Un):
    """xs: (T, D). Starts from zeros, returns the last hidden state (H,)."""
    h = np.zeros(Uz.shape[0])
    tape = []
    for x in xs:
        z = sigm(x @ Wz + h @ Uz)
        r = sigm(x @ Wr + h @ Ur)
        n = np.tanh(x @ Wn + (r * h) @ Un)
        tape.append((x, h, z, r, n))
        h = (1 - z) * n + z * h
    return h, (tape, xs, Wz, Uz, Wr, Ur, Wn, Un)


def gru_run_grad(dh, cache):
    tape, xs, Wz, Uz, Wr, Ur, Wn, Un = cache
    dxs = np.zeros_like(xs)
    dWz, dUz = np.zeros_like(Wz), np.zeros_like(Uz)
    dWr, dUr = np.zeros_like(Wr), np.zeros_like(Ur)
    dWn, dUn = np.zeros_like(Wn), np.zeros_like(Un)
    for t in range(len(tape) - 1, -1, -1):
        x, h, z, r, n = tape[t]
        dz = dh * (h - n)
        dn = dh * (1 - z)
        dh_prev = dh * z

        an = dn * (1 - n * n)
        dWn += np.outer(x, an)
        dUn += np.outer(r * h, an)
        drh = Un @ an
        dr = drh * h
        dh_prev += drh * r

        az = dz * z * (1 - z)
        ar = dr * r * (1 - r)
        dWz += np.outer(x, az)
        dUz += np.outer(h, az)
        dWr += np.outer(x, ar)
        dUr += np.outer(h, ar)
        dh_prev += Uz @ az + Ur @ ar

        dxs[t] = Wz @ az + Wr @ ar + Wn @ an
        dh = dh_prev
    return dxs, dWz, dUz, dWr, dUr, dWn, dUn
