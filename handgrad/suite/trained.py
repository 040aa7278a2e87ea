"""A trained network judged on its own data, as the suite judges fresh ones."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from handgrad.experiment.datasets import load_labelled
from handgrad.experiment.place import find, locate
from handgrad.experiment.plan import loss_of, read_checkpoint, target_for
from handgrad.report.report import Report
from handgrad.subjects.network.verify import verify
from handgrad.suite.run import BATCH, SuiteResult
from manual.training.batches import masks


def judge_checkpoint(
    path: str | Path,
    source: str | None,
    dtypes: Sequence[str],
    *,
    seed: int,
    slack: float = 1.0,
    mend: float | None = None,
) -> Iterator[SuiteResult]:
    """The network in the checkpoint, with the weights it was trained to, on a batch of its data (or of `source`).

    Everything is read before the result is asked for. Raises OSError, CheckpointError and DataError.
    """
    trained = read_checkpoint(path)
    options, form, (network, _, _, training, _) = trained.options, trained.form, trained.checkpoint
    data = load_labelled(find(options.data, path) if source is None else locate(source), form)
    assert data.target is not None
    labels = data.target
    rows = np.random.default_rng(seed).permutation(len(data.x))[:BATCH]

    def judge() -> Iterator[SuiteResult]:
        reports: list[Report] = []
        for dtype in dtypes:
            params = [{name: array.astype(dtype) for name, array in layer.items()} for layer in training.params]
            x = data.x[rows].astype(dtype)
            target = target_for(options, form, labels, dtype)[rows]
            states, loss = masks(network, x, seed, 0), loss_of(options, form)
            name = f"{Path(path).name}, {dtype}, step {training.step}"
            asked = 0 if any(report.culprit for report in reports) else mend  # it is the same layer again
            report = verify(
                network, params, x, target, loss, states=states, seed=seed, slack=slack, mend=asked, name=name
            )
            reports.append(report)
        yield SuiteResult(f"{Path(path).name} after step {training.step}, {data.title}", tuple(reports))

    return judge()
