"""The contenders from elsewhere: jax.grad, and scikit-learn's multilayer perceptron."""

import warnings
from typing import Any

from step_cases import RATE, Case, problem
from step_manual import Run, Step, looped, scanned


def grad_under_jit(case: Case) -> Run:
    import jax

    return looped(jax.jit(grad_step(case)), *grad_start(case))


def grad_under_scan(case: Case) -> Run:
    return scanned(grad_step(case), *grad_start(case))


def grad_start(case: Case) -> Any:
    """Weights as jax's libraries keep them, a dictionary for each layer, W (n_in, n_out); and the batch."""
    import jax

    weights, x, target = problem(case)
    return jax.tree.map(jax.numpy.asarray, ([{"W": W.T, "b": b} for W, b in weights], x, target))


def grad_step(case: Case) -> Step:
    import jax
    from jax import nn
    from jax import numpy as jnp

    hidden = {"tanh": jnp.tanh, "sigmoid": nn.sigmoid, "relu": nn.relu}[case.hidden]

    def loss(weights: Any, x: Any, target: Any) -> Any:
        for layer in weights[:-1]:
            x = hidden(x @ layer["W"] + layer["b"])
        z = x @ weights[-1]["W"] + weights[-1]["b"]
        if case.loss == "mse":
            return jnp.mean((z - target) ** 2)
        return -jnp.mean(jnp.sum(nn.log_softmax(z) * nn.one_hot(target, z.shape[1]), axis=1))

    def step(weights: Any, x: Any, target: Any) -> Any:
        E, gradients = jax.value_and_grad(loss)(weights, x, target)
        return jax.tree.map(lambda p, d: p - RATE * d, weights, gradients), E

    return step


def scikit_learn(case: Case) -> Run:
    """`fit` from where it stands, as many epochs as there are steps, the batch its whole data.

    So its checks and its setup come once a block and not once a step, as with `partial_fit`. No momentum, no decay, no
    shuffling. Its squared error is half of the mean, so the rate is doubled there and the loss it tells is too.
    """
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    weights, x, target = problem(case)
    factor = 2 if case.loss == "mse" else 1
    model = (MLPRegressor if case.loss == "mse" else MLPClassifier)(
        hidden_layer_sizes=case.sizes[1:-1],
        activation={"sigmoid": "logistic"}.get(case.hidden, case.hidden),
        solver="sgd",
        learning_rate_init=factor * RATE,
        momentum=0.0,
        nesterovs_momentum=False,
        alpha=0.0,
        batch_size=case.batch,
        shuffle=False,
        n_iter_no_change=float("inf"),
        max_iter=1,
        warm_start=True,
    )
    target = target.ravel()

    def run(steps: int) -> float:
        model.max_iter = steps
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged
            model.fit(x, target)
        return factor * float(model.loss_)

    run(1)  # makes the arrays that the start is put into
    model.coefs_, model.intercepts_ = [W.T.copy() for W, _ in weights], [b.copy() for _, b in weights]
    return run
