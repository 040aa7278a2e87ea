"""What a trained network says of data, in the words and numbers of the data's own file."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from rich.text import Text

from handgrad.experiment import plots
from handgrad.experiment.datasets import Data, DataError
from handgrad.experiment.datasets.text import LETTERS, clean, next_letters, spell
from handgrad.experiment.plan import VALIDATION, Trained, digest, evaluate
from handgrad.report.console import count_of
from manual import Softmax
from manual.training.batches import split

SHOWN, GUESSES = 10, 5  # rows of the table, guesses in a row
WRITTEN = 200  # letters by which a prompt is continued


class Prediction(NamedTuple):
    """y (N, n_out): probabilities where the loss makes them, scores of classes, or numbers as the file has them."""

    trained: Trained
    data: Data
    y: NDArray[Any]
    target: NDArray[Any] | None  # class indices, or numbers as the file has them

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which rows' class is predicted, where the data have classes."""
        right: NDArray[np.bool_] = self.y.argmax(1) == self.target
        return right


def predict(trained: Trained, data: Data) -> Prediction:
    """The network's output for every row of data in the form of its training."""
    y, scaling, target = probabilities(trained, data.x), trained.form.target_scaling, data.target
    if scaling is not None:
        y, target = scaling.undo(y), None if target is None else scaling.undo(target)
    return Prediction(trained, data, y, target)


def probabilities(trained: Trained, x: NDArray[Any]) -> NDArray[Any]:
    """y (N, n_out), after softmax where the network was trained by cross-entropy."""
    y = scores(trained, x)
    p: NDArray[Any] = Softmax().forward({}, y)[0] if trained.options.loss == "cross_entropy" else y
    return p


def scores(trained: Trained, x: NDArray[Any]) -> NDArray[Any]:
    """What comes out of the network for x (N, n_in)."""
    network, training = trained.checkpoint.network, trained.checkpoint.training
    return evaluate(network, training.params, training.running, x)


def rows(found: Prediction, *, every: bool = False) -> Iterator[tuple[Any, ...]]:
    """A header, then per row of the data what is predicted, how surely, and what the data say, if they do.

    every: of classes, the probability of each, in columns of their own. DataError for numbers, which have none.
    """
    form, target = found.trained.form, found.target
    name, known = form.target_name or "label", target is not None
    if form.classes is None:
        if every:
            raise DataError("--probabilities: the network was trained on numbers to be fitted, which have none")
        ends = [""] if form.n_out == 1 else [f" {k + 1}" for k in range(form.n_out)]
        yield ("row", *(f"predicted{end}" for end in ends), *(f"{name}{end}" for end in ends if known))
        for i, y in enumerate(found.y.tolist()):
            yield (i + 1, *y, *(() if target is None else target[i].tolist()))
        return
    sure = "probability" if found.trained.options.loss == "cross_entropy" else "score"
    each = tuple(f"{sure} of {kind}" for kind in form.classes if every)
    yield ("row", "predicted", sure, *([name] if known else ()), *each)
    for i, k in enumerate(found.y.argmax(1).tolist()):
        own = () if target is None else (form.classes[target[i]],)
        yield (i + 1, form.classes[k], found.y[i, k].item(), *own, *(found.y[i].tolist() if every else ()))


def table(found: Prediction) -> Table:
    """The first rows; of a text, its first letters with the guesses of each next one."""
    header, *shown = islice(guesses(found) if found.trained.form.context else rows(found), SHOWN + 1)
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for title in header:
        grid.add_column(title, overflow="fold")
    for row in shown:
        grid.add_row(*(Text(show(v) if isinstance(v, str) else f"{v:.4g}") for v in row))
    return grid


def rest(found: Prediction) -> list[str]:
    """What the table leaves out, and where it can be had."""
    left = len(found.y) - SHOWN
    return [f"and {count_of(left, 'more row')}: --out FILE writes them all"] if left > 0 else []


def show(name: str) -> str:
    """A name that can be seen.

    >>> show("a"), show(" ")
    ('a', "' '")
    """
    return name if name.strip() else repr(name)


def draw(found: Prediction) -> tuple[plots.Plot, ...]:
    """What the data say against what is predicted. DataError where they say nothing."""
    trained = found.trained
    drawn = plots.of_data(found.data, lambda x: scores(trained, x))
    if not drawn:
        raise DataError("--plot: the data have no labels to draw the predictions against")
    return drawn


def guesses(found: Prediction) -> Iterator[tuple[str, ...]]:
    """A header, then per run of letters the likeliest next ones, and the one that came."""
    yield ("letters", *(f"guess {k + 1}" for k in range(GUESSES)), "came")
    target = found.target
    for i, y in enumerate(found.y):
        likely = (f"{show(LETTERS[k])} {100 * y[k]:.1f} %" for k in np.argsort(-y)[:GUESSES])
        yield (repr(spell(found.data.x[i])), *likely, "" if target is None else LETTERS[target[i]])


def score(found: Prediction) -> list[str]:
    """How good the predictions are, where the data have labels; of the training's data, on its validation rows too."""
    trained, target = found.trained, found.target
    if target is None:
        return []
    judge = error if trained.form.classes is None else accuracy
    lines = [judge(found, np.arange(len(target)))]
    if digest(found.data) == trained.digest:
        held_back = split(found.data.x, target, VALIDATION, trained.options.seed)[1].rows
        lines.append(f"on the validation rows, which it was not trained on: {judge(found, held_back)}")
    return lines


def accuracy(found: Prediction, rows: NDArray[np.int64]) -> str:
    """Of these rows, the share whose class is predicted."""
    right = found.right[rows]
    return f"accuracy {100 * right.mean():.2f} % ({right.sum()} of {len(rows)})"


def error(found: Prediction, rows: NDArray[np.int64]) -> str:
    """How far off these rows' numbers are, and how much of their variance is explained, where they have some."""
    assert found.target is not None
    y, target = found.y[rows], found.target[rows]
    squares = (y - target) ** 2
    off = ", ".join(f"{e:.4g}" for e in np.sqrt(squares.mean(0)))
    words = f"off by {off} (root mean square) on {count_of(len(rows), 'row')}"
    if (target == target[0]).all():  # no variance to be explained
        return words
    explained = 1 - squares.sum() / ((target - target.mean(0)) ** 2).sum()
    return f"{words}, {100 * explained:.2f} % of variance explained"


def continue_prompt(trained: Trained, prompt: str, seed: int) -> str:
    """The prompt and the letters that follow, each drawn by its probability. DataError where that cannot be."""
    context = trained.form.context
    if not context or trained.options.loss != "cross_entropy":
        raise DataError("--prompt: the network was not trained on text with cross_entropy; use --data")
    letters, rng = clean(prompt), np.random.default_rng(seed)
    if len(letters) < context:
        raise DataError(f"--prompt: {count_of(len(letters), 'letter')} after cleaning, expected {context} or more")
    for _ in range(WRITTEN):
        x, _ = next_letters(letters[-context:] + " ", context)  # the last letter is its target
        p = probabilities(trained, x)[0].astype(np.float64)
        letters += LETTERS[rng.choice(len(p), p=p / p.sum())]
    return letters
