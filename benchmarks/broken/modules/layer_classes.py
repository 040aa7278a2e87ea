"""A tiny framework: every layer remembers what it needs."""

import numpy as np


class Dense:
    def __init__(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        self.x = x
        self.z = x @ self.W + self.b
        self.out = 1 / (1 + np.exp(-self.z))
        return self.out

    def backward(self, grad):
        delta = grad * self.out * (1 - self.out)
        self.dW = self.x.T @ delta
        self.db = delta.sum(axis=0)
        return delta @ self.W.T


class BatchNorm1d:
    def __init__(self, gamma, beta, eps=1e-3):
        self.gamma, self.beta, self.eps = gamma, beta, eps

    def forward(self, x):
        self.m = x.shape[0]
        self.centered = x - x.mean(axis=0)
        self.inv = 1 / np.sqrt((self.centered**2).mean(axis=0) + self.eps)
        self.norm = self.centered * self.inv
        return self.gamma * self.norm + self.beta

    def backward(self, dout):
        self.dgamma = (dout * self.norm).sum(axis=0)
        self.dbeta = dout.sum(axis=0)
        dnorm = dout * self.gamma
        dvar = (dnorm * self.centered).sum(axis=0) * -0.5 * self.inv**3
        dmean = -(dnorm * self.inv).sum(axis=0)
        return dnorm * self.inv + dvar * 2 * self.centered / self.m + dmean / self.m


class Conv1D:
    """Valid convolution over time with stride, x (N, C, T), K (F, C, k)."""

    def __init__(self, K, bias, stride=2):
        self.K, self.bias, self.stride = K, bias, stride

    def forward(self, x):
        self.x = x
        F, C, k = self.K.shape
        self.T_out = (x.shape[2] - k) // self.stride + 1
        y = np.empty((x.shape[0], F, self.T_out))
        for t in range(self.T_out):
            s = t * self.stride
            y[:, :, t] = np.einsum("nck,fck->nf", x[:, :, s : s + k], self.K) + self.bias
        return y

    def backward(self, dy):
        k = self.K.shape[2]
        dx = np.zeros_like(self.x)
        self.dK = np.zeros_like(self.K)
        self.dbias = dy.sum(axis=(0, 2))
        for t in range(self.T_out):
            s = t * self.stride
            self.dK += np.einsum("nf,nck->fck", dy[:, :, t], self.x[:, :, s : s + k])
            dx[:, :, s : s + k] += np.einsum("nf,fck->nck", dy[:, :, t], self.K)
        return dx


class MaxPool2:
    def forward(self, x):
        N, C, H, W = x.shape
        self.shape = x.shape
        cells = x.reshape(N, C, H // 2, 2, W // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(N, C, H // 2, W // 2, 4)
        self.idx = cells.argmax(axis=-1)
        return cells.max(axis=-1)

    def backward(self, dout):
        N, C, H, W = self.shape
        cells = np.zeros((N, C, H // 2, W // 2, 4))
        np.put_along_axis(cells, self.idx[..., None], dout[..., None], axis=-1)
        return cells.reshape(N, C, H // 2, W // 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(N, C, H, W)


class Embedding:
    """Token plus position vectors."""

    def __init__(self, tokens, positions):
        self.tokens, self.positions = tokens, positions

    def forward(self, ids):
        self.ids = ids
        return self.tokens[ids] + self.positions[: ids.shape[1]]

    def backward(self, dout):
        self.dtokens = np.zeros_like(self.tokens)
        self.dpositions = np.zeros_like(self.positions)
        np.add.at(self.dtokens, self.ids, dout)
        self.dpositions[: dout.shape[1]] += dout.sum(axis=0)


class SoftmaxWithLoss:
    def forward(self, x, t):
        z = x - x.max(axis=1, keepdims=True)
        logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        self.y = np.exp(logp)
        self.t = t
        return -logp[np.arange(len(t)), t].mean()

    def backward(self, dout=1.0):
        batch = self.t.shape[0]
        dx = self.y.copy()
        dx[np.arange(batch), self.t] -= 1
        return dx * dout / batch
