"""One hidden-layer vector field, integrated with a few classical Runge-Kutta steps."""

import numpy as np

STEP = 0.3


def field(y, A, B):
    h = np.tanh(y @ A)
    return h @ B, h


def integrate(y0, A, B, steps=2):
    y = y0
    tape = []
    for _ in range(steps):
        k1, _ = field(y, A, B)
        y2 = y + 0.5 * STEP * k1
        k2, _ = field(y2, A, B)
        y3 = y + 0.5 * STEP * k2
        k3, _ = field(y3, A, B)
        y4 = y + STEP * k3
        k4, _ = field(y4, A, B)
        tape.append((y, y2, y3, y4))
        y = y + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return y, (tape, A, B)


def field_vjp(dk, y, A, B, dA, dB):
    h = np.tanh(y @ A)
    dB += h.T @ dk
    da = (dk @ B.T) * (1 - h**2)
    dA += y.T @ da
    return da @ A.T


def integrate_vjp(dy, cache):
    tape, A, B = cache
    dA, dB = np.zeros_like(A), np.zeros_like(B)
    for y, y2, y3, y4 in reversed(tape):
        dk1 = STEP / 6 * dy
        dk2 = STEP / 3 * dy
        dk3 = STEP / 3 * dy
        dk4 = STEP / 6 * dy
        dyy = dy.copy()

        d4 = field_vjp(dk4, y4, A, B, dA, dB)
        dyy += d4
        dk3 = dk3 + STEP * d4

        d3 = field_vjp(dk3, y3, A, B, dA, dB)
        dyy += d3
        dk2 = dk2 + 0.5 * STEP * d3

        d2 = field_vjp(dk2, y2, A, B, dA, dB)
        dyy += d2
        dk1 = dk1 + 0.5 * STEP * d2

        dyy += field_vjp(dk1, y, A, B, dA, dB)
        dy = dyy
    return dy, dA, dB
