# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: "1.3"
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # The five lectures by hand
#
# Five lectures teach backpropagation, each in its own way: Seungchul Lee, Ando Ki, Rajdeep Banerjee, Suyong Eum and
# Adam Selker. Here is one step of each, in a few lines of NumPy and in one notation: $z$ before and $h$ after the
# activation, $W$ and $b$ of a layer, and $dz$ for $\partial E / \partial z$. Each step is written as the lecture has it
# in print. Where the print is wrong the judge says so, and you see what belongs there.
#
# `handgrad lectures` runs all of their systems, `handgrad lectures --errata` every mistake in print.

# %%
import numpy as np
import torch

from handgrad import Verdict, cmp, verify_function

# %% [markdown]
# ## 1. Lee: the derivative of the loss
#
# The loss of the regression is a mean over $N$ samples,
#
# $$E = \frac{1}{N} \sum_n (t_n - y_n)^2 ,$$
#
# and the listing takes `predicted - t` for its derivative. Is it?


# %%
def mse(y, t):
    return np.mean((t - y) ** 2), (y, t)


def mse_backward(dE, cache):
    y, t = cache
    dy = dE * (y - t)
    return dy, -dy


printed = verify_function(mse, mse_backward, inputs={"y": (5,), "t": (5,)}, seed=0)
print(printed)
assert printed.verdict is Verdict.REFUTED

# %% [markdown]
# The chain rule gives $2 (y_n - t_n)$ for one square, and the mean divides by $N$: $dy = \frac{2}{N} (y - t)$. The
# printed line is $N / 2$ times that. Gradient descent does not mind, it only takes longer steps. But the same learning
# rate then means something else for every batch size.


# %%
def mse_backward_right(dE, cache):
    y, t = cache
    dy = dE * 2 / y.size * (y - t)
    return dy, -dy


right = verify_function(mse, mse_backward_right, inputs={"y": (5,), "t": (5,)}, seed=0)
print(right.verdict.value)
assert right.verdict is Verdict.CERTIFIED

# %% [markdown]
# ## 2. Ando Ki: a prime that got lost
#
# A chain of neurons, $a_2 = g_2(z_2)$. One line of the slides reads $\partial a_2 / \partial z_2 = g_2(z_2)$. With
# $g_2 = \tanh$ and our letters:


# %%
def tanh(z):
    h = np.tanh(z)
    return h, h


def tanh_backward(dh, h):
    return dh * h


printed = verify_function(tanh, tanh_backward, torch.tanh, [(4, 3)], seed=0)
print(printed)
assert printed.verdict is Verdict.REFUTED

# %% [markdown]
# The derivative is $g_2'(z_2) = 1 - \tanh^2(z_2)$, in code `dh * (1 - h**2)`. One prime is lost in print, and the
# activation stands where its derivative belongs.

# %%
right = verify_function(tanh, lambda dh, h: dh * (1 - h**2), torch.tanh, [(4, 3)], seed=0)
print(right.verdict.value)
assert right.verdict is Verdict.CERTIFIED

# %% [markdown]
# ## 3. Banerjee: samples in columns
#
# Here a sample is a column, and a layer is $z_2 = W_2 h_1 + b_2$. Everything is transposed against the other lectures:
# $dW_2 = dz_2\, h_1^T$ and $dh_1 = W_2^T dz_2$, and $db_2$ sums along the rows. The listing has
# `dh1 = np.dot(dw2.T, dz2)`. The shapes fit, so NumPy does not complain:


# %%
def layer(h1, W2, b2):
    return W2 @ h1 + b2, (h1, W2)


def layer_backward(dz2, cache):
    h1, W2 = cache  # noqa: RUF059
    dW2 = dz2 @ h1.T
    dh1 = dW2.T @ dz2
    db2 = dz2.sum(1, keepdims=True)
    return dh1, dW2, db2


columns = {"h1": (5, 4), "W2": (3, 5), "b2": (3, 1)}
printed = verify_function(layer, layer_backward, inputs=columns, seed=0)
print(printed)
assert printed.verdict is Verdict.REFUTED
assert printed.change is not None

# %% [markdown]
# The gradient of the weight stands where the weight belongs: a slip of one letter. Nothing else is wrong, and the judge
# says that as well: `dW2` and `db2` are right.
#
# ## 4. Eum: softmax and cross-entropy
#
# The outputs $o = (-5, -1, 1, 5)$, the last class is the right one. Softmax and cross-entropy together have the
# simplest gradient of all:
#
# $$p_k = \frac{e^{o_k}}{\sum_j e^{o_j}}, \qquad H = -\sum_k t_k \ln p_k, \qquad do = p - t$$
#
# provided that $\sum_k t_k = 1$. Two lines by hand, beside torch:

# %%
o = torch.tensor([-5.0, -1.0, 1.0, 5.0], dtype=torch.float64, requires_grad=True)
t = np.array([0.0, 0.0, 0.0, 1.0])
H = torch.nn.functional.cross_entropy(o, torch.tensor(3))
H.backward()

e = np.exp(o.detach().numpy())
p = e / e.sum()
print("p =", *(f"{entry:.5f}" for entry in p), f" H = {-np.log(p[3]):.6f}")
cmp("do", p - t, o)

# %% [markdown]
# The table in print has the same $p$, but $H = 0.020621$: it was computed from the rounded 0.97959. `cmp` says whether
# a gradient by hand is torch's to the last bit, within rounding, or wrong.
#
# And the judge? It also gives targets that are no probabilities, if we let it draw them. With $\sum_k t_k = s$ the
# gradient is $s\,p - t$:


# %%
def cross_entropy(o, t):
    e = np.exp(o - o.max(-1, keepdims=True))
    p = e / e.sum(-1, keepdims=True)
    return -(t * np.log(p)).sum(), (p, t)


def for_one_class(dH, cache):
    p, t = cache
    return dH * (p - t), -dH * np.log(p)


def for_any_target(dH, cache):
    p, t = cache
    return dH * (t.sum(-1, keepdims=True) * p - t), -dH * np.log(p)


for backward in (for_one_class, for_any_target):
    judged = verify_function(cross_entropy, backward, inputs=[(2, 4), (2, 4)], seed=0, mend=0)
    print(f"{backward.__name__}: {judged.verdict.value}")
assert judged.verdict is Verdict.CERTIFIED

# %% [markdown]
# A formula is right under its assumptions. Whoever weights the classes needs the second one.
#
# ## 5. Selker: one neuron after the other
#
# No matrices. Problem 12 is a diamond: the input $i$ goes to two neurons, both go to the output, and every neuron is a
# $\tanh$ of its weighted inputs. $E = \frac{1}{2} o^2$, for the target is 0.

# %%
i, w_top, w_bottom, v_top, v_bottom = 0.5, 1.0, 0.5, 2.0, 1.0
top, bottom = np.tanh(w_top * i), np.tanh(w_bottom * i)
out = np.tanh(v_top * top + v_bottom * bottom)
E = out**2 / 2

d_out = out  # dE/do
d_z = d_out * (1 - out**2)  # before the output's tanh
d_top = d_z * v_top * (1 - top**2)  # before the upper neuron's tanh
d_bottom = d_z * v_bottom * (1 - bottom**2)
d_i = d_top * w_top + d_bottom * w_bottom  # two ways lead from i to E, and both count
print(f"o = {out:.9f}  E = {E:.9f}  dE/di = {d_i:.9f}")

# %% [markdown]
# The last line is the heart of backpropagation: *where a value is used twice, its gradients are added*. By autograd:

# %%
leaf = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
torch_out = torch.tanh(v_top * torch.tanh(w_top * leaf) + v_bottom * torch.tanh(w_bottom * leaf))
(torch_out**2 / 2).backward()
cmp("d_i", np.array(d_i), leaf)
cmp("one way alone", np.array(d_top * w_top), leaf)

# %% [markdown]
# ## What the five have in common
#
# Go backwards through the lines of the forward pass. For each line, multiply what comes from behind by the line's
# derivative. Where a value is used more than once, add. Sum over whatever a parameter is shared by. That is all; the
# rest is index work, and index work is what a judge is for.
