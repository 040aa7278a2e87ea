"""What `handgrad train` begins with, afresh or from a checkpoint, and what its checkpoints say of the data."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from handgrad.experiment.architecture import OPTIMIZERS, SCHEDULES, build, initial_weights, make_optimizer
from handgrad.experiment.datasets import Data, Form, load, load_labelled
from handgrad.experiment.place import find, locate, without_folder
from manual import Loss, Network, Params, Preset, Running, SoftmaxCrossEntropy, Training, preset
from manual.files.checkpoint import Checkpoint, CheckpointError
from manual.files.checkpoint import load as load_checkpoint
from manual.losses import NAMED_LOSSES
from manual.optimizers.schedules import Schedule
from manual.training.batches import split

# With He's weights, ReLU and AdamW: a validation accuracy of 97.2 % or more in ten of ten random splits. The products
# are just small enough for OpenBLAS to keep them in one thread (and torch: backends.py); spread over several they
# take ten times as long where the processor is busy with other things.
HIDDEN, BATCH = (256, 64), 16
VALIDATION = 0.2  # of the samples, never trained on
CHANGEABLE = ("data", "lr", "epochs", "clip_norm", "lr_schedule", "early_stopping")  # in a training that is resumed;
# the data only in their place
AS_GIVEN = ("clip_norm", "preset", "norm", "weight_decay", "lr_schedule", "early_stopping")  # None where they are not
ROWS = 256  # evaluated at a time


class Options(NamedTuple):
    """What decides a training's curve, under the names of the command line."""

    data: str
    layers: tuple[int, ...]
    activation: str
    loss: str
    optimizer: str
    lr: float
    epochs: int
    batch_size: int
    seed: int
    dtype: str
    clip_norm: float | None = None
    preset: str | None = None
    target: str = ""  # a table's column
    drop: tuple[str, ...] = ()  # a table's columns left out
    standardise: bool = True
    norm: str | None = None
    dropout: float = 0.0
    weight_decay: float | None = None  # None: the optimizer's own
    lr_schedule: str | None = None
    early_stopping: int | None = None

    @property
    def conventions(self) -> dict[str, Any]:
        """The arguments of `fit` that its preset stands for; none without one."""
        return {} if self.preset is None else preset(self.preset).settings


class Plan(NamedTuple):
    """A training to be done, its arrays NumPy's in the dtype of the options."""

    options: Options
    form: Form
    title: str  # of the data
    digest: str  # of the data
    x: NDArray[Any]  # (N, n_in)
    target: NDArray[Any]  # as the loss takes it
    network: Network
    params: tuple[Params, ...]
    optimizer: Any
    resume: Training | None = None

    @property
    def loss(self) -> Loss:
        return loss_of(self.options, self.form)

    @property
    def batches(self) -> int:
        """Steps of an epoch."""
        return -(-len(trained_on(len(self.x), self.options.seed)) // self.options.batch_size)

    @property
    def schedule(self) -> Schedule | None:
        """The factor on the learning rate at each step, over all epochs."""
        name = self.options.lr_schedule
        return None if name is None else SCHEDULES[name](self.options.epochs * self.batches)

    @property
    def extra(self) -> dict[str, str]:
        """What the checkpoint holds besides the training."""
        options = self.options._replace(data=without_folder(self.options.data))
        return {
            "options": json.dumps(options._asdict()),
            "form": self.form.to_json(),
            "data_sha256": self.digest,
        }


class Trained(NamedTuple):
    """A checkpoint that `handgrad train` wrote."""

    checkpoint: Checkpoint
    options: Options
    form: Form
    digest: str  # of the data it was trained on


def begin(given: Mapping[str, Any]) -> Plan:
    """From the options given; those that are None by their defaults, which depend on the data.

    Raises OSError and DataError for data that cannot be read or used, ValueError for options that do not fit them.
    """
    source = locate("digits" if given["data"] is None else given["data"])
    columns: dict[str, Any] = {"target": given["target"] or "", "drop": given["drop"] or ()}
    standardise, seed = given["standardise"] is not False, given["seed"] or 0
    data = load(source, fit=given["loss"] == "mse", standardise=standardise, **columns,
                learned=lambda N: trained_on(N, seed))  # fmt: skip
    check_classes(data, seed)
    own = None if given["preset"] is None else preset(given["preset"])
    classes = data.classes is not None
    loss, sizes = choose_loss(own, given["loss"], classes=classes), choose_sizes(given["layers"], data.form)
    if loss == "cross_entropy" and not classes:
        raise ValueError("--loss is cross_entropy, but the data have numbers to be fitted and no classes; use mse")
    optimizer = given["optimizer"] or ("adamw" if own is None else type(own.optimizer).__name__.lower())
    lr = OPTIMIZERS[optimizer].lr if own is None or given["optimizer"] else own.optimizer.lr
    options = Options(
        data=source,
        layers=sizes,
        activation=given["activation"] or ("relu" if own is None else own.hidden),
        loss=loss,
        optimizer=optimizer,
        lr=given["lr"] or lr,
        epochs=given["epochs"] or 30,
        batch_size=given["batch_size"] or (BATCH if own is None else own.batch_size),
        seed=seed,
        dtype=given["dtype"] or "float32",
        dropout=given["dropout"] or 0.0,
        standardise=standardise,
        **columns,
        **{name: given[name] for name in AS_GIVEN},
    )
    network, params = initial(options, own, classes=classes)
    return make_plan(options, data, network, params, make_optimizer(optimizer, options.lr, options.weight_decay))


def initial(options: Options, own: Preset | None, *, classes: bool) -> tuple[Network, tuple[Params, ...]]:
    """The network and its first weights. ValueError where a preset and an option both say what it is."""
    if own is None:
        network = build(options.layers, options.activation, options.norm, options.dropout)
        return network, network.init(options.seed, initial_weights(options.activation), dtype=options.dtype)
    several = options.activation if "," in options.activation else None
    for name, value in {"norm": options.norm, "dropout": options.dropout, "activation": several}.items():
        if value:
            raise ValueError(f"--{name} is {value}, but --preset {own.name} says the network; leave one of them out")
    how: dict[str, Any] = {"hidden": options.activation, "classes": classes, "dtype": options.dtype}
    return own.build(options.layers, options.seed, **how)


def resume_from(path: str | Path, given: Mapping[str, Any]) -> Plan:
    """From the checkpoint, with its own options; those of CHANGEABLE may be given anew.

    Raises what `read_checkpoint` and `begin` raise, and ValueError for other options and other data.
    """
    checkpoint, options, form, trained_on = read_checkpoint(path)
    decay = make_optimizer(options.optimizer, options.lr, options.weight_decay).weight_decay
    kept = options._replace(target=options.target or form.target_name, weight_decay=decay)  # also where not given
    for name, value in given.items():
        before = getattr(kept, name)
        if value is not None and name not in CHANGEABLE and value != before:
            trained = f"{path} was trained with {format_option(before)}"
            raise ValueError(
                f"--{name.replace('_', '-')} is {format_option(value)}, but {trained}; leave it out, or begin anew "
                "without --resume"
            )
    options = options._replace(**{name: given[name] for name in CHANGEABLE if given[name] is not None})
    options = options._replace(data=find(options.data, path) if given["data"] is None else locate(given["data"]))
    if options.epochs < checkpoint.training.epoch:
        raise ValueError(
            f"--epochs is {options.epochs}, but {path} holds {checkpoint.training.epoch}; they are counted from the "
            "beginning, so give more"
        )
    data = load_labelled(options.data, form)
    optimizer = make_optimizer(options.optimizer, options.lr, options.weight_decay)
    plan = make_plan(options, data, checkpoint.network, checkpoint.training.params, optimizer)
    if plan.digest != trained_on:
        raise ValueError(f"--data: {options.data} is not what {path} was trained on; resume with the same data")
    return plan._replace(resume=checkpoint.training)


def make_plan(options: Options, data: Data, network: Network, params: tuple[Params, ...], optimizer: Any) -> Plan:
    """The plan with the data in its dtype; they are not kept in another."""
    assert data.target is not None
    target = target_for(options, data.form, data.target, options.dtype)
    x = data.x.astype(options.dtype, copy=False)
    return Plan(options, data.form, data.title, digest(data), x, target, network, params, optimizer)


def read_checkpoint(path: str | Path) -> Trained:
    """The checkpoint of a training from the command line. Raises OSError and CheckpointError for any other file."""
    found = load_checkpoint(path)
    try:
        plain = json.loads(found.extra["options"])
        options = Options(**{**plain, "layers": tuple(plain["layers"]), "drop": tuple(plain.get("drop", ()))})
        return Trained(found, options, Form.from_json(found.extra["form"]), found.extra["data_sha256"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: is a checkpoint, but none of `handgrad train`: {error!r}") from error


def evaluate(
    network: Network, params: Sequence[Params], running: Sequence[Running | None], x: NDArray[Any]
) -> NDArray[Any]:
    """The network's output (N, n_out) in evaluation, a part at a time, in the precision of its parameters."""
    dtype = next(array.dtype for layer in params for array in layer.values())
    parts = [network.forward(params, x[i : i + ROWS].astype(dtype), running)[0] for i in range(0, len(x), ROWS)]
    return np.concatenate(parts)


def choose_loss(own: Preset | None, given: str | None, *, classes: bool) -> str:
    """The loss by its name. ValueError where a preset and an option both say it."""
    if own is None:
        return given or ("cross_entropy" if classes else "mse")
    if given is not None:
        raise ValueError(f"--loss is {given}, but --preset {own.name} says the loss; leave one of them out")
    return "cross_entropy" if isinstance(own.head(classes=classes).loss, SoftmaxCrossEntropy) else "mse"


def loss_of(options: Options, form: Form) -> Loss:
    """The loss; a preset has its own scale."""
    if options.preset is None:
        return NAMED_LOSSES[options.loss]
    return preset(options.preset).head(classes=form.classes is not None).loss


def target_for(options: Options, form: Form, target: NDArray[Any], dtype: str) -> NDArray[Any]:
    """The targets as the loss takes them: class indices, one-hot rows, or numbers."""
    if options.loss == "cross_entropy":
        return target
    low, high = (0, 1) if options.preset is None else preset(options.preset).targets
    one_hot = target if form.classes is None else low + (high - low) * np.eye(form.n_out)[target]
    return one_hot.astype(dtype)


def digest(data: Data) -> str:
    """SHA-256 of the numbers learned from: the same data in another place are the same."""
    found = sha256(f"{data.x.shape} {data.form}".encode())
    for array in (data.x, data.target):
        if array is not None:
            found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def trained_on(N: int, seed: int) -> NDArray[np.int64]:
    """Which of N rows a training with this seed learns from; the others are held back for validation."""
    rows = np.empty((N, 0))
    return split(rows, rows, VALIDATION, seed)[0].rows


def check_classes(data: Data, seed: int) -> None:
    """ValueError where all rows trained on are of one class: the others happen to be held back."""
    if data.classes is None or data.target is None:
        return
    found = np.unique(data.target[trained_on(len(data.x), seed)])
    if len(found) == 1:
        raise ValueError(
            f"--data: all rows trained on are of the class {data.classes[found[0]]!r}, those of others are held back "
            "for validation; give more rows of the others, or another --seed"
        )


def choose_sizes(given: tuple[int, ...] | None, form: Form) -> tuple[int, ...]:
    """The sizes of all layers. ValueError where they do not fit the data."""
    sizes = given or (form.n_in, *HIDDEN, form.n_out)
    if sizes[0] != form.n_in or sizes[-1] != form.n_out:
        what = "classes" if form.classes is not None else "numbers to be fitted"
        example = format_option((form.n_in, *(sizes[1:-1] or HIDDEN), form.n_out))
        expected = f"{form.n_in} (inputs) first and {form.n_out} ({what}) last, such as {example}"
        raise ValueError(f"--layers is {format_option(sizes)}, expected {expected}")
    return tuple(sizes)


def format_option(value: Any) -> str:
    """An option's value as --help writes it.

    >>> [format_option(value) for value in ((3, 2), (), None, "", True, False, 0.1)]
    ['3,2', 'none', 'none', 'none', 'yes', 'no', '0.1']
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        value = ",".join(map(str, value))
    return "none" if value in (None, "") else str(value)
