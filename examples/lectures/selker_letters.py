"""Selker's letters: 28 characters as 28 numbers, and the next letter of real English guessed from those before it.

`python selker_letters.py` learns from the standard library's help texts, `--text FILE` from a UTF-8 file of your own.
The first four fifths of the text are learned, the last fifth is held back and guessed. What to beat there: always the
same letter, and a table that says which letter most often follows each letter.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from handgrad import verify
from handgrad.course.lecture import Number, System, torch_twin
from handgrad.experiment.datasets.text import LETTERS, clean, indices, read
from handgrad.lectures.selker_network import HALF, Float, Ints, one_by_one, train, train_by_torch
from handgrad.report.console import report_console, show_progress
from manual import SGD, Network, Params, mlp

USED, FEWEST = 100_000, 1_000  # letters of a text that are used, and needed
SOME = 20_000  # letters for the short version among the lecture's systems
BATCH, RATE, PASSES = 64, 0.02, 3
SHORT = (  # the first sentences of Moby-Dick
    "call me ishmael_ some years ago _ never mind how long precisely _ having little or no money in my purse_ and "
    "nothing particular to interest me on shore_ i thought i would sail about a little and see the watery part of the "
    "world_"
)


# Text to letters, letters to numbers.


def standard_text() -> str:
    """The English that comes with Python: the help texts on its language. ModuleNotFoundError where left out."""
    try:
        from pydoc_data.topics import topics
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("this Python comes without pydoc_data: give a text with --text FILE") from error
    return clean("\n".join(topics.values()))


def encode(text: str) -> Float:
    """One row a letter: 28 numbers, 0.5 at the letter's place and 0 elsewhere: tanh reaches 0.5, and never 1."""
    return 0.5 * np.eye(len(LETTERS))[indices(text)]


def pairs(text: str, context: int = 1) -> tuple[Float, Float]:
    """x (N, 28 context): every run of `context` letters, the oldest first; t (N, 28): the letter after it."""
    code = encode(text)
    N = len(text) - context
    return np.hstack([code[k : k + N] for k in range(context)]), code[context:]


def shuffled(N: int, seed: int) -> Iterator[Ints]:
    """Batches of 64 samples in random order: the slides' one sample an update takes far longer."""
    rng = np.random.default_rng(seed)
    for _ in range(PASSES):
        yield from np.array_split(rng.permutation(N), max(1, N // BATCH))


# Guesses, and how often they are right.


def table_of_pairs(text: str) -> Float:
    """counts[i, j]: how often letter j follows letter i."""
    counts = np.zeros((len(LETTERS), len(LETTERS)))
    at = indices(text)
    np.add.at(counts, (at[:-1], at[1:]), 1)
    return counts


def ranking(scores: Float) -> str:
    """The letters, the best score first; equal scores in the order of the alphabet."""
    return "".join(LETTERS[i] for i in np.argsort(-scores, kind="stable"))


def share_right(scores: Float, t: Float) -> float:
    """How often the highest score stands where the letter is."""
    return float(np.mean(scores.argmax(1) == t.argmax(1)))


Watch: TypeAlias = Callable[[list[Ints], str], Iterable[Ints]]


class Guesser(NamedTuple):
    """A way to guess the next letter, and its share of right guesses in what it learned and in what was held back."""

    name: str
    learned: float
    held_back: float
    net: Network | None = None
    params: Sequence[Params] = ()


def guessers(text: str, watch: Watch = lambda order, name: order) -> list[Guesser]:
    """What to beat, then the networks: one layer and one letter, a hidden layer, three and five letters.

    watch(order, name) hands on what makes each update, and may show how far it is.
    """
    cut = len(text) * 4 // 5
    learned, held_back = text[:cut], text[cut:]
    (x, t), (u, s) = pairs(learned), pairs(held_back)
    most, table = t.sum(0), table_of_pairs(learned)
    found = [
        Guesser(f"always {most_common(learned)!r}", share_right(np.tile(most, (len(t), 1)), t),
                share_right(np.tile(most, (len(s), 1)), s)),
        Guesser("the table of pairs", share_right(table[x.argmax(1)], t), share_right(table[u.argmax(1)], s)),
    ]  # fmt: skip
    for context, hidden in ((1, ()), (1, (40,)), (3, (40,)), (5, (80,))):
        sizes = [len(LETTERS) * context, *hidden, len(LETTERS)]
        net = mlp(sizes, "tanh", "tanh", bias=False)
        (x, t), (u, s) = pairs(learned, context), pairs(held_back, context)
        name = f"{'-'.join(map(str, sizes))}, {context} letter{'s' if context > 1 else ''} before"
        params = train(net, net.init(0), x, t, SGD(RATE), watch([*shuffled(len(x), 0)], name)).params
        right = (share_right(net.forward(params, a)[0], b) for a, b in ((x, t), (u, s)))
        found.append(Guesser(name, *right, net, params))
    return found


def most_common(text: str) -> str:
    return Counter(text).most_common(1)[0][0]


def english() -> System:
    """x: a letter; t: the next one; W <- W - 0.5 dE/dW after each letter, 50 times through a short text."""
    x, t = pairs(SHORT)
    net, start = mlp([28, 28], "tanh", "tanh", bias=False), ({"W": np.zeros((28, 28))}, {})
    order = one_by_one(len(x), 50)
    runs = train(net, start, x, t, SGD(0.5), order), train_by_torch(start, x, t, 0.5, order)
    W, V = (run.params[0]["W"] for run in runs)
    o, by_torch = net.forward(runs[0].params, x)[0], torch_twin(net, runs[1].params)(torch.from_numpy(x))
    passes, by_torchs = (run.errors.reshape(50, -1).mean(1) for run in runs)
    counts, at = table_of_pairs(SHORT), x.argmax(1)
    likely = 0.5 * (counts / np.maximum(counts.sum(1, keepdims=True), 1))[at]
    trio = mlp([84, 40, 28], "tanh", "tanh", bias=False)
    return System(
        "S-S9",
        "the next letter of English",
        (
            Number("mean error, last pass", passes[-1], by_torchs[-1], within=1e-9),
            Number("mean error, pass 1, 2, 10, 50", passes[[0, 1, 9, 49]], by_torchs[[0, 1, 9, 49]],
                   within=1e-9, separate=True),
            Number("the least that one letter before allows", HALF.forward(likely, t)[0] / len(t)),
            Number("W", W, V, within=1e-9),
            Number("sum of W, of its squares", [W.sum(), (W * W).sum()], [V.sum(), (V * V).sum()],
                   within=1e-9, separate=True),
            Number("share of right guesses", share_right(o, t), share_right(by_torch.detach().numpy(), t)),
            Number("always the most frequent letter", (t > 0).mean(0).max()),
            Number("the table of pairs", share_right(counts[at], t)),
            Number("ranking after 't'", indices(ranking(W[:, 19])), indices(ranking(V[:, 19]))),
        ),
        reports=(
            verify(net, runs[0].params, x[:16], t[:16], HALF, seed=9, name="28-28, trained"),
            verify(trio, trio.init(9), *(a[:16] for a in pairs(SHORT, 3)), HALF, seed=9, name="84-40-28"),
        ),
        notes=(
            f"after 't' the network expects {', '.join(map(repr, ranking(W[:, 19])[:5]))}",
            *(f"{SOME:,} letters of Python's help, a fifth held back: {g.name}: {g.held_back:.1%} right"
              for g in guessers(standard_text()[:SOME])),
        ),
    )  # fmt: skip


def main() -> int:
    """Learn from a text, say how often each guesser is right, and show guesses letter by letter."""
    top = argparse.ArgumentParser(description="Guess the next letter of English from the letters before it.")
    top.add_argument("--text", type=Path, metavar="FILE", help="a UTF-8 text; default: the help texts of Python itself")
    args = top.parse_args()
    try:
        text = clean(read(args.text)) if args.text else standard_text()
    except (OSError, ValueError, ModuleNotFoundError) as error:
        top.error(str(error))
    if len(text) < FEWEST:
        top.error(f"{args.text}: {len(text)} letters after cleaning, expected {FEWEST} or more to learn from")
    show(text[:USED], report_console())
    return 0


def show(text: str, console: Console) -> None:
    """The shares of right guesses, and the best network's guesses on the held-back text."""
    found = guessers(text, lambda order, name: show_progress(order, name, len(order)))
    cut = len(text) * 4 // 5
    table = Table(box=None, pad_edge=False, title=f"{cut:,} letters learned, {len(text) - cut:,} held back")
    for title in ("guesser", "right in what it learned", "right in what was held back"):
        table.add_column(title)
    for g in found:
        table.add_row(g.name, f"{g.learned:.1%}", f"{g.held_back:.1%}")
    (u, s) = pairs(text[cut:])
    bound = share_right(table_of_pairs(text[cut:])[u.argmax(1)], s)
    table.add_row("no guess from one letter can do better", "", f"{bound:.1%}")
    best = max(found[2:], key=lambda g: g.held_back)
    console.print(table, "", guesses(best, text[cut:]))


def guesses(guesser: Guesser, text: str) -> Table:
    """Letter by letter: what stood before, what came, the first guesses, and a bar as long as the letter's rank."""
    assert guesser.net is not None
    context = guesser.net.layers[0].param_shapes["W"][1] // len(LETTERS)
    grid = Table(box=None, pad_edge=False, title=guesser.name)
    for title in ("before", "came", "first guesses", "its rank"):
        grid.add_column(title)
    x, t = pairs(text[: context + 24], context)
    scores = guesser.net.forward(guesser.params, x)[0]
    for k, (row, came) in enumerate(zip(scores, t.argmax(1), strict=True)):
        ranked = ranking(row)
        rank = ranked.index(LETTERS[came]) + 1
        grid.add_row(repr(text[k : k + context]), repr(LETTERS[came]), repr(ranked[:6]), f"{rank:2} {'#' * rank}")
    return grid


if __name__ == "__main__":
    sys.exit(main())
