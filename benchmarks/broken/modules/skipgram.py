import numpy as np


def sgns(V, U, center, context, negatives):
    """Skip-gram with negative sampling. center (B,), context (B,), negatives (B, K): word numbers."""
    v = V[center]
    u = U[context]
    un = U[negatives]
    pos = np.sum(v * u, axis=1)
    neg = np.einsum("bd,bkd->bk", v, un)
    loss = np.logaddexp(0, -pos).sum() + np.logaddexp(0, neg).sum()
    return loss / len(center), (V, U, center, context, negatives, v, u, un, pos, neg)


def sgns_grad(cache):
    V, U, center, context, negatives, v, u, un, pos, neg = cache
    B = len(center)
    gpos = (1 / (1 + np.exp(-pos)) - 1) / B
    gneg = 1 / (1 + np.exp(-neg)) / B
    gv = gpos[:, None] * u + np.einsum("bk,bkd->bd", gneg, un)
    gu = gpos[:, None] * v
    gun = gneg[:, :, None] * v[:, None, :]
    gV = np.zeros_like(V)
    gU = np.zeros_like(U)
    np.add.at(gV, center, gv)
    np.add.at(gU, context, gu)
    np.add.at(gU, negatives, gun)
    return gV, gU, None, None, None
