"""Pictures of a training: loss curves, gradient norms by layer, decision boundary, confusion matrix.

Each draws one picture into matplotlib's axes; `save` puts several into one file. matplotlib is an extra, and is only
imported when something is saved.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.precision import to64
from handgrad.experiment.datasets.form import Data
from manual.files.atomic_write import replacing
from manual.training.state import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Plot: TypeAlias = "Callable[[Axes], None]"
Predict: TypeAlias = Callable[[NDArray[np.float64]], NDArray[Any]]  # x (N, n_in) -> scores (N, K), or classes (N,)

GRID = 200  # points to a side behind a decision boundary
DOTS = 2_000  # samples drawn on it
NUMBERED = 30  # classes of a confusion matrix whose counts are written
PALETTE = "tab10", "tab20", "gist_ncar"  # for up to 10, up to 20 and more classes


def loss_curves(ax: "Axes", history: Sequence[Record]) -> None:
    """The mean loss of every epoch, and the one on validation samples where the history has it; logarithmic if wide."""
    epochs = [record["epoch"] for record in history]
    for key, label in (("loss", "training"), ("val_loss", "validation")):
        losses = np.array([record.get(key, np.nan) for record in history])  # an epoch broken off has no val_loss
        if np.isfinite(losses).any():
            last = losses[np.isfinite(losses)][-1]
            ax.plot(epochs, losses, marker="." if len(epochs) <= 30 else "", label=f"{label}, last {last:.3g}")
    shown = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in ax.lines] or [np.zeros(0)])
    if len(shown) and np.nanmin(shown) > 0 and np.nanmax(shown) > 10 * np.nanmin(shown):
        ax.set_yscale("log")
    ax.set(title="loss", xlabel="epoch", ylabel="mean loss")
    use_whole_numbers(ax)
    if ax.lines:
        ax.legend(loc="upper right")


def gradient_norms(ax: "Axes", grads: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """||dW_l|| by layer l, one line per pass: where gradients vanish, the line falls towards the first layers.

    grads: a pass's name -> its dparams, as `Network.backward` gives them; only layers with weights W are drawn.
    """
    lines = []
    for dparams in grads.values():
        norms = np.array([np.linalg.norm(to64(layer["dW"])) for layer in dparams if "dW" in layer])
        lines += ax.plot(np.arange(1, len(norms) + 1), np.where(norms > 0, norms, np.nan), marker="o")
        for l in np.flatnonzero(norms == 0):  # noqa: E741  the lectures' letter; a logarithmic axis has no zero
            ax.annotate(
                "0", (l + 1, 0.02), xycoords=("data", "axes fraction"), color=lines[-1].get_color(), ha="center"
            )
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    if high < 10 * low:  # a decade at least: norms nearly alike shall look alike
        ax.set_ylim(np.sqrt(low * high / 10), np.sqrt(low * high * 10))
    ax.set(title="gradient norm per layer", xlabel="linear layer, 1 next to the input", ylabel="norm of dW")
    use_whole_numbers(ax)
    ax.legend(lines, [escape(name) for name in grads], loc="upper right")


def decision_boundary(
    ax: "Axes",
    predict: Predict,
    x: NDArray[np.float64],
    labels: NDArray[np.int64],
    classes: Sequence[str] | None = None,
    axes_names: tuple[str, str] = ("input 1", "input 2"),
) -> None:
    """The class predicted at every point of the plane, and the samples x (N, 2) in the colour of their own class.

    Raises ValueError unless x has two columns.
    """
    if x.ndim != 2 or x.shape[1] != 2:
        raise ValueError(f"x: has shape {x.shape}, expected (N, 2): a boundary is drawn for two inputs only")
    low, high = x.min(0), x.max(0)
    margin = 0.08 * np.where(high > low, high - low, 1.0)
    sides = [np.linspace(low[j] - margin[j], high[j] + margin[j], GRID) for j in range(2)]
    across, up = np.meshgrid(*sides)
    points = np.column_stack([across.ravel(), up.ravel()])
    rows = [pick_classes(predict(part)) for part in np.array_split(points, GRID)]  # of many inputs a part at a time
    regions = np.concatenate(rows).reshape(across.shape)
    names = [str(k) for k in range(int(max(regions.max(), labels.max())) + 1)] if classes is None else classes
    colours = palette(len(names))
    ax.pcolormesh(across, up, 0.65 + 0.35 * colours[regions], rasterized=True)
    shown = slice(None, None, -(-len(x) // DOTS))
    dots = []
    for k in range(len(names)):
        own = x[shown][labels[shown] == k]
        dots.append(ax.scatter(own[:, 0], own[:, 1], s=18, color=colours[k], edgecolors="black", linewidths=0.5))
    ax.set(title="decision boundary", xlabel=escape(axes_names[0]), ylabel=escape(axes_names[1]))
    ax.set(xlim=(sides[0][0], sides[0][-1]), ylim=(sides[1][0], sides[1][-1]))
    if len(names) <= 20:
        ax.legend(dots, [escape(name) for name in names], loc="upper left", bbox_to_anchor=(1, 1))  # beside the dots


def boundary_in_plane(
    ax: "Axes",
    predict: Predict,
    x: NDArray[np.float64],
    labels: NDArray[np.int64],
    classes: Sequence[str],
) -> None:
    """The same for more inputs, x (N, n): in the plane through their mean in which they vary most.

    A sample is drawn where it falls on that plane, whose points alone are predicted: it may lie beyond a boundary that
    it is not beyond in truth.
    """
    mean = x.mean(0)
    variances, directions = np.linalg.eigh(np.atleast_2d(np.cov(x.T)))  # ascending
    V = directions[:, :-3:-1]  # (n, 2)
    V = V * np.sign(V[np.abs(V).argmax(0), [0, 1]])  # of the two signs, one
    shares = variances[:-3:-1] / max(variances.sum(), np.finfo(float).tiny)
    names = tuple(f"principal component {k + 1}, {share:.0%} of variance" for k, share in enumerate(shares))
    decision_boundary(ax, lambda p: predict(mean + p @ V.T), (x - mean) @ V, labels, classes, (names[0], names[1]))
    ax.set(title="decision boundary in the plane of most variance")


def fitted_numbers(
    ax: "Axes", target: NDArray[np.float64], predicted: NDArray[np.float64], names: Sequence[str] = ("target",)
) -> None:
    """Each number predicted (N, k) against the true one (N, k), and the line on which both are equal."""
    shown = slice(None, None, -(-len(target) // DOTS))
    for k, name in enumerate(names):
        ax.scatter(target[shown, k], predicted[shown, k], s=14, alpha=0.6, label=escape(name))
    low, high = min(target.min(), predicted.min()), max(target.max(), predicted.max())
    ax.plot([low, high], [low, high], color="black", linewidth=1)
    error = np.sqrt(np.mean((predicted - target) ** 2, axis=0))
    ax.set(title=f"off by {', '.join(f'{e:.4g}' for e in error)} on {len(target)} samples", xlabel="true")
    ax.set(ylabel="predicted")
    if len(names) > 1 or names[0]:
        ax.legend(loc="upper left")


def confusion_matrix(
    ax: "Axes", target: NDArray[np.int64], predicted: NDArray[np.int64], classes: Sequence[str]
) -> None:
    """How often class (row) was taken for class (column): counts, coloured by the share of the row."""
    K = len(classes)
    counts = np.zeros((K, K), dtype=np.int64)
    np.add.at(counts, (target, predicted), 1)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    names, size = [escape(name) for name in classes], min(10, 160 / K)
    if K <= NUMBERED:
        digits = len(f"{counts.max()}")
        for i, j in np.argwhere(counts):
            ax.text(
                j,
                i,
                f"{counts[i, j]}",
                ha="center",
                va="center",
                fontsize=min(size, 340 / K / digits),  # the widest count stays inside its cell
                color="white" if share[i, j] > 0.6 else "black",
            )
    ax.set_xticks(range(K), names, rotation=90 if max(map(len, names)) > 3 else 0, fontsize=size)
    ax.set_yticks(range(K), names, fontsize=size)
    ax.set(
        title=f"accuracy {np.trace(counts) / max(1, counts.sum()):.2%} on {counts.sum()} samples",
        xlabel="predicted",
        ylabel="true",
    )


def of_training(
    history: Sequence[Record],
    data: Data,
    predict: Predict,
    grads: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> tuple[Plot, ...]:
    """Every picture that applies: those of the history, and those of these data (validation rows).

    predict takes x as `data` has it; the boundary is drawn in the file's own numbers.
    """
    plots: list[Plot] = [lambda ax: loss_curves(ax, history)]
    if grads:
        plots.append(lambda ax: gradient_norms(ax, grads))
    return (*plots, *of_data(data, predict))


def of_data(data: Data, predict: Predict) -> tuple[Plot, ...]:
    """Confusion matrix and boundary for classes, predicted against true for numbers; nothing without targets."""
    form, x, found = data.form, data.x, data.target
    if found is None or not len(found):
        return ()
    if form.target_scaling is not None:
        true, names = form.target_scaling.undo(found), [form.target_name] if form.n_out == 1 else None
        names = names or [f"number {k + 1}" for k in range(form.n_out)]
        undo = form.target_scaling.undo
        return (lambda ax: fitted_numbers(ax, true, undo(predict(x)), names),)
    classes, labels = form.classes or (), found.astype(np.int64)
    plots: list[Plot] = [lambda ax: confusion_matrix(ax, labels, pick_classes(predict(x)), classes)]
    if form.n_in == 2:
        axes_names, raw = (form.input_name(0), form.input_name(1)), data.scaling.undo(x)
        plots.append(
            lambda ax: decision_boundary(ax, lambda p: predict(data.scaling(p)), raw, labels, classes, axes_names)
        )
    elif form.n_in > 2 and len(x) > 2 and not form.context:
        plots.append(lambda ax: boundary_in_plane(ax, predict, x, labels, classes))
    return tuple(plots)


def check_path(path: str | Path) -> None:
    """Whether a picture can be saved there, to be asked before a long training.

    Raises ModuleNotFoundError, with what to install, where matplotlib is absent; FileNotFoundError for a folder that
    is not there; ValueError for a folder in place of a file, and for an ending that matplotlib does not know.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("plots need matplotlib: pip install 'handgrad[plot]'") from error
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"plot: {path} is a folder, expected a file such as {path / 'training.png'}")
    folder = Path(os.path.realpath(path)).parent  # pathlib raises at a circle of links
    if not folder.is_dir():
        raise FileNotFoundError(f"plot: there is no folder {folder}; make it first")
    known = FigureCanvasAgg.get_supported_filetypes()
    if path.suffix.lower().removeprefix(".") not in known:
        raise ValueError(f"plot: {path} ends in {path.suffix!r}, expected one of .{', .'.join(sorted(known))}")


def save(path: str | Path, *plots: Plot) -> None:
    """All plots in one figure, three or fewer in a row. Raises what check_path raises, OSError if writing fails."""
    check_path(path)
    if not plots:
        raise ValueError("plots: none given, expected one or more functions of matplotlib's axes")
    from matplotlib.figure import Figure

    columns = len(plots) if len(plots) < 4 else 2
    rows = -(-len(plots) // columns)
    figure = Figure(figsize=(6.5 * columns, 5 * rows), layout="constrained")
    for i, plot in enumerate(plots):
        plot(figure.add_subplot(rows, columns, i + 1))
    with replacing(path) as file:
        figure.savefig(file, dpi=120, format=Path(path).suffix.removeprefix(".").lower())


def pick_classes(predicted: NDArray[Any]) -> NDArray[np.int64]:
    """The class of each row: the largest score, of a single score whether it is above 1/2, or the class as it is."""
    if predicted.ndim == 2 and predicted.shape[1] == 1:
        predicted = predicted[:, 0] > 0.5
    return np.asarray(predicted.argmax(1) if predicted.ndim == 2 else predicted, dtype=np.int64)


def palette(K: int) -> NDArray[np.float64]:
    """K colours (K, 3) that can be told apart."""
    import matplotlib

    name = PALETTE[(K > 10) + (K > 20)]
    return np.asarray(matplotlib.colormaps[name](np.arange(K) if K <= 20 else np.linspace(0, 1, K)))[:, :3]


def use_whole_numbers(ax: "Axes") -> None:
    """No ticks between epochs or layers."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def escape(name: str) -> str:
    """A name as it is: matplotlib reads a dollar sign as mathematics, and nobody sees a space."""
    return name.replace("$", r"\$") if name.strip() else repr(name)
