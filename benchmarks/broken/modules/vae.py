"""Variational autoencoder with Bernoulli decoder; the noise of the reparametrisation is an argument."""

import numpy as np


def logistic(a):
    return 1 / (1 + np.exp(-a))


def negative_elbo(x, We, be, Wmu, Wlv, Wd, bd, Wo, bo, noise):
    """x holds pixels 0 and 1 as whole numbers."""
    B = len(x)
    he = np.tanh(x @ We + be)
    mu = he @ Wmu
    logvar = he @ Wlv
    std = np.exp(0.5 * logvar)
    zs = mu + std * noise
    hd = np.tanh(zs @ Wd + bd)
    logits = hd @ Wo + bo
    bce = np.sum(np.logaddexp(0, logits) - x * logits)
    kl = -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar))
    return (bce + kl) / B, (x, We, he, mu, logvar, std, zs, Wmu, Wlv, Wd, hd, Wo, logits, noise)


def negative_elbo_grad(cache):
    x, We, he, mu, logvar, std, zs, Wmu, Wlv, Wd, hd, Wo, logits, noise = cache
    B = len(x)
    # reconstruction
    dlogits = (logistic(logits) - x) / B
    gWo = hd.T @ dlogits
    gbo = dlogits.sum(0)
    ghd = dlogits @ Wo.T
    gpre_d = ghd * (1 - hd**2)
    gWd = zs.T @ gpre_d
    gbd = gpre_d.sum(0)
    gz = gpre_d @ Wd.T
    # sampling
    gmu = gz.copy()
    glogvar = gz * noise * 0.5 * std
    gnoise = gz * std
    # KL term
    gmu += mu / B
    glogvar += 0.5 * (np.exp(logvar) - 1) / B
    # encoder
    gWmu = he.T @ gmu
    gWlv = he.T @ glogvar
    ghe = gmu @ Wmu.T + glogvar @ Wlv.T
    gpre_e = ghe * (1 - he**2)
    gWe = x.T @ gpre_e
    gbe = gpre_e.sum(0)
    return None, gWe, gbe, gWmu, gWlv, gWd, gbd, gWo, gbo, gnoise
