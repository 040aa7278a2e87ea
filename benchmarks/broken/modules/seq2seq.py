"""RNN encoder, additive (Bahdanau) attention, RNN decoder with teacher forcing. One sentence pair."""

import numpy as np


def seq2seq(x, y_in, We, Ue, Wa, Ua, va, Wd, Ud, Cd, Wo, targets):
    """x (S, D), y_in (T, E), targets (T,) -> summed cross entropy"""
    S, T, H = len(x), len(targets), Ue.shape[0]
    enc = np.zeros((S + 1, H))
    for s in range(S):
        enc[s] = np.tanh(x[s] @ We + enc[s - 1] @ Ue)
    mem = enc[:S]
    keys = mem @ Ua
    st = mem[-1]
    loss, steps = 0.0, []
    for t in range(T):
        act = np.tanh(st @ Wa + keys)
        e = act @ va
        w = np.exp(e - e.max())
        w = w / w.sum()
        c = w @ mem
        new = np.tanh(y_in[t] @ Wd + st @ Ud + c @ Cd)
        o = new @ Wo
        logp = o - o.max()
        logp = logp - np.log(np.exp(logp).sum())
        p = np.exp(logp)
        loss -= logp[targets[t]]
        steps.append((st, act, w, c, new, p))
        st = new
    return loss, (x, y_in, We, Ue, Wa, Ua, va, Wd, Ud, Cd, Wo, targets, enc, steps)


def seq2seq_backward(cache):
    x, y_in, We, Ue, Wa, Ua, va, Wd, Ud, Cd, Wo, targets, enc, steps = cache
    S, T, H = len(x), len(targets), Ue.shape[0]
    mem = enc[:S]
    dx, dy_in = np.zeros_like(x), np.zeros_like(y_in)
    dWe, dUe = np.zeros_like(We), np.zeros_like(Ue)
    dWa, dUa, dva = np.zeros_like(Wa), np.zeros_like(Ua), np.zeros_like(va)
    dWd, dUd, dCd, dWo = np.zeros_like(Wd), np.zeros_like(Ud), np.zeros_like(Cd), np.zeros_like(Wo)
    dmem = np.zeros((S, H))
    dkeys = np.zeros((S, Ua.shape[1]))
    dst = np.zeros(H)

    for t in reversed(range(T)):
        st, act, w, c, new, p = steps[t]
        # output
        do = p.copy()
        do[targets[t]] -= 1
        dWo += np.outer(new, do)
        dnew = Wo @ do + dst
        # decoder cell
        dz = dnew * (1 - new**2)
        dWd += np.outer(y_in[t], dz)
        dUd += np.outer(st, dz)
        dCd += np.outer(c, dz)
        dy_in[t] = Wd @ dz
        dst = Ud @ dz
        dc = Cd @ dz
        # context
        dw = mem @ dc
        dmem += np.outer(w, dc)
        # softmax over the source
        de = w * (dw - w @ dw)
        # additive scores
        dva += act.T @ de
        dact = np.outer(de, va) * (1 - act**2)
        dkeys += dact
        dWa += np.outer(st, dact.sum(0))
        dst += Wa @ dact.sum(0)

    # the decoder starts from the encoder's last state
    dmem[-1] += dst
    dUa += mem.T @ dkeys
    dmem += dkeys @ Ua.T

    carry = np.zeros(H)
    for s in reversed(range(S)):
        dz = (dmem[s] + carry) * (1 - enc[s] ** 2)
        dWe += np.outer(x[s], dz)
        dUe += np.outer(enc[s - 1], dz)
        dx[s] = We @ dz
        carry = Ue @ dz

    return dx, dy_in, dWe, dUe, dWa, dUa, dva, dWd, dUd, dCd, dWo, None
