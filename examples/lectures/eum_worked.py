"""Eum, lecture 7, third part, updates: the toy f = w x + b; the 2-2-2 example as printed, exchanged, and right.

Imported by eum.py. The slides call W[j, i] of layer l w_ij(l), and b[j] w_0j(l).
"""

import sys
from functools import cache
from typing import Any

import numpy as np
import torch

from handgrad import verify, verify_update
from handgrad.course.lecture import Number, System, autograd, torch_twin
from handgrad.course.text import main
from handgrad.lectures.eum_signal import HALF
from manual import Linear, Network, gradients, mlp, sgd
from torch_ref import twin

TOY = Network((Linear(1, 1),))
X5, THREE = np.array([[5.0]]), np.array([[3.0]])
START = ({"W": np.array([[-2.0]]), "b": np.array([3.0])},)


def f_of(params: Any) -> float:
    """f = w x + b at x = 5."""
    return float(TOY.forward(params, X5)[0].item())


def uphill(params: Any, lr: float = 0.1) -> Any:
    """The printed rule, w + eta df/dw and b + eta df/db: it follows f and knows no target."""
    _, trace = TOY.forward(params, X5)
    _, df = TOY.backward(params, trace, np.ones((1, 1)))
    return sgd(params, df, -lr)


def downhill(params: Any, lr: float) -> Any:
    """Gradient descent on L = 1/2 (f - 3)^2."""
    return sgd(params, gradients(TOY, params, X5, THREE, HALF).dparams, lr)


def iterates(step: Any, count: int) -> Any:
    """(w, b, f) from the start on, (count + 1, 3)."""
    params, found = START, []
    for _ in range(count + 1):
        found.append([params[0]["W"].item(), params[0]["b"].item(), f_of(params)])
        params = step(params)
    return np.array(found)


def torch_iterates(lr: float, count: int, *, target: bool) -> Any:
    """The same by torch.optim.SGD: on L, or climbing f."""
    w, b = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (-2.0, 3.0))
    optimizer, found = torch.optim.SGD([w, b], lr=lr, maximize=not target), []
    for _ in range(count + 1):
        f = w * 5 + b
        found.append([w.item(), b.item(), f.item()])
        optimizer.zero_grad()
        (0.5 * (f - 3) ** 2 if target else f).backward()
        optimizer.step()
    return np.array(found)


def toy() -> System:
    """f = g + b, g = w x: df/dw = x, df/db = 1. The printed step climbs f, whatever the target."""
    _, trace = TOY.forward(START, X5)
    _, (df,) = TOY.backward(START, trace, np.ones((1, 1)))
    w, b = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (-2.0, 3.0))
    f = w * 5 + b
    dw, db = torch.autograd.grad(f, (w, b))
    hand, auto = gradients(TOY, START, X5, THREE, HALF), autograd(TOY, START, X5, THREE, HALF)
    printed, theirs = iterates(uphill, 7), torch_iterates(0.1, 7, target=False)
    slow, exact = iterates(lambda s: downhill(s, 0.02), 40), iterates(lambda s: downhill(s, 1 / 26), 1)
    far = iterates(lambda s: downhill(s, 0.1), 7)
    last, after = torch_iterates(0.02, 40, target=True)[-1], torch_iterates(1 / 26, 1, target=True)[-1]
    numbers = (
        Number("df/dw, df/db", [df["dW"].item(), df["db"].item()], [dw.item(), db.item()], ["5", "1"], separate=True),
        Number("f", f_of(START), f),
        Number("w, b by the printed rule (E-E3)", printed[1, :2], theirs[1, :2], ["-1.5", "3.1"]),
        Number("w, b, f by the printed rule, 7 steps", printed, theirs),
        Number(
            "L, dL/dw, dL/db", *([p["loss"], p["dW1"].item(), p["db1"].item()] for p in (hand, auto)), separate=True
        ),
        Number("w, b, f down L, eta 0.1, 7 steps", far, torch_iterates(0.1, 7, target=True)),
        Number("w, b, f down L, eta 0.02, after 40", slow[-1], last, within=1e-9),
        Number("w, b, f down L, eta 1/26, after 1", exact[-1], after),
        Number("eta must stay below 2/(x^2 + 1)", 2 / (X5.item() ** 2 + 1), 2 / (dw.item() ** 2 + db.item() ** 2)),
    )
    notes = [
        f"the printed rule: f = {', '.join(f'{v:.2g}' for v in printed[:6, 2])}, ...: past 3 and on",
        f"gradient descent at eta 0.1: the error grows by {(far[2, 2] - 3) / (far[1, 2] - 3):.3g} a step; "
        f"at 1/26 f is {exact[1, 2]:.15g} after one",
    ]
    report = verify(TOY, START, X5, THREE, HALF, seed=1, name="L = 1/2 (f - 3)^2")
    return System("E-S4", "toy: f = g + b, g = w x", numbers, (report,), notes)


NET = mlp([2, 2, 2], "sigmoid", "sigmoid")
W1 = {"W": np.array([[0.15, 0.20], [0.20, 0.30]]), "b": np.array([0.1, 0.2])}
W2 = {"W": np.array([[0.40, 0.50], [0.45, 0.55]]), "b": np.array([0.2, 0.1])}
PARAMS = (W1, {}, W2, {})
SWAPPED = (W1, {}, {**W2, "W": W2["W"][:, [1, 0]]}, {})  # what the slides' numbers belong to
X, TARGET, ETA = np.array([[0.12, 0.30]]), np.array([[0.1, 0.9]]), 0.5


def as_in_lecture(quantities: Any, prefix: str = "") -> dict[str, float]:
    """The 12 weights or gradients of a 2-2-2 network as Eum names them: w21(1) goes from 2 to 1 in layer 1."""
    return {
        name: float(value)
        for layer in "12"
        for j in range(2)
        for name, value in (
            *((f"w{i + 1}{j + 1}({layer})", quantities[f"{prefix}W{layer}"][j, i]) for i in range(2)),
            (f"w0{j + 1}({layer})", quantities[f"{prefix}b{layer}"][j]),
        )
    }


def named(params: Any) -> dict[str, Any]:
    """Parameters under the names of a pass."""
    return {f"{k}{layer}": v for layer, own in ((1, params[0]), (2, params[2])) for k, v in own.items()}


@cache
def training(sign: int, marks: tuple[int, ...] = (0, 1, 10, 100, 1000)) -> tuple[Any, Any]:
    """E after so many steps w - sign eta dE/dw: by hand, by torch.optim.SGD."""
    module = torch_twin(NET, PARAMS)
    optimizer = torch.optim.SGD(module.parameters(), lr=ETA, maximize=sign < 0)
    params, hand, auto = PARAMS, [], []
    for step in range(marks[-1] + 1):
        p = gradients(NET, params, X, TARGET, HALF)
        optimizer.zero_grad()
        E = twin(HALF)(module(torch.tensor(X)), torch.tensor(TARGET))
        E.backward()
        if step in marks:
            hand.append(float(p["loss"]))
            auto.append(E.item())
        params = sgd(params, p.dparams, sign * ETA)
        optimizer.step()
    return np.array(hand), np.array(auto)


def worked_example() -> System:
    """2-2-2 with 12 parameters, one pass: as printed from rounded factors, as printed in full precision, and right."""
    p, q = gradients(NET, SWAPPED, X, TARGET, HALF), autograd(NET, SWAPPED, X, TARGET, HALF)
    right, auto = gradients(NET, PARAMS, X, TARGET, HALF), autograd(NET, PARAMS, X, TARGET, HALF)
    down, up = (sgd(PARAMS, right.dparams, s * ETA) for s in (1, -1))
    minus, plus = training(1), training(-1)
    numbers = (
        *slide_numbers(p, q, right, auto),
        *(Number(f"right: {k}", right[name], auto[name])
          for k, name in {"delta(2)": "dz2", "dE/dz": "dh1", "delta(1)": "dz1", "dE/dx": "dx"}.items()),
        *(Number(f"right: dE/d{k}", v, as_in_lecture(auto, "d")[k]) for k, v in as_in_lecture(right, "d").items()),
        *(Number(f"right: {k}*", v, as_in_lecture(auto)[k] - ETA * as_in_lecture(auto, "d")[k])
          for k, v in as_in_lecture(named(down)).items()),
        Number("E after one step, minus", loss_at(down), minus[1][1], separate=True),
        Number("E after one step, plus (E-E4)", loss_at(up), plus[1][1], separate=True),
        Number("E after 0, 1, 10, 100, 1000 steps, minus", *minus, within=1e-9, separate=True),
        Number("E after 0, 1, 10, 100, 1000 steps, plus (E-E4)", *plus, within=1e-9, separate=True),
    )  # fmt: skip
    reports = (
        verify(NET, PARAMS, X, TARGET, HALF, seed=1, name="the 2-2-2 example"),
        verify(NET, SWAPPED, X, TARGET, HALF, seed=1, name="the 2-2-2 example with the hidden units exchanged"),
    )
    weights = tuple(
        {**old, **{k: v for k, v in new.items() if k == "W"}} for old, new in zip(PARAMS, down, strict=True)
    )
    rules = {"w - eta dE/dw": down, "w + eta dE/dw, as printed": up, "no biases, as on the slides (E-E10)": weights}
    notes = [str(verify_update(NET, PARAMS, X, TARGET, HALF, new, name=rule)) for rule, new in rules.items()]
    return System("E-S7", "worked 2-2-2 example", numbers, reports, notes)


def loss_at(params: Any) -> float:
    """E of the example at these parameters."""
    return float(gradients(NET, params, X, TARGET, HALF)["loss"])


def slide_numbers(p: Any, q: Any, right: Any, auto: Any) -> list[Number]:
    """The 22 printed ones, of the network with its units exchanged (p, q), and what is right beside them.

    Where print rounds a product of rounded factors, the factors are ours, rounded to as many places.
    """
    (y1, y2), (t1, t2), z = p.y[0], TARGET[0], p["h1"][0]  # z[1] stands on the slides where z1 belongs
    w11, w12 = 0.40, 0.45
    path = [(y1 - t1) * y1 * (1 - y1) * w11, (y2 - t2) * y2 * (1 - y2) * w12]
    dE, slope, dz2 = q["dh2"][0], q["dz2"][0] / q["dh2"][0], q["dz2"][0]
    slide = q["dW1"][1, 0]  # unit 2 of the swapped network: what the slide calls w11(1)
    rdz, adz = right["dz2"][0], auto["dz2"][0]
    dE3, slope3, z3 = (round(float(v), 3) for v in (y1 - t1, y1 * (1 - y1), z[1]))
    path4, zslope4 = [round(dE3 * slope3 * w11, 4), round(float(path[1]), 4)], round(float(z[1] * (1 - z[1])), 4)
    dz4 = round(sum(path4), 4)
    return [
        Number("E, units exchanged (E-E5)", p["loss"], q["loss"], ["0.191"]),
        Number("right: E", right["loss"], auto["loss"]),
        Number("a(1)", p["z1"], q["z1"], ["0.178", "0.314"]),
        Number("z", p["h1"], q["h1"], ["0.544", "0.578"]),
        Number("a(2), units exchanged (E-E5)", p["z2"], q["z2"], ["0.703", "0.659"]),
        Number("right: a(2)", right["z2"], auto["z2"]),
        Number("y, units exchanged (E-E5)", p.y, q["h2"], ["0.669", "0.659"]),
        Number("right: y", right["h2"], auto["h2"]),
        Number("dE/dy1, dE/dy2, units exchanged (E-E5)", p["dh2"][0], dE, ["0.569", "-0.241"]),
        Number("right: dE/dy1, dE/dy2", right["dh2"][0], auto["dh2"][0]),
        Number("y1', y2', units exchanged (E-E5)", p.y[0] * (1 - p.y[0]), slope, ["0.221", "0.225"]),
        Number("right: y1', y2'", right.y[0] * (1 - right.y[0]), adz / auto["dh2"][0]),
        Number("z1 as printed, z2 in truth (E-E5)", z[1], q["h1"][0, 1], ["0.578"]),
        Number("dE/dw11(2) of rounded factors", dE3 * slope3 * z3, None, ["0.0727"]),
        Number("dE/dw11(2) as on the slide", (y1 - t1) * y1 * (1 - y1) * z[1], q["dW2"][0, 1]),
        Number("w11(2)* with plus (E-E4)", w11 + ETA * p["dW2"][0, 1], w11 + ETA * q["dW2"][0, 1], ["0.436"]),
        Number("dE_y1/dz1 of rounded factors", dE3 * slope3 * w11, None, ["0.0503"]),
        Number("dE_y1/dz1, units exchanged (E-E5)", path[0], dz2[0] * w11),
        Number("right: dE_y1/dz1", rdz[0] * w11, adz[0] * w11),
        Number("dE_y2/dz1, units exchanged (E-E5)", path[1], dz2[1] * w12, ["-0.0244"]),
        Number("right: dE_y2/dz1", rdz[1] * w12, adz[1] * w12),
        Number("dE/dz1 of rounded terms", sum(path4), None, ["0.0259"]),
        Number("dE/dz1 as on the slide", sum(path), q["dh1"][0, 1]),
        Number("z1', units exchanged (E-E5)", z[1] * (1 - z[1]), q["dz1"][0, 1] / q["dh1"][0, 1], ["0.2439"]),
        Number("right: z1'", right["h1"][0, 0] * (1 - right["h1"][0, 0]), auto["dz1"][0, 0] / auto["dh1"][0, 0]),
        Number("dE/dw11(1) of rounded factors", 0.12 * zslope4 * dz4, None, ["0.00075"], "E-E8"),
        Number("dE/dw11(1) as on the slide", 0.12 * z[1] * (1 - z[1]) * sum(path), slide),
        Number("w11(1)* with plus (E-E4)", 0.15 + ETA * p["dW1"][1, 0], 0.15 + ETA * slide, ["0.1504"]),
        Number("dW1, db1, dW2, db2, units exchanged", flat(p), flat(q), separate=True),
    ]


def flat(passed: Any) -> Any:
    """dW1, db1, dW2, db2 one after the other."""
    return np.concatenate([np.ravel(passed[name]) for name in ("dW1", "db1", "dW2", "db2")])


def plot_update(ax: Any) -> None:
    """E along 100 steps with minus, and with the printed plus."""
    marks = tuple(range(101))
    for sign, label in ((1, "w - eta dE/dw"), (-1, "w + eta dE/dw, as printed")):
        ax.plot(marks, training(sign, marks)[0], label=label)
    ax.set(xlabel="step", ylabel="E", title="the worked 2-2-2 example, eta = 0.5")
    ax.legend()


if __name__ == "__main__":
    sys.exit(main((toy, worked_example)))
