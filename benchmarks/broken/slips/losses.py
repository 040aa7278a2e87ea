"""Losses of pairs, policies and words, and penalised models, in NumPy."""

import torch
import torch.nn.functional as F

from ..draws import between, labels, signs, wide
from ..table import enter


def clip_loss(a, b, log_scale):
    a, b = (v / v.norm(dim=1, keepdim=True) for v in (a, b))
    s = log_scale.exp() * a @ b.T
    t = torch.arange(len(a))
    return (F.cross_entropy(s, t) + F.cross_entropy(s.T, t)) / 2


enter(
    "NumPy",
    "info_nce.clip_loss",
    "clip_loss_grad",
    clip_loss,
    [(3, 4), (3, 4), ()],
    [(4, 2), (4, 2), ()],
    [
        (
            "missing path",
            "only one of the two directions",
            "((rows - eye) + (cols - eye)) / n",
            "((rows - eye) + (rows - eye)) / n",
        ),
        ("transpose", "square similarities not transposed", "dv = dsim.T @ u", "dv = dsim @ u"),
        (
            "missing factor",
            "temperature's exp not differentiated",
            "np.sum(dlogits * sim) * scale",
            "np.sum(dlogits * sim)",
        ),
        ("missing factor", "scale forgotten", "dsim = dlogits * scale", "dsim = dlogits"),
        (
            "missing path",
            "the norm held fixed",
            "return (du - u * np.sum(du * u, axis=1, keepdims=True)) / n",
            "return du / n",
        ),
        (
            "axis",
            "the projection along the batch",
            "np.sum(du * u, axis=1, keepdims=True)",
            "np.sum(du * u, axis=0, keepdims=True)",
        ),
        ("copy-paste", "texts divided by the images' norms", "normalise_grad(dv, v, nv)", "normalise_grad(dv, v, nu)"),
        ("missing factor", "the half of the two directions", "dlogits = 0.5 * (", "dlogits = ("),
    ],
)


def ppo(logits, values, actions, old, adv, returns):
    old, adv, returns = old.detach(), adv.detach(), returns.detach()
    lp = logits.log_softmax(1)
    ratio = (lp[torch.arange(len(actions)), actions] - old).exp()
    policy = -torch.minimum(ratio * adv, ratio.clamp(0.8, 1.2) * adv).mean()
    return policy + 0.5 * ((values - returns) ** 2).mean() + 0.05 * (lp.exp() * lp).sum(1).mean()


enter(
    "NumPy",
    "ppo.ppo_loss",
    "ppo_loss_backward",
    ppo,
    [(5, 3), (5,), labels(3, 5), between(-1.6, -0.6, 5), (5,), (5,)],
    [(8, 2), (8,), labels(2, 8), between(-1.2, -0.4, 8), (8,), (8,)],
    [
        ("sign", "the entropy bonus as a penalty", "dlogits += ENT * p", "dlogits -= ENT * p"),
        ("missing factor", "the ratio forgotten", "dlogp = dratio * ratio", "dlogp = dratio"),
        ("constant", "the value loss weighs one", "dvalues = VF * 2 *", "dvalues = 2 *"),
        ("missing path", "entropy's own value forgotten", "(logp_all + h) / n", "logp_all / n"),
        ("count", "the mean forgotten for the policy", "dratio = -adv * use / n", "dratio = -adv * use"),
        ("wrong cached array", "advantage taken for the return", "(values - returns) / n", "(values - adv) / n"),
        ("mask", "the clip's other side", "use = ratio * adv <= clipped * adv", "use = ratio * adv > clipped * adv"),
        ("= for +=", "entropy's gradient replaces the policy's", "dlogits += ENT", "dlogits = ENT"),
    ],
)


def sgns(V, U, center, context, negatives):
    v = V[center]
    pos, neg = (v * U[context]).sum(1), (v[:, None] * U[negatives]).sum(2)
    return -(F.logsigmoid(pos).sum() + F.logsigmoid(-neg).sum()) / len(center)


enter(
    "NumPy",
    "skipgram.sgns",
    "sgns_grad",
    sgns,
    [(5, 3), (5, 3), labels(3, 4), labels(5, 4), labels(5, 4, 2)],
    [(4, 2), (4, 2), labels(4, 6), labels(4, 6), labels(4, 6, 3)],
    [
        ("= for +=", "repeated words keep the last gradient", "np.add.at(gV, center, gv)", "gV[center] += gv"),
        (
            "sign",
            "negatives treated as positives",
            "gneg = 1 / (1 + np.exp(-neg)) / B",
            "gneg = (1 / (1 + np.exp(-neg)) - 1) / B",
        ),
        ("missing path", "negatives do not move the centre", ' + np.einsum("bk,bkd->bd", gneg, un)', ""),
        ("line forgotten", "negatives themselves do not move", "    np.add.at(gU, negatives, gun)\n", ""),
        (
            "wrong index",
            "context's gradient at the centre's row",
            "np.add.at(gU, context, gu)",
            "np.add.at(gU, center, gu)",
        ),
    ],
)


enter(
    "NumPy",
    "penalised.elastic_net_logistic",
    "elastic_net_logistic_grad",
    lambda w, b, X, y: F.softplus(-y * (X @ w + b)).mean() + 0.05 * w.abs().sum() + 0.05 * w @ w,
    [(3,), (), (5, 3), signs(5)],
    [(4,), (), (6, 4), signs(6)],
    [
        ("regulariser", "l1's sign forgotten", "l1 * np.sign(w)", "l1 * np.abs(w)"),
        ("regulariser", "l2 with a two", " + l2 * w\n", " + 2 * l2 * w\n"),
        ("sign", "the probability of the other class", "(1 + np.exp(m)) / n", "(1 + np.exp(-m)) / n"),
        ("missing factor", "the label forgotten", "coef = -y / (1", "coef = -1 / (1"),
        ("count", "bias not averaged as the weights", "gb = coef.sum()", "gb = coef.mean()"),
    ],
)


def svm(W, X, t):
    s, rows = X @ W, torch.arange(len(t))
    m = torch.relu(s - s[rows, t][:, None] + 1) * (t[:, None] != torch.arange(s.shape[1]))
    return 1.5 * (m**2).sum() / len(t) + (W**2).sum() / 2


enter(
    "NumPy",
    "penalised.squared_hinge_svm",
    "squared_hinge_svm_grad",
    svm,
    [(3, 4), (5, 3), labels(4, 5)],
    [(2, 3), (4, 2), labels(3, 4)],
    [
        (
            "missing square",
            "hinge's derivative for the squared hinge",
            "dscores = 2 * margins",
            "dscores = 2.0 * (margins > 0)",
        ),
        (
            "missing path",
            "the right class not pushed",
            "    dscores[np.arange(n), labels] = -dscores.sum(axis=1)\n",
            "",
        ),
        ("sign", "the right class pushed down", "labels] = -dscores.sum(axis=1)", "labels] = dscores.sum(axis=1)"),
        ("regulariser", "decay forgotten", "dW = X.T @ dscores + W", "dW = X.T @ dscores"),
        ("regulariser", "C taken for the decay's factor", "dW = X.T @ dscores + W", "dW = X.T @ dscores + C * W"),
        ("count", "averaged over the classes", "dscores *= C / n", "dscores *= C / dscores.shape[1]"),
    ],
)


enter(
    "NumPy",
    "penalised.huber_ridge",
    "huber_ridge_grad",
    lambda w, X, y: F.huber_loss(X @ w, y) + 0.3 * (w**2).sum(),
    [(3,), wide(2, 5, 3), wide(2, 5)],
    [(2,), wide(2, 7, 2), wide(2, 7)],
    [
        ("bound", "clipped on one side only", "np.clip(r, -delta, delta)", "np.minimum(r, delta)"),
        ("regulariser", "the two of ridge forgotten", "+ 2 * lam * w", "+ lam * w"),
        ("sign", "the target's sign", '"dy": -dr', '"dy": dr'),
        ("bound", "clipped at half delta", "np.clip(r, -delta, delta)", "np.clip(r, -delta / 2, delta / 2)"),
    ],
)
