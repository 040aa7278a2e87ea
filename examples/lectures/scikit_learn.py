"""scikit-learn's hand-worked example: the comments of `test_fit` in the tests of its multilayer perceptron (1.9.1).

Its conventions against ours:
- coefs_ are (n_in, n_out): W1 there is our W1 transposed, and its W1grad31 is our dW1[0, 2], X3 to h1.
- 3-2-1, sigmoid hidden units; the output's sigmoid belongs to the loss: d21 = o1 - y.
- loss: log loss plus alpha/2 times the sum of all squared weights (not biases), so dW has alpha W added; alpha = 0.1.
- one step of plain gradient descent, learning rate 0.1; "o1" of the second pass is our z2, "prob" the sigmoid of it.

What is wrong in the comments (the test compares to three decimals, which hides all of it):
- K-E1  o1 = 0.7654329236196236: sixteen digits of what h1, h2 rounded to three give (but for the last); right
        0.7654520.
- K-E2  W1grad31 and W1grad32 take X1 = 0.6 where X3 = 0.7 belongs: 0.060002 and 0.02244, right 0.06168 and 0.02620.
        So do the weights after the step, 0.4939998 and -0.002244, right 0.4938325 and -0.0026197.
- K-E3  the other gradients and weights show more digits than their factors, rounded to three, can give.

python examples/lectures/scikit_learn.py
"""

import sys
from typing import Any

import numpy as np
import torch

from handgrad import verify
from handgrad.course.lecture import Number, System, torch_twin
from handgrad.course.text import main
from manual import BinaryCrossEntropy, Params, Sigmoid, gradients, mlp, sgd
from torch_ref import twin

NET, LOSS, LR, ALPHA = mlp([3, 2, 1], "sigmoid"), BinaryCrossEntropy(), 0.1, 0.1
X, TARGET = np.array([[0.6, 0.8, 0.7]]), np.array([[0.0]])
PARAMS: tuple[Params, ...] = (
    {"W": np.array([[0.1, 0.3, 0.5], [0.2, 0.1, 0.0]]), "b": np.array([0.1, 0.1])},
    {},
    {"W": np.array([[0.1, 0.2]]), "b": np.array([1.0])},
)


def sigmoid(z: Any) -> Any:
    """The output's sigmoid, which `manual` has in its loss."""
    return Sigmoid().forward({}, np.asarray(z))[0]


def regularized(dparams: Any) -> Any:
    """dW + alpha W: the gradient of the penalty alpha/2 sum W^2."""
    return tuple(
        {k: d + ALPHA * p["W"] if k == "dW" else d for k, d in own.items()}
        for p, own in zip(PARAMS, dparams, strict=True)
    )


def torch_run() -> dict[str, Any]:
    """The pass, the penalized gradients, the step and the second pass, by the twin, autograd and torch.optim.SGD."""
    module = torch_twin(NET, PARAMS)
    (W1, b1), (W2, b2) = ((module[i].weight, module[i].bias) for i in (0, 2))
    optimizer = torch.optim.SGD([{"params": [W1, W2], "weight_decay": ALPHA}, {"params": [b1, b2]}], lr=LR)

    def forward() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        z1 = module[0](torch.tensor(X))
        h1 = module[1](z1)
        return z1, h1, module[2](h1)

    z1, h1, z2 = forward()
    z1.retain_grad()
    z2.retain_grad()
    penalty = 0.5 * ALPHA * ((W1**2).sum() + (W2**2).sum())
    (twin(LOSS)(z2, torch.tensor(TARGET)) + penalty).backward()
    found = {"h1": h1, "o1": torch.sigmoid(z2), "dz1": z1.grad, "dz2": z2.grad}
    found |= {"dW1": W1.grad.clone(), "db1": b1.grad.clone(), "dW2": W2.grad.clone(), "db2": b2.grad.clone()}
    optimizer.zero_grad()
    twin(LOSS)(forward()[2], torch.tensor(TARGET)).backward()  # the optimizer adds the penalty's part itself
    optimizer.step()
    _, again, z = forward()
    found |= {"W1+": W1, "b1+": b1, "W2+": W2, "b2+": b2, "h1+": again, "z2+": z, "prob": torch.sigmoid(z)}
    return {k: v.detach().numpy() for k, v in found.items()}


def one_pass() -> System:
    """d21 = o1 - y, d1 = (1 - h) h d21 W2, W1grad = X d1 + alpha W1, W2grad = h d21 + alpha W2."""
    p, a = gradients(NET, PARAMS, X, TARGET, LOSS), torch_run()
    d1, _, d2 = regularized(p.dparams)
    dW1, dW2, tW1, tW2 = d1["dW"], d2["dW"][0], a["dW1"], a["dW2"][0]
    W2, h3, d21_3 = PARAMS[2]["W"], np.round(p["h1"][0], 3), np.round(p["dz2"][0, 0], 3)  # what the comments go on with
    d1_3 = np.array([float(f"{v:.{places}f}") for v, places in zip(d21_3 * W2[0] * (1 - h3) * h3, (5, 4), strict=True)])
    numbers = (
        Number("W1grad31, W1grad32", dW1[:, 2], tW1[:, 2], ["0.060002", "0.02244"], "K-E2", separate=True),
        Number("the same with X1 for X3", X[0, 0] * d1_3 + ALPHA * PARAMS[0]["W"][:, 2], None,
               ["0.060002", "0.02244"]),
        Number("h1, h2", p["h1"], a["h1"], ["0.679178699175393", "0.574442516811659"], separate=True),
        Number("o1", sigmoid(p.y), a["o1"], ["0.7654329236196236"], "K-E1"),
        Number("o1 of h1, h2 in three digits", sigmoid(W2 @ h3 + PARAMS[2]["b"]), None, ["0.7654329236196236"],
               "K-E1"),
        Number("d21", p["dz2"], a["dz2"], ["0.765"]),
        Number("d11", p["dz1"][0, 0], a["dz1"][0, 0], ["0.01667"], "K-E3"),
        Number("d12", p["dz1"][0, 1], a["dz1"][0, 1], ["0.0374"]),
        Number("W1grad11", dW1[0, 0], tW1[0, 0], ["0.0200"]),
        Number("W1grad12", dW1[1, 0], tW1[1, 0], ["0.04244"], "K-E3"),
        Number("W1grad21, W1grad22", dW1[:, 1], tW1[:, 1], ["0.043336", "0.03992"], "K-E3", separate=True),
        Number("W2grad1, W2grad2", dW2, tW2, ["0.5294", "0.45911"], "K-E3", separate=True),
        Number("b1grad1", d1["db"][0], a["db1"][0], ["0.01667"], "K-E3"),
        Number("b1grad2", d1["db"][1], a["db1"][1], ["0.0374"]),
        Number("b2grad", d2["db"], a["db2"], ["0.765"]),
    )  # fmt: skip
    report = verify(NET, PARAMS, X, TARGET, LOSS, seed=1, name="3-2-1, log loss")
    note = "the judge certifies the gradients of the log loss; alpha W is added to them afterwards"
    return System("K-S1", "scikit-learn's test_fit: gradients", numbers, (report,), (note,))


def one_step() -> System:
    """W - eta Wgrad, b - eta bgrad, and the forward pass after it."""
    p, a = gradients(NET, PARAMS, X, TARGET, LOSS), torch_run()
    after = sgd(PARAMS, regularized(p.dparams), LR)
    q = gradients(NET, after, X, TARGET, LOSS)
    W1, b1, W2, b2 = q["W1"], q["b1"], q["W2"][0], q["b2"]
    numbers = (
        Number(
            "W1 from X3, after the step", W1[:, 2], a["W1+"][:, 2], ["0.4939998", "-0.002244"], "K-E2", separate=True
        ),
        Number("W1 from X1 to h1", W1[0, 0], a["W1+"][0, 0], ["0.098"]),
        Number("W1 from X1 to h2", W1[1, 0], a["W1+"][1, 0], ["0.195756"], "K-E3"),
        Number("W1 from X2", W1[:, 1], a["W1+"][:, 1], ["0.2956664", "0.096008"], "K-E3", separate=True),
        Number("W2", W2, a["W2+"][0], ["0.04706", "0.154089"], "K-E3"),
        Number("b1 of h1", b1[0], a["b1+"][0], ["0.098333"], "K-E3"),
        Number("b1 of h2", b1[1], a["b1+"][1], ["0.09626"]),
        Number("b2", b2, a["b2+"], ["0.9235"]),
        Number("h1, h2 of the second pass", q["h1"], a["h1+"], ["0.677", "0.572"], separate=True),
        Number("o1 of the second pass", q["z2"], a["z2+"], ["1.043"]),
        Number("prob", sigmoid(q.y), a["prob"], ["0.739"]),
    )
    report = verify(NET, after, X, TARGET, LOSS, seed=2, name="3-2-1, log loss, after the step")
    return System("K-S2", "scikit-learn's test_fit: one step", numbers, (report,))


SYSTEMS = (one_pass, one_step)

if __name__ == "__main__":
    sys.exit(main(SYSTEMS))
