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
# # Your own backward pass in ten minutes
#
# You know the chain rule. Here you use it once, on a small network, and write the result as code. Then the code is
# judged. It will be wrong at first, and you will be shown the line.
#
# This notebook is a Python file. `jupytext --to ipynb own_backward_pass.py` makes a notebook of it.

# %%
import numpy as np

import handgrad

# %% [markdown]
# ## 1. The forward pass
#
# A layer, an activation, a layer:
#
# $$z = x W_1^T + b_1, \qquad h = \tanh(z), \qquad y = h W_2^T$$
#
# Each row of $x$ is one sample. The backward pass will need some of the values again, so the forward pass hands them
# out beside its result. That tuple is the *cache*.


# %%
def mlp(x, W1, b1, W2):
    z = x @ W1.T + b1
    h = np.tanh(z)
    return h @ W2.T, (x, h, W1, W2)


# %% [markdown]
# ## 2. The backward pass, derived
#
# Somewhere behind $y$ there is a loss $E$. Whoever comes after us gives us $dy = \partial E / \partial y$, an array of
# the shape of $y$. This is the *upstream gradient*. We return the gradient of everything that came in. One step at a
# time, from the end to the beginning:
#
# | forward | so | because |
# | :-- | :-- | :-- |
# | $y_{nk} = \sum_j h_{nj} W_{2,kj}$ | $dW_2 = dy^T h$ | $W_{2,kj}$ meets $h_{nj}$ in each sample: sum over samples |
# | | $dh = dy\, W_2$ | $h_{nj}$ goes to every output $k$: sum over outputs |
# | $h = \tanh(z)$ | $dz = dh \odot (1 - h^2)$ | entry by entry, with $\tanh' = 1 - \tanh^2$ |
# | $z = x W_1^T + b_1$ | $dW_1 = dz^T x, \quad dx = dz\, W_1$ | the same layer once more |
# | | $db_1 = \sum_n dz_n$ | $b_1$ is added to every sample |
#
# Written down, with one slip that is easily made:


# %%
def mlp_backward(dy, cache):
    x, h, W1, W2 = cache
    dW2 = dy.T @ h
    dh = dy @ W2
    dz = dh * (1 - h)
    return dz @ W1, dz.T @ x, dz.sum(0), dW2


# %% [markdown]
# ## 3. Judged
#
# `verify_function` takes both functions. The inputs may be arrays. Here they are shapes, and the numbers are drawn:
# four samples of three numbers, five hidden units, two outputs. No reference is needed, for the forward pass itself
# says what its gradient is.

# %%
shapes = {"x": (4, 3), "W1": (5, 3), "b1": (5,), "W2": (2, 5)}
report = handgrad.verify_function(mlp, mlp_backward, inputs=shapes, seed=0)
print(report)

# %% [markdown]
# Read it from the top:
#
# - `dz` is what went wrong, and everything computed from it is wrong too. `dW2` is right: the mistake is not there.
# - The line is shown, with what should stand in it. The change was not guessed from its looks. The changed code was
#   judged again, on inputs it had not been found on, and every gradient was right.
# - `autograd 1.261978 ± 3e-13` is the right value with its *rounding bound*: how far floating-point arithmetic can
#   carry your result from it. Your value is not within that distance.
#
# The same as data:

# %%
print(report.verdict.value, "in line", report.place.line, "of the file")
print(report.change.diff)

# %% [markdown]
# Every value of the backward pass beside what it should be. `dz` is the first wrong one, the others follow from it:

# %%
print(report.ledger)

# %% [markdown]
# ## 4. Mended


# %%
def mlp_backward_mended(dy, cache):
    x, h, W1, W2 = cache
    dW2 = dy.T @ h
    dh = dy @ W2
    dz = dh * (1 - h**2)
    return dz @ W1, dz.T @ x, dz.sum(0), dW2


mended = handgrad.verify_function(mlp, mlp_backward_mended, inputs=shapes, seed=0)
print(mended)
assert mended.verdict is handgrad.Verdict.CERTIFIED

# %% [markdown]
# Five lines are enough for what is right. The second says how sharp the test was: a relative error of that size would
# have been seen in half of the entries. The third says how near the worst entry came to its bound. The note says what
# was *not* checked: whether `mlp` is the function that you meant. Only you know that, unless you name a reference.
#
# In a notebook a report is also a page. Make it the last expression of a cell:

# %%
mended  # noqa: B018

# %% [markdown]
# ## 5. How small a mistake is seen?
#
# Here is one that no plot of a loss would show: every `dW2` is too large by a factor of 1.000000001.


# %%
def slightly_wrong(dy, cache):
    dx, dW1, db1, dW2 = mlp_backward_mended(dy, cache)
    return dx, dW1, db1, dW2 * 1.000000001


slight = handgrad.verify_function(mlp, slightly_wrong, inputs=shapes, seed=0)
print(slight.verdict.value)
assert slight.verdict is handgrad.Verdict.REFUTED

# %% [markdown]
# And the usual comparison, with the tolerance that somebody once chose:

# %%
x, W1, b1, W2, dy = (np.random.default_rng(0).normal(size=shape) for shape in [*shapes.values(), (4, 2)])
cache = mlp(x, W1, b1, W2)[1]
print(np.allclose(slightly_wrong(dy, cache)[3], mlp_backward_mended(dy, cache)[3]))

# %% [markdown]
# `True`. Worse: where gradients are small, a backward pass that returns zeros is close enough as well.

# %%
small = 1e-9 * dy
print(np.allclose(0 * x, mlp_backward_mended(small, cache)[0]))

# %% [markdown]
# A bound that is derived from the code has neither of these faults. It is small where the numbers are small.
#
# ## 6. Your turn
#
# The softplus is $h = \ln(1 + e^z)$. Derive $dz$ from $dh$, write it in place of the `return` line, and run the cell
# until it says CERTIFIED. (The solution is below. What happens at $z = 800$? The judge tries that too.)


# %%
def softplus(z):
    return np.logaddexp(0, z), z


def softplus_backward(dh, z):
    return dh  # to be replaced


yours = handgrad.verify_function(softplus, softplus_backward, inputs=[(4, 3)], seed=0)
print(yours)

# %% [markdown]
# One solution. The derivative is the sigmoid, $e^z / (1 + e^z) = 1 / (1 + e^{-z})$. Written with `tanh` it does not
# overflow for any $z$:


# %%
def solution(dh, z):
    return dh * (0.5 + 0.5 * np.tanh(0.5 * z))


solved = handgrad.verify_function(softplus, solution, inputs=[(4, 3)], seed=0)
print(solved)
assert solved.verdict is handgrad.Verdict.CERTIFIED

# %% [markdown]
# ## Where to go on
#
# - In a file: `handgrad check FILE` finds every pair such as `mlp` and `mlp_backward`; with `--watch` it judges
#   whenever you save.
# - In a test: `handgrad.assert_verified(mlp, mlp_backward, inputs=shapes)` fails with the report as its message.
# - `docs/derivations.md` has the backward pass of every layer, derived as above.
# - `docs/method.md` says where the bound comes from.
