"""Denoising autoencoder with tied weights: the decoder uses the transposes of W1 and W2."""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def autoencoder(x, W1, b1, W2, b2, c1, c2, noise):
    N = x.shape[0]
    xn = x * noise  # masking noise
    h1 = sigmoid(xn @ W1 + b1)
    code = np.tanh(h1 @ W2 + b2)
    r1 = sigmoid(code @ W2.T + c1)
    xr = r1 @ W1.T + c2
    loss = 0.5 * np.sum((xr - x) ** 2) / N
    return loss, (x, xn, h1, code, r1, xr, W1, W2, noise)


def autoencoder_gradients(cache):
    x, xn, h1, code, r1, xr, W1, W2, noise = cache
    N = x.shape[0]

    # decoder
    err = (xr - x) / N
    gc2 = err.sum(0)
    gW1_dec = err.T @ r1
    gr1 = err @ W1
    d_r1 = gr1 * r1 * (1 - r1)
    gc1 = d_r1.sum(0)
    gW2_dec = d_r1.T @ code
    gcode = d_r1 @ W2

    # encoder
    d_code = gcode * (1 - code**2)
    gb2 = d_code.sum(0)
    gW2_enc = h1.T @ d_code
    gh1 = d_code @ W2.T
    d_h1 = gh1 * h1 * (1 - h1)
    gb1 = d_h1.sum(0)
    gW1_enc = xn.T @ d_h1
    gxn = d_h1 @ W1.T

    # x enters twice: as the noisy input and as the target
    gx = gxn * noise - err
    gW1 = gW1_enc + gW1_dec
    gW2 = gW2_enc + gW2_dec
    return {"x": gx, "W1": gW1, "b1": gb1, "W2": gW2, "b2": gb2, "c1": gc1, "c2": gc2}
