"""Text classifier: embedding, two filter widths, ReLU, max over time, dropout mask, linear, logistic loss."""

import numpy as np


class TextCNN:
    def __init__(self, table, K2, K3, W, b):
        self.table, self.K2, self.K3, self.W, self.b = table, K2, K3, W, b

    def conv(self, e, K):
        k = K.shape[1]
        steps = e.shape[1] - k + 1
        return np.stack([np.einsum("nkd,fkd->nf", e[:, t : t + k], K) for t in range(steps)], axis=1)

    def forward(self, ids, y, keep):
        self.ids, self.y, self.keep = ids, y, keep
        self.e = self.table[ids]
        self.c2 = self.conv(self.e, self.K2)
        self.c3 = self.conv(self.e, self.K3)
        self.m2 = np.maximum(self.c2, 0).max(axis=1)
        self.m3 = np.maximum(self.c3, 0).max(axis=1)
        self.feat = np.concatenate([self.m2, self.m3], axis=1)
        self.d = self.feat * keep / 0.75
        self.logit = self.d @ self.W + self.b
        return np.mean(np.logaddexp(0, self.logit) - y * self.logit)

    def conv_backward(self, dm, c, K):
        N, steps, F = c.shape
        k = K.shape[1]
        best = c.argmax(axis=1)
        dK = np.zeros_like(K)
        de = np.zeros_like(self.e)
        for n in range(N):
            for f in range(F):
                t = best[n, f]
                if c[n, t, f] <= 0:
                    continue
                dK[f] += dm[n, f] * self.e[n, t : t + k]
                de[n, t : t + k] += dm[n, f] * K[f]
        return de, dK

    def backward(self):
        N = len(self.y)
        dlogit = (1 / (1 + np.exp(-self.logit)) - self.y) / N
        dW = self.d.T @ dlogit
        db = dlogit.sum()
        dd = np.outer(dlogit, self.W)
        dfeat = dd * self.keep / 0.75
        F2 = self.K2.shape[0]
        de2, dK2 = self.conv_backward(dfeat[:, :F2], self.c2, self.K2)
        de3, dK3 = self.conv_backward(dfeat[:, F2:], self.c3, self.K3)
        de = de2 + de3
        dtable = np.zeros_like(self.table)
        for n in range(N):
            for t in range(self.ids.shape[1]):
                dtable[self.ids[n, t]] += de[n, t]
        return dtable, dK2, dK3, dW, db
