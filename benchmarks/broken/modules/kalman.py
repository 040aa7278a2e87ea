"""Scalar Kalman filter: negative log likelihood of a series, differentiated by hand through the recursion."""

import numpy as np


def kalman_nll(obs, params):
    """params: a (transition), q (log process noise), r (log measurement noise), m0 (start)"""
    a, q, r, m0 = params
    Q, R = np.exp(q), np.exp(r)
    m, P = m0, 1.0
    nll = 0.0
    trace = []
    for y in obs:
        mp = a * m
        Pp = a * a * P + Q
        S = Pp + R
        e = y - mp
        K = Pp / S
        nll += 0.5 * (np.log(2 * np.pi * S) + e * e / S)
        trace.append((m, P, Pp, S, e, K))
        m = mp + K * e
        P = (1 - K) * Pp
    return nll, (obs, params, trace, Q, R)


def kalman_nll_grad(cache):
    obs, params, trace, Q, R = cache
    a = params[0]
    dobs = np.zeros_like(obs)
    da = dQ = dR = 0.0
    dm = dP = 0.0
    for t in range(len(obs) - 1, -1, -1):
        m, P, Pp, S, e, K = trace[t]
        # P = (1 - K) * Pp ; m = mp + K * e
        dK = dm * e - dP * Pp
        de = dm * K
        dPp = dP * (1 - K)
        dmp = dm
        # likelihood
        dS = 0.5 * (1 / S - e * e / (S * S))
        de += e / S
        # K = Pp / S
        dPp += dK / S
        dS -= dK * Pp / (S * S)
        # e = y - mp ; S = Pp + R
        dobs[t] = de
        dmp -= de
        dPp += dS
        dR += dS
        # Pp = a * a * P + Q ; mp = a * m
        da += 2 * a * P * dPp + m * dmp
        dQ += dPp
        dP = a * a * dPp
        dm = a * dmp
    return dobs, np.array([da, dQ * Q, dR * R, dm])
