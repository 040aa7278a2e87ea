import numpy as np


def batchnorm_forward(x, gamma, beta, eps=0.01):
    N, D = x.shape
    # step1: mean
    mu = 1.0 / N * np.sum(x, axis=0)
    # step2: subtract mean
    xmu = x - mu
    # step3: square
    sq = xmu**2
    # step4: variance
    var = 1.0 / N * np.sum(sq, axis=0)
    # step5: sqrt
    sqrtvar = np.sqrt(var + eps)
    # step6: invert
    ivar = 1.0 / sqrtvar
    # step7: normalise
    xhat = xmu * ivar
    # step8, 9: scale and shift
    gammax = gamma * xhat
    out = gammax + beta
    return out, (xhat, gamma, xmu, ivar, sqrtvar, var, eps)


def batchnorm_backward(dout, cache):
    xhat, gamma, xmu, ivar, sqrtvar, var, eps = cache
    N, D = dout.shape
    # step9
    dbeta = np.sum(dout, axis=0)
    dgammax = dout
    # step8
    dgamma = np.sum(dgammax * xhat, axis=0)
    dxhat = dgammax * gamma
    # step7
    divar = np.sum(dxhat * xmu, axis=0)
    dxmu1 = dxhat * ivar
    # step6
    dsqrtvar = -1.0 / (sqrtvar**2) * divar
    # step5
    dvar = 0.5 * 1.0 / np.sqrt(var + eps) * dsqrtvar
    # step4
    dsq = 1.0 / N * np.ones((N, D)) * dvar
    # step3
    dxmu2 = 2 * xmu * dsq
    # step2
    dx1 = dxmu1 + dxmu2
    dmu = -1 * np.sum(dxmu1 + dxmu2, axis=0)
    # step1
    dx2 = 1.0 / N * np.ones((N, D)) * dmu
    # step0
    dx = dx1 + dx2
    return dx, dgamma, dbeta
