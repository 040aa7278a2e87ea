"""HandModule in two processes: every way of torch gives the numbers of one process, or says what to do.

two_ranks.py is what each of the two does; they are started once.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from examples.several_processes import train
from tests.torch_ref.hand import two_ranks
from tests.torch_ref.hand.networks import LOSS, gradients, pair
from tests.torch_ref.hand.two_ranks import NETWORK, NORMED, UNEQUAL, WAYS, labels, layer_quantities, x
from torch_ref import twin

ROOT = Path(__file__).parents[3]
NEAR = {"rtol": 1e-11, "atol": 1e-13}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the two processes have written; the second is killed in the end."""
    folder = tmp_path_factory.mktemp("ranks")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(two_ranks.__file__)), str(folder)]
    processes = [subprocess.Popen([*command, rank], env=environment, stderr=subprocess.PIPE) for rank in ("0", "1")]
    try:
        said = [process.communicate(timeout=300)[1].decode() for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert [process.returncode for process in processes] == [0, -9], said
    return folder


@pytest.fixture(scope="module")
def found(folder: Path) -> list[dict[str, Any]]:
    """What each of them found."""
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


@pytest.mark.parametrize("way", [way.__name__ for way in WAYS])
def test_every_way_has_the_gradients_of_one_process(found: list[dict[str, Any]], way: str) -> None:
    hand, _ = pair(NORMED if "normed" in way else NETWORK, LOSS)
    hand(x, labels).backward()
    for rank in found:
        assert_close(rank[way], gradients(hand), **NEAR)


def test_three_steps(found: list[dict[str, Any]]) -> None:
    """Half the batch each: equal weights on both, and those of one process with the whole batch."""
    first, second = (rank["three steps"] for rank in found)
    assert_close(first, second, rtol=0, atol=0)
    _, auto = pair(NETWORK)
    optimizer = torch.optim.SGD(auto.parameters(), lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        twin(LOSS)(auto(x), labels).backward()
        optimizer.step()
    assert_close(first, [gradients(auto), list(auto.state_dict().values())], **NEAR)


@pytest.mark.parametrize("side", ["hand", "autograd"])
@pytest.mark.parametrize("shares", UNEQUAL)
def test_a_batch_norm_of_all_processes_is_torchs_on_the_whole_batch(
    found: list[dict[str, Any]], shares: str, side: str
) -> None:
    """What belongs to rows lies in parts, what is a sum over rows adds up, and the statistics are equal."""
    expected = layer_quantities(nn.BatchNorm1d(6, momentum=0.3).double(), slice(0, 8))
    for name, whole in expected.items():
        first, second = (rank[f"{shares}, {side}"][name] for rank in found)
        if name in ("mean", "var"):
            assert_close((first, second), (whole, whole), **NEAR)
        else:
            assert_close(first + second if "sum" in name else torch.cat([first, second]), whole, **NEAR, msg=name)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # torch, of itself
def test_the_hessian_through_a_batch_norm_of_all_processes(found: list[dict[str, Any]]) -> None:
    whole = two_ranks.hessian_of_first(pair(NORMED, LOSS)[0], slice(0, 8))
    assert_close((found[0]["Hessian"] + found[1]["Hessian"]) / 2, whole, **NEAR)


def test_what_is_refused(found: list[dict[str, Any]]) -> None:
    for rank in found:
        plain, uncut, single = rank["refused"]
        assert "x: is a plain tensor, but parameter 0 is a DTensor; let fully_shard or parallelize_module" in plain
        assert "x: is a DTensor, which cross-entropy does not take; HandModule(loss)(y.full_tensor(), target)" in uncut
        assert "all processes together have fewer than 2 samples, expected more" in single


def test_a_run_that_lost_a_process_goes_on_with_one(folder: Path) -> None:
    """From its checkpoint to the weights of a run of one process that was never lost."""
    file = folder / "run.pt"
    epochs = torch.load(file)["epochs"] + 2
    ends = [train(0, 1, kept, epochs).state_dict() for kept in (file, None)]
    assert torch.load(file)["epochs"] == epochs
    assert_close(*ends, rtol=1e-8, atol=1e-10)
