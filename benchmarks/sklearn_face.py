"""Do the estimators of manual.sklearn learn as well as scikit-learn's own, and how long do they take?

    python benchmarks/sklearn_face.py [--seeds 10]

A seed splits a data set (a quarter is held out), and both are trained with it. In turn, so that what else the machine
does falls on both; the time is the CPU time of the process, of one thread.
"""

import argparse
import warnings
from collections.abc import Callable, Iterable
from time import process_time
from typing import Any, NamedTuple

import numpy as np
import sklearn
from record import markdown, save
from sklearn import datasets, neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import manual.sklearn

SIDES: dict[str, Any] = {"scikit-learn": neural_network, "handgrad": manual.sklearn}
SOLVERS = ("adam", "sgd", "lbfgs")
EPOCHS = 50  # from one start, in one order

LOADERS: dict[str, Callable[[], Any]] = {
    "iris": lambda: datasets.load_iris(return_X_y=True),
    "wine": lambda: datasets.load_wine(return_X_y=True),
    "breast_cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "digits": lambda: datasets.load_digits(return_X_y=True),
    "diabetes": lambda: datasets.load_diabetes(return_X_y=True),
    "make_moons": lambda: datasets.make_moons(500, noise=0.2, random_state=0),
}


class Data(NamedTuple):
    """A data set as both see it: inputs, and numbers to be fitted, with mean 0 and variance 1."""

    X: Any  # (N, n_in)
    y: Any  # (N,)
    kind: str  # the estimator of either side


def load(name: str) -> Data:
    """The data set of that name."""
    X, y = LOADERS[name]()
    X = StandardScaler().fit_transform(X)
    if name == "diabetes":
        return Data(X, (y - y.mean()) / y.std(), "MLPRegressor")
    return Data(X, y, "MLPClassifier")


def measure(data: Data, solver: str, seeds: Iterable[int]) -> dict[str, Any]:
    """Of every seed each side's score on what is held out (accuracy or R2), its epochs, and its seconds of CPU time."""
    found: dict[str, Any] = {side: {"score": [], "epochs": [], "seconds": []} for side in SIDES}
    for seed in seeds:
        strata = data.y if data.kind == "MLPClassifier" else None
        X, X_test, y, y_test = train_test_split(data.X, data.y, random_state=seed, stratify=strata)
        for side in sorted(SIDES, reverse=bool(seed % 2)):
            model = getattr(SIDES[side], data.kind)(solver=solver, random_state=seed)
            began = process_time()
            with threadpool_limits(1):  # two wait for each other, more so beside other work
                model.fit(X, y)
            found[side]["seconds"].append(round(process_time() - began, 4))
            found[side]["score"].append(round(float(model.score(X_test, y_test)), 6))
            found[side]["epochs"].append(int(model.n_iter_))
    return found


def difference(data: Data) -> float:
    """The largest difference of a prediction or a probability after so many epochs from one start, in one order."""
    how: dict[str, Any] = {"solver": "sgd", "shuffle": False, "warm_start": True, "random_state": 0}
    theirs, ours = (
        getattr(side, data.kind)(**how, max_iter=1, tol=0, n_iter_no_change=EPOCHS).fit(data.X, data.y)
        for side in SIDES.values()
    )
    ours.coefs_ = [W.copy() for W in theirs.coefs_]
    ours.intercepts_ = [b.copy() for b in theirs.intercepts_]
    outputs = []
    for model in (theirs, ours):
        model.set_params(max_iter=EPOCHS).fit(data.X, data.y)
        outputs.append((model.predict_proba if data.kind == "MLPClassifier" else model.predict)(data.X))
    return float(np.abs(outputs[0] - outputs[1]).max())


def table(found: dict[str, Any]) -> str:
    """A row for every data set and solver, and what is the same to the last digits."""
    rows = []
    for name, solvers in found["data sets"].items():
        for solver, sides in solvers.items():
            theirs, ours = (sides[side] for side in SIDES)
            gain = np.subtract(ours["score"], theirs["score"])
            error = gain.std(ddof=1) / len(gain) ** 0.5
            a_fit, an_epoch = ratios(theirs, ours)
            rows.append([
                name, solver, f"{np.mean(theirs['score']):.3f}", f"{np.mean(ours['score']):.3f}",
                f"{gain.mean():+.3f} ± {error:.3f}", f"{np.mean(theirs['epochs']):.0f}",
                f"{np.mean(ours['epochs']):.0f}", f"{a_fit:.2f}", f"{an_epoch:.2f}",
            ])  # fmt: skip
    same = ", ".join(f"{name} {most:.0e}" for name, most in found["difference"].items())
    header = ["", "solver", *SIDES, "difference", "epochs there", "here", "CPU time here / there, a fit", "an epoch"]
    return "\n\n".join((
        f"scikit-learn {found['sklearn']}; {found['seeds']} seeds; accuracy, of diabetes R2.",
        markdown(header, rows),
        f"From one start, in one order, the largest difference of a probability or prediction after {EPOCHS} epochs of "
        f"sgd: {same}.",
    ))  # fmt: skip


def ratios(theirs: dict[str, Any], ours: dict[str, Any]) -> tuple[float, float]:
    """CPU time here over there, the median of the seeds: of a fit, and of an epoch."""
    a_fit = np.divide(ours["seconds"], theirs["seconds"])
    return float(np.median(a_fit)), float(np.median(a_fit * np.divide(theirs["epochs"], ours["epochs"])))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=10)
    seeds = parser.parse_args(arguments).seeds
    warnings.simplefilter("ignore", ConvergenceWarning)  # both end after 200 epochs, settled or not
    found: dict[str, Any] = {"sklearn": sklearn.__version__, "seeds": seeds, "data sets": {}, "difference": {}}
    for name in LOADERS:
        data = load(name)
        found["data sets"][name] = {solver: measure(data, solver, range(seeds)) for solver in SOLVERS}
        found["difference"][name] = difference(data)
        print(name, flush=True)
    save("sklearn_face", found, table(found))


if __name__ == "__main__":
    main()
