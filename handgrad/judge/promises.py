"""What a backward pass promises besides right numbers: each promise, and how a report says that it is broken."""

from dataclasses import dataclass
from enum import StrEnum


class Promise(StrEnum):
    """What must be kept, in the words of a report."""

    SHAPES = "every gradient has the shape of its input"
    PRECISION = "dtype and device are kept"
    INPUTS_UNCHANGED = "nothing passed in is changed"
    CACHE_UNCHANGED = "the cache is not changed"
    NO_ALIASES = "every result has memory of its own"
    RESULTS_STAY = "what was returned stays as it is"
    REPEATABLE = "repeatable bit for bit"
    OWN_CACHE = "the backward pass uses its own cache"
    ZERO = "zero upstream gradient gives zero"
    LINEAR = "linear in the upstream gradient"
    FINITE = "finite at inputs up to 1e4"
    SAME = "the same every time"
    ELSEWHERE = "right at other inputs of the same shapes"
    LAYOUTS = "right in any layout of memory"
    FROZEN = "right whichever inputs need a gradient"
    ONE_EACH = "one gradient for every argument"
    MARKS_WRITTEN = "marks what it writes into"
    MARKS_CONSTANT = "marks what has no gradient"
    FREED = "nothing outlives its result"
    TWICE = "right when differentiated twice"
    AUTOCAST = "right under autocast"
    COMPILED = "the same under torch.compile"
    REGISTERED = "registered as torch expects"
    RUNS = "can be run on other numbers"
    NOT_MADE = "a contract that could not be checked"


BREACHES = {  # what the code does, as the first line of a report says it
    Promise.SHAPES: "gives a gradient of another shape",
    Promise.PRECISION: "gives another dtype or device",
    Promise.INPUTS_UNCHANGED: "writes into what it is given",
    Promise.CACHE_UNCHANGED: "writes into its cache",
    Promise.NO_ALIASES: "gives out memory of its inputs",
    Promise.RESULTS_STAY: "writes into what it returned before",
    Promise.OWN_CACHE: "keeps something outside its cache",
    Promise.ZERO: "gives a gradient where its upstream gradient is zero",
    Promise.LINEAR: "is not linear in its upstream gradient",
    Promise.FINITE: "is not finite at inputs up to 1e4",
    Promise.REPEATABLE: "does not repeat itself",
    Promise.SAME: "keeps state between calls, or is random",
    Promise.ELSEWHERE: "keeps something from its first inputs",
    Promise.LAYOUTS: "reads memory as if it were contiguous",
    Promise.FROZEN: "is wrong where an input needs no gradient",
    Promise.TWICE: "has a wrong second derivative",
    Promise.AUTOCAST: "is wrong under autocast",
    Promise.COMPILED: "gives something else under torch.compile",
}
OVERWRITES = (Promise.INPUTS_UNCHANGED, Promise.CACHE_UNCHANGED)  # after these no number can be blamed on a formula


@dataclass(frozen=True)
class Contract:
    """One promise: kept, broken, or (None) not checked and why. words: how it is broken, if known better.

    note: what is worth knowing though it breaks nothing.
    """

    name: Promise
    held: bool | None
    detail: str = ""
    words: str = ""
    note: str = ""

    @property
    def breach(self) -> str:
        """What the code does that it must not, in a few words."""
        return self.words or BREACHES.get(self.name, f"not kept: {self.name}")
