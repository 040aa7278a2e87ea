"""One small network, every quantity of its backward pass twice: derived by hand, and by PyTorch's autograd."""

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from manual import SoftmaxCrossEntropy, gradients, mlp, output_names
from torch_ref import to_torch, twin

net, loss = mlp([3, 2, 2], "tanh"), SoftmaxCrossEntropy()
params = net.init(seed=0)
rng = np.random.default_rng(1)
x, labels = rng.normal(size=(2, 3)), np.array([0, 1])  # two samples, one per row

# By hand: every quantity of the pass under its lecture name.
hand = gradients(net, params, x, labels, loss)

# By autograd: the same weights in ordinary torch modules, which are asked to keep the gradients in between.
modules = twin(net).double()
modules.load_state_dict(to_torch(net, params))
auto = {"x": torch.tensor(x, requires_grad=True)}
h = auto["x"]
for name, module in zip(output_names(net.layers), modules.children(), strict=True):
    h = auto[name] = module(h)
    h.retain_grad()
auto["loss"] = twin(loss)(h, torch.tensor(labels))
auto["loss"].backward()
auto |= {"W1": modules[0].weight, "b1": modules[0].bias, "W2": modules[2].weight, "b2": modules[2].bias}

table = Table(title="3-2-2, tanh, softmax cross-entropy", show_lines=True)
for heading in ("", "by hand", "by autograd", "apart by"):
    table.add_column(heading, no_wrap=True)
for name in ["z1", "h1", "z2", "loss", "dz2", "dW2", "db2", "dh1", "dz1", "dW1", "db1", "dx"]:
    by_hand = np.asarray(hand[name])
    by_autograd = (auto[name] if name in auto else auto[name[1:]].grad).detach().numpy()
    shown = (np.array2string(a, precision=4, sign=" ") for a in (by_hand, by_autograd))
    table.add_row(name, *shown, f"{np.abs(by_hand - by_autograd).max():.0e}")
Console().print(table)
