"""Matt Mazur, "A Step by Step Backpropagation Example" (2015): the much copied 2-2-2 network, corrected.

His conventions against ours:
- weights are counted w1 to w8, unit by unit: w1, w2 are row 1 of W1, w3, w4 row 2; our layout.
- sigmoid in both layers, half the squared error, learning rate 0.5: as here.
- one bias a layer, 0.35 and 0.60, shared by its two units; the post never updates them ("frozen").
- A bias that is shared and trained has the sum of its units' gradients; a bias for each unit is what torch has.

What is wrong in print, each shown below with the numbers that are right, and where the printed ones come from:
- M-E1  error after one round 0.291027924, right 0.291027774. The printed one comes out where the hidden layer's error
        goes back through the output weights W2+ that the same round has already changed. The post's own w1+ to w4+ are
        those of the right rule.
- M-E2  outputs after 10,000 rounds 0.015912196 and 0.984065734: the same mistake in every round.
- M-E3  error after 10,000 rounds 0.0000351085: by the right rule, and after 9,999.
- M-E4  dE_o2/dout_h1 = -0.019049119: the last digit, right -0.019049118.

python examples/lectures/mazur.py
"""

import sys
from typing import Any

import numpy as np
import torch

from handgrad import verify, verify_function, verify_update
from handgrad.course.lecture import Number, System, autograd, torch_twin
from handgrad.course.text import main
from manual import Grads, HalfSquaredError, Params, gradients, mlp, sgd
from torch_ref import twin

NET, LOSS, LR = mlp([2, 2, 2], "sigmoid", "sigmoid"), HalfSquaredError(), 0.5
X, TARGET = np.array([[0.05, 0.10]]), np.array([[0.01, 0.99]])
PARAMS: tuple[Params, ...] = (
    {"W": np.array([[0.15, 0.20], [0.25, 0.30]]), "b": np.full(2, 0.35)},
    {},
    {"W": np.array([[0.40, 0.45], [0.50, 0.55]]), "b": np.full(2, 0.60)},
    {},
)
SHARED = {"W1": PARAMS[0]["W"], "b1": np.array(0.35), "W2": PARAMS[2]["W"], "b2": np.array(0.60)}


def per_unit(params: Any, dparams: Any) -> Any:
    """A bias for each unit: plain gradient descent on all twelve parameters."""
    return sgd(params, dparams, LR)


def frozen(params: Any, dparams: Any) -> Any:
    """The post's rule: the weights move, the biases do not."""
    return sgd(params, [{k: 0 * v if k == "db" else v for k, v in d.items()} for d in dparams], LR)


def shared(params: Any, dparams: Any) -> Any:
    """One bias a layer, the same number in both its units: its gradient is the sum of theirs."""
    return sgd(params, [{k: v.sum() if k == "db" else v for k, v in d.items()} for d in dparams], LR)


def train(rule: Any, rounds: int, params: Any = PARAMS, *, late: bool = False) -> tuple[Any, Any, Any]:
    """The parameters after so many rounds, y and E there. late: back through the W2 that the round has changed."""
    for step in range(rounds + 1):
        y, trace = NET.forward(params, X)
        E, cache = LOSS.forward(y, TARGET)
        if step < rounds:
            params = rule(params, late_gradients(rule, params, trace, cache) if late else back(params, trace, cache))
    return params, y, E


def back(params: Any, trace: Any, cache: Any) -> tuple[Grads, ...]:
    """The right gradients: dh1 = dz2 W2."""
    return NET.backward(params, trace, LOSS.backward(cache, 1.0))[1]


def late_gradients(rule: Any, params: Any, trace: Any, cache: Any) -> tuple[Grads, ...]:
    """What printed 0.291027924: dh1 = dz2 W2+."""
    after = rule(params, back(params, trace, cache))
    return back((params[0], {}, after[2], {}), trace, cache)


def torch_train(biases: str, rounds: int) -> tuple[Any, Any, Any]:
    """The same by the twin, autograd and torch.optim.SGD; biases: "frozen", "shared", "per unit"."""
    module, loss, x, t = torch_twin(NET, PARAMS), twin(LOSS), torch.tensor(X), torch.tensor(TARGET)
    all_b = [module[0].bias, module[2].bias]
    for b in all_b:
        b.requires_grad_(biases != "frozen")
    optimizer = torch.optim.SGD([v for v in module.parameters() if v.requires_grad], lr=LR, foreach=False)
    for _ in range(rounds):
        optimizer.zero_grad()
        loss(module(x), t).backward()
        for b in all_b if biases == "shared" else ():
            b.grad.fill_(b.grad.sum())
        optimizer.step()
    with torch.no_grad():
        y = module(x)
        return module.state_dict(), y, loss(y, t)


def post() -> System:
    """The post: dE/dw5 = (out_o1 - t1) out_o1 (1 - out_o1) out_h1, w5+ = w5 - eta dE/dw5; biases frozen."""
    p, a = gradients(NET, PARAMS, X, TARGET, LOSS), autograd(NET, PARAMS, X, TARGET, LOSS)
    (after, y_1, E_1), (theirs, ty_1, tE_1) = train(frozen, 1), torch_train("frozen", 1)
    through, t_through = (q["dz2"][0] * q["W2"][:, 0] for q in (p, a))  # what each output unit says of h1
    numbers = (
        Number("E after one round", E_1, tE_1, ["0.291027924"], "M-E1"),
        Number("net_h1", p["z1"][0, 0], a["z1"][0, 0], ["0.3775"]),
        Number("out_h1, out_h2", p["h1"], a["h1"], ["0.593269992", "0.596884378"]),
        Number("net_o1", p["z2"][0, 0], a["z2"][0, 0], ["1.105905967"]),
        Number("out_o1, out_o2", p.y, a["h2"], ["0.75136507", "0.772928465"], separate=True),
        Number("E_o1, E_o2", *(0.5 * (y - TARGET) ** 2 for y in (p.y, a["h2"])),
               ["0.274811083", "0.023560026"], separate=True),
        Number("E", p["loss"], a["loss"], ["0.298371109"]),
        Number("dE/dout_o1", p["dh2"][0, 0], a["dh2"][0, 0], ["0.74136507"]),
        Number("dout_o1/dnet_o1", p.y[0, 0] * (1 - p.y[0, 0]), a["dz2"][0, 0] / a["dh2"][0, 0], ["0.186815602"]),
        Number("delta_o1", p["dz2"][0, 0], a["dz2"][0, 0], ["0.138498562"]),
        Number("dE/dw5", p["dW2"][0, 0], a["dW2"][0, 0], ["0.082167041"]),
        Number("w5+ to w8+", after[2]["W"], theirs["2.weight"],
               ["0.35891648", "0.408666186", "0.511301270", "0.561370121"], separate=True),
        Number("dE_o1/dout_h1", through[0], t_through[0], ["0.055399425"]),
        Number("dE_o2/dout_h1", through[1], t_through[1], ["-0.019049119"], "M-E4"),
        Number("dE/dout_h1", p["dh1"][0, 0], a["dh1"][0, 0], ["0.036350306"]),
        Number("dout_h1/dnet_h1", p["h1"][0, 0] * (1 - p["h1"][0, 0]), a["dz1"][0, 0] / a["dh1"][0, 0],
               ["0.241300709"]),
        Number("dE/dw1", p["dW1"][0, 0], a["dW1"][0, 0], ["0.000438568"]),
        Number("w1+ to w4+", after[0]["W"], theirs["0.weight"],
               ["0.149780716", "0.19956143", "0.24975114", "0.29950229"], separate=True),
        Number("out_o1, out_o2 after one round", y_1, ty_1, separate=True),
        Number("E after one round, back through W2+", train(frozen, 1, late=True)[2], None, ["0.291027924"]),
    )  # fmt: skip
    report = verify(NET, PARAMS, X, TARGET, LOSS, seed=1, name="2-2-2, sigmoid")
    return System("M-S1", "Mazur's 2-2-2 example, biases frozen", (*numbers, *long_run()), (report,), judged_updates())


def long_run() -> tuple[Number, ...]:
    """10,000 rounds by the right rule, and by the one behind the printed outputs."""
    outputs, error = ["0.015912196", "0.984065734"], ["0.0000351085"]
    nearly, _, E_before = train(frozen, 9_999)
    (_, y, E), (_, ty, tE) = train(frozen, 1, nearly), torch_train("frozen", 10_000)
    return (
        Number("E after 10,000 rounds", E, tE, error, "M-E3", within=1e-9),
        Number("E after 9,999 rounds", E_before, None, error),
        Number("out_o1, out_o2 after 10,000", y, ty, outputs, "M-E2", within=1e-9, separate=True),
        Number("the same, back through W2+", train(frozen, 10_000, late=True)[1], None, outputs),
    )


def judged_updates() -> tuple[str, ...]:
    """What the judge says of one round of all twelve parameters, by the right rule and by the printed result's."""
    p = gradients(NET, PARAMS, X, TARGET, LOSS)
    _, cache = LOSS.forward(p.y, TARGET)
    late = late_gradients(per_unit, PARAMS, p.trace, cache)
    rules = {"w - eta dE/dw": per_unit(PARAMS, p.dparams), "the same, back through W2+": per_unit(PARAMS, late)}
    return tuple(str(verify_update(NET, PARAMS, X, TARGET, LOSS, new, name=rule)) for rule, new in rules.items())


def one_bias_a_layer() -> System:
    """dE/db1 = sum_j delta_hj, dE/db2 = sum_k delta_ok: one number stands in both units of its layer."""
    p = gradients(NET, PARAMS, X, TARGET, LOSS)
    (after, y_1, E_1), (theirs, ty_1, tE_1) = train(shared, 1), torch_train("shared", 1)
    leaves = {k: torch.tensor(v, requires_grad=True) for k, v in SHARED.items()}
    db1, db2 = torch.autograd.grad(shared_reference(**leaves), (leaves["b1"], leaves["b2"]))
    numbers = (
        Number("E after one round", E_1, tE_1),
        Number("dE/db1, dE/db2", [p["db1"].sum(), p["db2"].sum()], [db1.item(), db2.item()], separate=True),
        Number("b1+", after[0]["b"], theirs["0.bias"]),
        Number("b2+", after[2]["b"], theirs["2.bias"]),
        Number("out_o1, out_o2 after one round", y_1, ty_1, separate=True),
    )
    report = verify_function(
        shared_forward, shared_backward, shared_reference, SHARED, seed=1, name="2-2-2 with one bias a layer"
    )
    return System("M-S2", "the same, one trained bias a layer", numbers, (report,))


def shared_forward(W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    """E of the network whose biases are b1 and b2, in every unit."""
    params = ({"W": W1, "b": b1 + np.zeros(2)}, {}, {"W": W2, "b": b2 + np.zeros(2)}, {})
    y, trace = NET.forward(params, X)
    E, cache = LOSS.forward(y, TARGET)
    return E, (params, trace, cache)


def shared_backward(dE: Any, cache: Any) -> dict[str, Any]:
    """The gradients of manual; of a shared bias their sum."""
    params, trace, error = cache
    _, d = NET.backward(params, trace, LOSS.backward(error, dE))
    return {"dW1": d[0]["dW"], "db1": d[0]["db"].sum(), "dW2": d[2]["dW"], "db2": d[2]["db"].sum()}


def shared_reference(W1: torch.Tensor, b1: torch.Tensor, W2: torch.Tensor, b2: torch.Tensor) -> torch.Tensor:
    """The same in torch: a scalar bias is broadcast, and autograd sums its gradient."""
    h = torch.sigmoid(torch.tensor(X) @ W1.T + b1)
    y = torch.sigmoid(h @ W2.T + b2)
    return 0.5 * ((y - torch.tensor(TARGET)) ** 2).sum()


def a_bias_for_each_unit() -> System:
    """dE/db_j = delta_j: what torch, and every network here, trains."""
    p, a = gradients(NET, PARAMS, X, TARGET, LOSS), autograd(NET, PARAMS, X, TARGET, LOSS)
    (after, y_1, E_1), (theirs, ty_1, tE_1) = train(per_unit, 1), torch_train("per unit", 1)
    numbers = (
        Number("E after one round", E_1, tE_1),
        Number("dE/db1", p["db1"], a["db1"]),
        Number("dE/db2", p["db2"], a["db2"]),
        Number("b1+", after[0]["b"], theirs["0.bias"]),
        Number("b2+", after[2]["b"], theirs["2.bias"]),
        Number("out_o1, out_o2 after one round", y_1, ty_1, separate=True),
    )
    report = verify(NET, PARAMS, X, TARGET, LOSS, seed=2, name="2-2-2, a bias for each unit")
    return System("M-S3", "the same, a trained bias for each unit", numbers, (report,))


SYSTEMS = (post, one_bias_a_layer, a_bias_for_each_unit)

if __name__ == "__main__":
    sys.exit(main(SYSTEMS))
