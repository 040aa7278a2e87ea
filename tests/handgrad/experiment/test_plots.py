"""What is drawn is what was measured; files and faults. Nothing here looks at pixels beyond the file's kind."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from handgrad.experiment import plots
from handgrad.experiment.datasets import load
from manual import Network, SoftmaxCrossEntropy, gradients, mlp

RNG = np.random.default_rng(8)
HISTORY = [{"epoch": e + 1, "step": 10 * (e + 1), "loss": 2.0**-e, "val_loss": 0.5 + 2.0**-e} for e in range(6)]


@pytest.fixture
def ax() -> Axes:
    return Figure().add_subplot()


def points(ax: Axes, line: int) -> Any:
    return np.asarray(ax.lines[line].get_xydata(), dtype=float)


def legend(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_loss_curves(ax: Axes) -> None:
    plots.loss_curves(ax, HISTORY)
    for line, key in enumerate(("loss", "val_loss")):
        assert points(ax, line).tolist() == [[record["epoch"], record[key]] for record in HISTORY]
    assert ax.get_yscale() == "log"
    assert legend(ax) == ["training, last 0.0312", "validation, last 0.531"]


def test_loss_curves_without_validation_and_with_an_epoch_broken_off(ax: Axes) -> None:
    plots.loss_curves(ax, [{"epoch": 1, "loss": 0.5}])
    assert len(ax.lines) == 1
    other = Figure().add_subplot()
    plots.loss_curves(other, [*HISTORY[:3], {"epoch": 4, "loss": 0.2}])
    assert legend(other) == ["training, last 0.2", "validation, last 0.75"]
    assert other.get_yscale() == "linear"


def test_no_history_draws_an_empty_plot(ax: Axes) -> None:
    plots.loss_curves(ax, [])
    assert not ax.lines


def deep(activation: str) -> tuple[Network, Any]:
    """The gradients of eight layers of one activation."""
    net = mlp([5, *[12] * 7, 3], activation)
    x, labels = RNG.normal(size=(40, 5)), RNG.integers(0, 3, 40)
    params = net.init(2)
    y, trace = net.forward(params, x)
    loss = SoftmaxCrossEntropy()
    dy = loss.backward(loss.forward(y, labels)[1], 1.0)
    named = gradients(net, params, x, labels, loss)
    return named, net.backward(params, trace, dy)[1]


def test_gradient_norms_show_the_vanishing_gradient(ax: Axes) -> None:
    named, grads = deep("sigmoid")
    plots.gradient_norms(ax, {"_sigmoid": grads, "tanh": deep("tanh")[1]})
    drawn = points(ax, 0)
    assert drawn[:, 0].tolist() == list(range(1, 9))
    for l in range(1, 9):  # noqa: E741
        assert drawn[l - 1, 1] == pytest.approx(np.sqrt((named[f"dW{l}"] ** 2).sum()), rel=1e-12)
    assert drawn[0, 1] < drawn[-1, 1] * 1e-3
    assert points(ax, 1)[0, 1] > 1e-3 * points(ax, 1)[-1, 1]
    assert (ax.get_yscale(), legend(ax)) == ("log", ["_sigmoid", "tanh"])


def test_a_gradient_of_zero_is_marked_on_the_logarithmic_axis(ax: Axes) -> None:
    grads = [{"dW": np.zeros((2, 3)), "db": np.ones(2)}, {}, {"dgamma": np.ones(2)}, {"dW": np.full((1, 2), 3.0)}]
    plots.gradient_norms(ax, {"dead": grads})
    assert [(text.get_text(), text.xy[0]) for text in ax.texts] == [("0", 1)]  # type: ignore[attr-defined]
    assert points(ax, 0)[1, 1] == pytest.approx(np.sqrt(18))
    low, high = ax.get_ylim()
    assert high >= 9.99 * low


def test_torch_gradients_are_drawn(ax: Axes) -> None:
    torch = pytest.importorskip("torch")
    plots.gradient_norms(ax, {"": [{"dW": torch.full((2, 2), 0.5, dtype=torch.bfloat16, requires_grad=True)}]})
    assert points(ax, 0).tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize("form", ["classes", "scores", "one score"])
def test_decision_boundary(ax: Axes, form: str) -> None:
    x = RNG.uniform(-1, 3, size=(60, 2))

    def predict(p: Any) -> Any:
        above = p[:, 1] > 1 + p[:, 0] / 2
        return {
            "classes": above.astype(int),
            "scores": np.eye(2)[above.astype(int)],
            "one score": above[:, None] * 1.0,
        }[form]

    labels = plots.pick_classes(predict(x))
    plots.decision_boundary(ax, predict, x, labels, ("no", "$yes_$"))
    mesh = ax.collections[0]
    corners = mesh.get_coordinates()  # type: ignore[attr-defined]
    above = plots.pick_classes(predict((corners[:-1, :-1] + corners[1:, 1:]).reshape(-1, 2) / 2))
    colours = np.asarray(mesh.get_array()).reshape(-1, 3)
    assert np.array_equal((colours != colours[0]).any(1), above != above[0])
    for k in (0, 1):
        dots = ax.collections[k + 1]
        assert np.array_equal(np.asarray(dots.get_offsets()), x[labels == k])
        region = colours[above == k][0]
        assert np.allclose(region, 0.65 + 0.35 * np.array(to_rgb(dots.get_facecolor()[0])), atol=0.02)  # type: ignore[attr-defined]
    assert legend(ax) == ["no", r"\$yes_\$"]
    assert ax.figure is not None
    FigureCanvasAgg(ax.figure).draw()
    box = ax.get_legend()
    assert box is not None
    assert box.get_window_extent().x0 >= ax.bbox.x1  # beside the dots, over none


def test_a_boundary_needs_two_inputs(ax: Axes) -> None:
    with pytest.raises(ValueError, match=r"x: has shape \(4, 3\), expected \(N, 2\)"):
        plots.decision_boundary(ax, plots.pick_classes, np.zeros((4, 3)), np.zeros(4, dtype=np.int64))


def test_confusion_matrix(ax: Axes) -> None:
    target, predicted = RNG.integers(0, 4, 300), RNG.integers(0, 3, 300)
    plots.confusion_matrix(ax, target, predicted, ("a", "b", " ", "_d"))
    counts = {(i, j): int(((target == i) & (predicted == j)).sum()) for i in range(4) for j in range(4)}
    shown = {(int(t.get_position()[1]), int(t.get_position()[0])): int(t.get_text()) for t in ax.texts}
    assert shown == {place: count for place, count in counts.items() if count}
    image = np.asarray(ax.images[0].get_array())
    assert np.allclose(image.sum(1), 1)
    assert image[2, 1] == pytest.approx(counts[2, 1] / (target == 2).sum())
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b", "' '", "_d"]
    assert ax.get_title() == f"accuracy {(target == predicted).mean():.2%} on 300 samples"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "true")


@pytest.mark.parametrize("count", [1, 999, 1234, 60_000])
@pytest.mark.parametrize("K", [2, 10, 30])
def test_counts_stay_inside_their_cells(K: int, count: int) -> None:
    """As `save` draws them; long names, which stand upright, leave the least room."""
    figure = Figure(figsize=(6.5, 5), layout="constrained")
    canvas, axes = FigureCanvasAgg(figure), figure.add_subplot()
    labels = np.repeat(np.arange(K), count)
    plots.confusion_matrix(axes, labels, labels, [f"class number {k}" for k in range(K)])
    canvas.draw()
    cell = np.diff(axes.transData.transform([(0, 0), (1, 0)])[:, 0]).item()
    assert max(text.get_window_extent().width for text in axes.texts) < cell


def test_many_classes_are_coloured_only(ax: Axes) -> None:
    labels = np.arange(50)
    plots.confusion_matrix(ax, labels, labels, [f"class {k}" for k in labels])
    assert not ax.texts
    assert len(np.unique(plots.palette(50), axis=0)) == 50


def spirals(folder: Path, columns: int = 2, fitted: bool = False) -> Path:
    path, rows = folder / "own.csv", RNG.normal(50, 20, size=(40, columns))
    lines = [
        ",".join(map(str, row)) + (f",{row[0] / 2}" if fitted else f",{'grün' if row[0] > 50 else 'rot'}")
        for row in rows
    ]
    path.write_text("\n".join([",".join([*"abc"[:columns], "kind"]), *lines]), encoding="utf-8")
    return path


PLANE = "decision boundary in the plane of most variance"


@pytest.mark.parametrize(("columns", "fitted", "titles"), [
    (2, False, ["loss", "gradient norm per layer", "accuracy 100.00% on 40 samples", "decision boundary"]),
    (3, False, ["loss", "gradient norm per layer", "accuracy 100.00% on 40 samples", PLANE]),
    (1, False, ["loss", "gradient norm per layer", "accuracy 100.00% on 40 samples"]),
    (2, True, ["loss", "gradient norm per layer", "off by NUMBER on 40 samples"]),
])  # fmt: skip
def test_what_applies_is_drawn_into_one_file(tmp_path: Path, columns: int, fitted: bool, titles: list[str]) -> None:
    data = load(spirals(tmp_path, columns, fitted))
    right = lambda x: (data.scaling.undo(x)[:, :1] < 50) * 1.0  # noqa: E731  grün is class 0
    drawn = plots.of_training(HISTORY, data, right, {"now": deep("relu")[1]})
    found = []
    for plot in drawn:
        axes = Figure().add_subplot()
        plot(axes)
        found.append(axes)
    assert [re.sub(r"off by [\d.]+", "off by NUMBER", axes.get_title()) for axes in found] == titles
    if titles[-1] == "decision boundary":  # in the file's own numbers and names
        assert (found[-1].get_xlabel(), found[-1].get_ylabel()) == ("a", "b")
        mesh = np.asarray(found[-1].collections[0].get_array())
        assert (mesh == mesh[:1]).all()
        assert 0.2 < (mesh[0] == mesh[0, 0]).all(1).mean() < 0.8  # the boundary is at a = 50
        assert np.allclose(
            np.asarray(found[-1].collections[1].get_offsets()), data.scaling.undo(data.x)[data.target == 0]
        )
    plots.save(tmp_path / "all.png", *drawn)
    assert (tmp_path / "all.png").read_bytes().startswith(b"\x89PNG")
    assert len(plots.of_training(HISTORY, replace(data, target=None), right)) == 1


def test_a_boundary_of_many_inputs_lies_in_the_plane_of_most_variance(ax: Axes) -> None:
    """Three inputs, the first two of which vary: the class is told by the first, so the boundary is upright."""
    x = np.random.default_rng(0).normal(size=(300, 3)) * [5.0, 2.0, 0.01] + [10, 20, 30]
    plots.boundary_in_plane(ax, lambda p: (p[:, :1] > 10) * 1.0, x, (x[:, 0] > 10).astype(np.int64), ("no", "yes"))
    assert re.fullmatch(r"principal component 1, 8\d% of variance", ax.get_xlabel())
    dots = np.concatenate([np.asarray(dots.get_offsets()) for dots in ax.collections[1:]])
    assert np.allclose(np.sort(np.abs(dots[:, 0])), np.sort(np.abs(x[:, 0] - x[:, 0].mean())), atol=0.3)
    mesh = np.asarray(ax.collections[0].get_array())
    assert 0.4 < (mesh[0] == mesh[0, 0]).all(1).mean() < 0.6
    assert (mesh == mesh[:1]).all(2).mean() > 0.95  # but for a slant of rounding and chance


def test_numbers_predicted_against_true_ones(ax: Axes) -> None:
    true = RNG.normal(size=(30, 2))
    plots.fitted_numbers(ax, true, true + np.array([0.5, 0.0]), ("price", "$"))
    assert ax.get_title() == "off by 0.5, 0 on 30 samples"
    assert np.allclose(np.asarray(ax.collections[0].get_offsets()), np.column_stack([true[:, 0], true[:, 0] + 0.5]))
    assert legend(ax) == ["price", r"\$"]
    assert ax.lines[0].get_xdata()[0] == ax.lines[0].get_ydata()[0] == true.min()  # type: ignore[index]


def test_paths_that_cannot_be_saved_to(tmp_path: Path) -> None:
    cases = [
        (tmp_path, ValueError, "is a folder, expected a file such as"),
        (tmp_path / "none" / "a.png", FileNotFoundError, "there is no folder .*none; make it first"),
        (tmp_path / "a.docx", ValueError, r"ends in '\.docx', expected one of .*\.pdf, .*\.png"),
        (tmp_path / "a", ValueError, "ends in '', expected one of"),
    ]
    for path, kind, message in cases:
        with pytest.raises(kind, match=message):
            plots.check_path(path)
        with pytest.raises(kind, match=message):
            plots.save(path, lambda ax: None)
    with pytest.raises(ValueError, match="plots: none given"):
        plots.save(tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_the_module_loads_and_says_what_to_install() -> None:
    code = """
import sys
sys.modules["matplotlib"] = None
from handgrad.experiment import plots
try:
    plots.check_path("a.png")
except ModuleNotFoundError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False)
    assert run.stdout.strip() == "plots need matplotlib: pip install 'handgrad[plot]'", run.stderr
