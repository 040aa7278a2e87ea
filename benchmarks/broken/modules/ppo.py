"""Clipped policy gradient with value loss and entropy bonus, for one minibatch."""

import numpy as np

CLIP = 0.2
VF = 0.5
ENT = 0.05


def ppo_loss(logits, values, actions, old_logp, adv, returns):
    """old_logp, adv and returns are data and get no gradient."""
    n = len(actions)
    m = logits - logits.max(1, keepdims=True)
    logp_all = m - np.log(np.exp(m).sum(1, keepdims=True))
    p = np.exp(logp_all)
    logp = logp_all[np.arange(n), actions]
    ratio = np.exp(logp - old_logp)
    clipped = np.clip(ratio, 1 - CLIP, 1 + CLIP)
    policy = -np.minimum(ratio * adv, clipped * adv).mean()
    value = ((values - returns) ** 2).mean()
    entropy = -(p * logp_all).sum(1).mean()
    return policy + VF * value - ENT * entropy, (p, logp_all, ratio, clipped, actions, adv, values, returns)


def ppo_loss_backward(cache):
    p, logp_all, ratio, clipped, actions, adv, values, returns = cache
    n = len(actions)
    # policy: only where the unclipped term is the smaller one
    use = ratio * adv <= clipped * adv
    dratio = -adv * use / n
    dlogp = dratio * ratio
    onehot = np.zeros_like(p)
    onehot[np.arange(n), actions] = 1
    dlogits = dlogp[:, None] * (onehot - p)
    # entropy
    h = -(p * logp_all).sum(1, keepdims=True)
    dlogits += ENT * p * (logp_all + h) / n
    # value
    dvalues = VF * 2 * (values - returns) / n
    return dlogits, dvalues, None, None, None, None
