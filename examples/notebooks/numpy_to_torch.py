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
# # From NumPy to a torch module
#
# You have a forward and a backward pass in NumPy. You want them inside a torch model: trained by a torch optimizer,
# saved in a `state_dict`, next to layers that torch differentiates itself. There are two ways. We take both, and judge
# the result each time.

# %%
import numpy as np
import torch
from torch import nn

import handgrad
import manual
from handgrad.experiment.datasets.digits import digits
from torch_ref import HandModule

# %% [markdown]
# ## 1. In NumPy
#
# A residual block with a scale, $y = x + \alpha \tanh(x)$, where $\alpha$ is one number that is learned. Two ways lead
# from $x$ to $y$, so
#
# $$dx = dy + \alpha\, dy \odot (1 - h^2), \qquad d\alpha = \sum dy \odot h .$$


# %%
def block(x, alpha):
    h = np.tanh(x)
    return x + alpha * h, (h, alpha)


def block_backward(dy, cache):
    h, alpha = cache
    return dy + alpha * dy * (1 - h * h), (dy * h).sum()


print(handgrad.verify_function(block, block_backward, inputs={"x": (4, 3), "alpha": ()}, seed=0))

# %% [markdown]
# ## 2. By yourself: a `torch.autograd.Function`
#
# The formulas stay, the library changes. `forward` saves what `backward` needs, `backward` returns one gradient for
# each argument. A first try:


# %%
class Block(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, alpha):
        h = torch.tanh(x)
        ctx.save_for_backward(h, alpha)
        return x + alpha * h

    @staticmethod
    def backward(ctx, dy):
        h, alpha = ctx.saved_tensors
        dx = alpha * dy * (1 - h * h)
        return dx, (dy * h).sum()


def reference(x, alpha):
    return x + alpha * torch.tanh(x)


inputs = {"x": (4, 3), "alpha": ()}
report = handgrad.verify_function(Block.apply, reference=reference, inputs=inputs, seed=0)
print(report)
assert report.verdict is handgrad.Verdict.REFUTED

# %% [markdown]
# The direct way from $x$ to $y$ was forgotten when the lines were copied. Such a slip trains: the loss goes down, only
# more slowly. Mended:


# %%
class BlockMended(Block):
    @staticmethod
    def backward(ctx, dy):
        h, alpha = ctx.saved_tensors
        dx = dy + alpha * dy * (1 - h * h)
        return dx, (dy * h).sum()


for dtype in ("float64", "float32"):
    judged = handgrad.verify_function(BlockMended.apply, reference=reference, inputs=inputs, dtype=dtype, seed=0)
    print(f"{dtype:9}", judged.verdict.value)
    assert judged.gradients is handgrad.Verdict.CERTIFIED

# %% [markdown]
# The same code in two precisions, each with a bound of its own. There is no tolerance to choose. Besides its numbers
# the judge looks at what torch asks of such a function: that it writes into nothing it was given, that every argument
# gets its gradient, that it works where only some inputs need one.
#
# Now it is a module like any other:


# %%
class ResidualTanh(nn.Module):
    def __init__(self):
        super().__init__()
        self.alpha = nn.Parameter(torch.tensor(0.5))

    def forward(self, x):
        return BlockMended.apply(x, self.alpha)


# %% [markdown]
# ## 3. With the layers that are here: `HandModule`
#
# `manual` has the usual layers with their backward passes in NumPy. `HandModule` makes a torch module of one of them,
# of a whole network, or of a loss. Its gradients are the hand-derived ones. Its start, its names in the `state_dict`
# and its numbers are those of torch's own modules.

# %%
torch.manual_seed(0)
by_torch = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
torch.manual_seed(0)
by_hand = HandModule(manual.mlp([64, 32, 10], "tanh"))
print(list(by_hand.state_dict()))
assert all(torch.equal(a, b) for a, b in zip(by_torch.parameters(), by_hand.parameters(), strict=True))

# %% [markdown]
# ## 4. Both train
#
# A training loop that does not know which of the two it has:

# %%
x = torch.tensor(digits().x, dtype=torch.float32)
labels = torch.tensor(digits().labels)


def train(model, criterion, steps=100):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    order, curve = torch.Generator().manual_seed(0), []
    for _ in range(steps):
        batch = torch.randint(len(x), (64,), generator=order)
        optimizer.zero_grad()
        loss = criterion(model(x[batch]), labels[batch])
        loss.backward()
        optimizer.step()
        curve.append(loss.item())
    return curve


one = train(by_torch, nn.CrossEntropyLoss())
other = train(by_hand, HandModule(manual.SoftmaxCrossEntropy()))
print("step  autograd   by hand")
for step in (0, 10, 50, 99):
    print(f"{step:4}  {one[step]:.6f}  {other[step]:.6f}")
assert other[-1] < 0.5

# %% [markdown]
# The last digits part after a while: both sides add up the same products in another order. `handgrad compare --steps
# 100` says how far rounding alone can carry such a run.
#
# And a mixed model, part by torch, part by hand:

# %%
torch.manual_seed(0)
mixed = nn.Sequential(nn.Linear(64, 32), ResidualTanh(), HandModule(manual.Linear(32, 10)))
curve = train(mixed, nn.CrossEntropyLoss())
print(f"{curve[0]:.3f} to {curve[-1]:.3f}, alpha from 0.5 to {mixed[1].alpha.item():.3f}")
assert curve[-1] < 0.5

# %% [markdown]
# ## Where to go on
#
# - `docs/drop_in.md`: which torch idioms a `HandModule` takes part in: hooks, autocast, `torch.compile`, several
#   processes.
# - `docs/kernels.md`: the same judge for kernels in Triton and for `jax.custom_vjp`.
# - `examples/drop_in.py`: the training above, with checkpoints that go both ways.
