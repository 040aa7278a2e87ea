"""Samples and outputs, or axis 0 and the last axis: what the axes of a reader's own function mean is not known.

The catalogue speaks of samples in rows, which is true of our own stages. Of a function it is true where its numbers
show a layer, a network or a loss with the samples in rows; else its axes are told by their place.
"""

import re

from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.explain.recognise.linear import recognise_linear
from handgrad.explain.recognise.loss import recognise_cross_entropy
from handgrad.explain.recognise.network import recognise_network

BY_PLACE = (
    (r"N, the batch size", "N, the length of axis 0"),
    (r"1 over batch size times outputs", "1 over the number of entries"),
    (r"half of batch size times outputs", "half of the number of entries"),
    (r"2 over batch size times outputs", "2 over the number of entries"),
    (r"batch size times outputs", "the number of entries"),
    (r"the number of outputs", "the length of the last axis"),
    (r"the number of inputs", "the length of the last axis of the input"),
    (r"the batch size", "the length of axis 0"),
    (r"over the outputs", "over the last axis"),
    (r"(is|as) the (mean|sum) over the batch", r"\1 the \2 over axis 0"),
    (r"over the batch", "over axis 0"),
    (r"all samples' upstream gradients", "the upstream gradients along axis 0"),
    (r"over all samples", "over all of axis 0"),
    (r"over the (\d+) samples", r"over the \1 entries of axis 0"),
    (r"Every sample was given", "Every entry was given"),
    (r"left out of the batch", "left out of the sum"),
    (r"each sample overwrites", "each one overwrites"),
    (r"[Ss]ample (\d+)", r"index \1 of axis 0"),
)


def name_axes_by_place(text: str) -> str:
    """The text with axis 0 and the last axis where it has samples and outputs.

    >>> name_axes_by_place("only sample 2 is used")
    'only index 2 of axis 0 is used'
    """
    for words, by_place in BY_PLACE:
        text = re.sub(words, by_place, text)
    return text


def has_samples_in_rows(trial: FailedTrial) -> bool:
    """Whether it is known that each row is a sample."""
    if trial.stage.subject is not None:
        return True
    network = recognise_network(trial)
    return bool(recognise_linear(trial) or (network and not network.columns) or recognise_cross_entropy(trial))
