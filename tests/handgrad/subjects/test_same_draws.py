"""Code that draws random numbers itself: in every run the same, and afterwards every generator is where it was."""

import random

import numpy as np
import pytest
import torch

from handgrad import Verdict, verify_function
from handgrad.subjects.function.rows import DRAWN
from handgrad.subjects.function.same_draws import drawing

RNG = np.random.default_rng(0)
OLD = np.random.RandomState(0)


def shared(x):
    mask = np.random.rand(*x.shape) < 0.7  # noqa: NPY002
    return x * mask / 0.7, mask


def of_the_file(x):
    mask = (RNG.random(x.shape) < 0.7) & (OLD.rand(*x.shape) < 0.9)
    return x * mask / 0.7, mask


def by_default(x, rng=np.random.default_rng(5)):  # noqa: B008
    mask = rng.random(x.shape) < 0.7
    return x * mask / 0.7, mask


def in_torch(x):
    mask = (torch.rand(x.shape) < 0.7).numpy()
    return x * mask / 0.7, mask


def back(dy, mask):
    return dy * mask / 0.7


@pytest.mark.parametrize("forward", [shared, of_the_file, by_default, in_torch])
def test_a_mask_that_forward_draws_is_the_same_in_every_run(forward):
    right = verify_function(forward, back, inputs=[np.arange(12.0).reshape(4, 3)], seed=1)
    assert right.verdict is Verdict.CERTIFIED
    assert DRAWN in right.notes
    assert verify_function(forward, lambda dy, mask: dy * mask, inputs=[np.ones((4, 3))], seed=1, mend=0).sentence


class Dropout:
    def __init__(self, anew):
        self.rng, self.anew = np.random.RandomState(3), anew

    def forward(self, x):
        self.mask = self.rng.uniform(size=x.shape) < 0.7
        return x * self.mask / 0.7

    def backward(self, dy):
        return dy * ((self.rng.uniform(size=dy.shape) < 0.7) if self.anew else self.mask) / 0.7


def test_a_mask_that_backward_draws_anew_is_wrong():
    for anew, verdict in ((False, Verdict.CERTIFIED), (True, Verdict.REFUTED)):
        layer = Dropout(anew)
        report = verify_function(layer.forward, layer.backward, inputs=[np.ones((4, 3))], seed=1, mend=0)
        assert report.verdict is verdict


def test_every_generator_is_put_back():
    def states():
        return np.random.get_state()[1].tolist(), RNG.bit_generator.state, OLD.get_state()[1].tolist()  # noqa: NPY002

    before = states(), torch.get_rng_state().tolist(), random.getstate()
    with drawing(2, of_the_file):
        drawn = random.random(), torch.rand(1).item(), RNG.random(), OLD.rand()
    assert (states(), torch.get_rng_state().tolist(), random.getstate()) == before
    assert len(set(drawn)) == 4
    with drawing(2, of_the_file):
        assert drawn == (random.random(), torch.rand(1).item(), RNG.random(), OLD.rand())
    with drawing(2, of_the_file, back=True):
        assert drawn != (random.random(), torch.rand(1).item(), RNG.random(), OLD.rand())
    with drawing(None, of_the_file):
        RNG.random()
    assert states() != before[0]


def test_nothing_is_said_where_nothing_is_drawn():
    assert (
        DRAWN not in verify_function(lambda x: (2 * x, None), lambda dy, _: 2 * dy, inputs=[np.ones(3)], seed=1).notes
    )
