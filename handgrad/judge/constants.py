"""Every number somebody chose that can decide a verdict or word a report, each with its reason; nothing else.

No tolerance decides a verdict where interval (ball) arithmetic enters: there the bound is derived. `docs/method.md`
prints this table, and a test holds that the two are the same.
"""

from typing import Literal, NamedTuple

Kind = Literal["verdict", "words"]


class Reason(NamedTuple):
    """What a constant can do, and why it has this value."""

    decides: Kind
    why: str


NOISE_SIGMAS = 32
ROUNDINGS = 8
REFERENCE_RUNS = 16
OWN_RUNS = 12
SINGLE_NUMBERS = 2000
CLOSE = 2.0**-30
LOST = 1 / 16
RUNG_SIGMAS = 8
RUNG_ROUNDINGS = 2
RUNG_RMS = 1.5
ACCUMULATES = 2
BENDS = 12
BEND_POINTS = 258
BEND_RANGE = 8
BEND_JUMP = 4
BEND_SMALLEST = 2.0**-20
BESIDE = 2.0**-6
BEYOND = 1e6
HUGE = 1e30
KINK_DRAWS = 4
KINK_STEPS = (2.0**-32, 2.0**-40)
KINK_LEFT = 1 / 2
EQUAL_ROWS = 512
EQUAL_NUMBERS = 2**15
QUOTIENT_ENTRIES = 64
QUOTIENT_ERROR = 1 / 8
QUOTIENT_NEAR = 1 / 4
QUOTIENT_BEND = 3 / 4
QUOTIENT_ROUNDINGS = 8
QUOTIENT_STEP = 1 / 5
MAGNITUDES_64 = (1e-30, 1e4)
MAGNITUDES_32 = (1e-15, 1e4)
MAGNITUDES_16 = (1e-2, 2e4)
MAGNITUDE_STEP = 3
TRIED_SIZES = (1, 2, 3, 5, 7, 8, 9, 16, 17)
BLOCK_EDGES = (15, 31, 32, 33, 127, 128, 129)
JUDGED_MAGNITUDES = 4
JUDGED_SIZES = 2
MEND_SECONDS = 10.0
DRIFT_SIGMAS = 16
DIRECTIONS = 20
DIRECTION_ROUNDING = 1e-14
SAMPLES = 16
REPEATED_RUNS = 8
UPSTREAM_FACTOR = 2.0**20
UNDERFLOWS = 2.0**-100
SUM_ROUNDING = 2.0**-50
FEWER_NUMBERS = 2**14
CONTRACT_NUMBERS = 2**16
SATURATED = (-1e4, -100.0, 0.0, 100.0, 1e4)
ORDINARY_VALUES = 1e30
COARSE_FEWEST = 4
COARSE_SIZE = 1 / 16
COARSE_SPREAD = 1 / 2
COARSE_MOVES = 16
COARSE_CHANGE = 1 / 4

# Naming the mistake (handgrad/explain): what counts as agreement, how often it must hold, and how much is tried.
COINCIDENCE_BITS = 20
FEWEST_DRAWS = 2
MOST_DRAWS = 20
DRAWN_NUMBERS = 1_000_000
FORMULA_ROUNDINGS = 16
PRODUCT_ROUNDINGS = 8
NETWORK_GAIN = 4
RECOGNISED_WITHIN = 64
LINEAR_WITHIN = 4
DERIVATIVE_WITHIN = 2.0**-26
NETWORK_WITHIN = 1e-10
USUAL_EPS = (1e-5, 1e-6, 1e-8, 1e-12, 1e-3, 0.0)
QUOTIENT_BOUNDS = 4
QUOTIENT_ROUNDING = 2.0**-40
NEAR_ONE = 1e-3
OVERFLOWS_FROM = 10
CLEAR = 1 / 16
NEEDED_WITHIN = 1e-5
RATIO_ENTRIES = 3
TRIED_INPUTS = 16
TRIED_SAMPLES = 32
TRIED_NUMBERS = 1_000_000
LARGEST_SVD = 300

REASONS: dict[str, Reason] = {
    "NOISE_SIGMAS": Reason(
        "verdict",
        "standard deviations of the reference's noise in a bound by noise: no right code among 300 public backward "
        "passes needed more, and every wrong one was refuted",
    ),
    "ROUNDINGS": Reason(
        "verdict", "roundings of the right value itself in a bound by noise; measured with NOISE_SIGMAS"
    ),
    "REFERENCE_RUNS": Reason(
        "verdict", "runs of the reference with its roundings imitated: their spread is known to a sixth"
    ),
    "OWN_RUNS": Reason(
        "verdict",
        "runs of the code with its roundings imitated: their spread is known to a fifth, and they cost little",
    ),
    "SINGLE_NUMBERS": Reason(
        "verdict",
        "balls of a single number in one run: a loop over more numbers takes seconds on balls, so the noise of the "
        "reference is asked before, and balls only where it does not certify",
    ),
    "CLOSE": Reason(
        "verdict",
        "share of the size below which two forward passes are nearly equal (UNRESOLVED, not REFUTED): float32 rounding "
        "is larger, rounding in float64 far smaller",
    ),
    "LOST": Reason(
        "verdict",
        "share of its own value by which a certified entry may be off, unless the reference loses as much to rounding",
    ),
    "RUNG_SIGMAS": Reason(
        "verdict",
        "standard deviations on the lower steps of the precision ladder: right code with up to twice the reference's "
        "roundings passes, and what does not is left open, not refuted; so much noise of numbers near overflow excuses "
        "a gradient that is not finite in float16",
    ),
    "RUNG_ROUNDINGS": Reason(
        "verdict", "roundings of the right value on those steps: of the result, and of dy's product"
    ),
    "RUNG_RMS": Reason(
        "verdict",
        "standard deviations of its own rounding by which all entries of a tensor together may be off: right code is "
        "off by 0.3 to 0.8, a lost term of 5 % by 1.8",
    ),
    "ACCUMULATES": Reason("words", "times the noise of sums in float32 from which code is said to accumulate coarsely"),
    "BENDS": Reason("verdict", "numbers of the code, and jumps of a slope, at which inputs are drawn: more are data"),
    "BEND_POINTS": Reason("verdict", "points between -8 and 8 at which a slope is looked at: a few milliseconds"),
    "BEND_RANGE": Reason("verdict", "the size up to which a reference's slope is looked at for jumps"),
    "BEND_JUMP": Reason(
        "verdict", "times the changes beside it that make a change of the slope a jump to be looked at"
    ),
    "BEND_SMALLEST": Reason("verdict", "change of the slope below which it is rounding"),
    "BESIDE": Reason("verdict", "share of a number of the code by which inputs are drawn beside it as well"),
    "BEYOND": Reason("verdict", "numbers of the code from which on they are taken for sizes or fillers"),
    "HUGE": Reason(
        "verdict", "what stands for a filler to see whether y depends on it: no product of inputs is as large"
    ),
    "KINK_DRAWS": Reason(
        "verdict", "random ways away from inputs on which a gradient is asked to jump, if no reference is given"
    ),
    "KINK_STEPS": Reason(
        "verdict", "shares of the inputs by which it is moved: far above rounding, far below any step of a formula"
    ),
    "KINK_LEFT": Reason(
        "verdict", "share of the jump left at the smaller step: 1 at a kink, 1/256 if smooth, 1/16 at a square root"
    ),
    "EQUAL_NUMBERS": Reason("verdict", "numbers of all inputs together at most, where there are so many rows"),
    "EQUAL_ROWS": Reason("verdict", "equal rows in bfloat16: from 256 on a sum rounded at every addition stands still"),
    "QUOTIENT_ENTRIES": Reason(
        "verdict", "failing entries that a difference quotient may clear: more are no rounding of the reference"
    ),
    "QUOTIENT_ERROR": Reason("verdict", "share of the difference that a quotient's own error may be"),
    "QUOTIENT_NEAR": Reason("verdict", "share of the difference within which a quotient must agree with the code"),
    "QUOTIENT_BEND": Reason(
        "verdict", "share left of the one-sided slopes' difference when the step is halved: 1/2 if smooth, 1 at a kink"
    ),
    "QUOTIENT_STEP": Reason(
        "verdict",
        "power of the precision's unit that is the step of a quotient of fourth order: there its own error and the "
        "rounding of the forward pass are about equal",
    ),
    "QUOTIENT_ROUNDINGS": Reason("verdict", "roundings of the forward pass in a quotient's own error"),
    "MAGNITUDES_64": Reason(
        "verdict", "magnitudes at which a function of yours is compared where inputs are drawn in float64"
    ),
    "MAGNITUDES_32": Reason("verdict", "the same in float32 and bfloat16: what is smaller is lost when it is squared"),
    "MAGNITUDES_16": Reason("verdict", "the same in float16; where torch's own code overflows too nothing is said"),
    "MAGNITUDE_STEP": Reason(
        "verdict", "one rung of that ladder over the one before: no range wider than this is left out"
    ),
    "BLOCK_EDGES": Reason(
        "verdict", "more sizes for opaque code, whose blocks are powers of two: one less, equal, one more"
    ),
    "TRIED_SIZES": Reason("verdict", "sizes that every axis gets: small ones, and those around a power of two"),
    "JUDGED_MAGNITUDES": Reason(
        "verdict", "parts of the ladder; in each the magnitude that is most off is judged, if any is off at all"
    ),
    "MEND_SECONDS": Reason(
        "words", "how long a change that makes everything right is looked for, unless asked otherwise"
    ),
    "JUDGED_SIZES": Reason("verdict", "the same for the sizes"),
    "DRIFT_SIGMAS": Reason(
        "verdict",
        "standard deviations of the whole pass beyond which a stage is called drifted, and the width of the "
        "directional test: right networks exceed it only at extreme numbers (docs/evidence.md)",
    ),
    "DIRECTIONS": Reason(
        "verdict", "random directions of the directional test: an entry that is off is missed with 2^-20 at most"
    ),
    "DIRECTION_ROUNDING": Reason(
        "verdict",
        "share of the sum of all |g| by which float64 itself may be off along a direction: some 100 roundings",
    ),
    "SAMPLES": Reason(
        "verdict", "samples of the contracts and the directional test, which are about the code and not about the batch"
    ),
    "REPEATED_RUNS": Reason("verdict", "runs of code whose last bits vary, each of which must be inside its bound"),
    "UPSTREAM_FACTOR": Reason(
        "verdict", "times dy, and its inverse, in the linear contract: beyond any clipping, and yet far from overflow"
    ),
    "UNDERFLOWS": Reason("verdict", "below it an entry that is scaled by 4 may have lost digits as a subnormal number"),
    "SUM_ROUNDING": Reason("verdict", "share of a sum of two gradients that adding them up here in float64 may be off"),
    "FEWER_NUMBERS": Reason(
        "verdict",
        "of all inputs of a function, from which its contracts are checked on fewer rows and columns, where it takes "
        "them and is right there: they ask for some forty runs",
    ),
    "CONTRACT_NUMBERS": Reason(
        "verdict", "numbers in all gradients up to which sums of dy are checked: three runs on balls cost seconds"
    ),
    "SATURATED": Reason("verdict", "inputs at which a result must be finite: beyond the range of every exponential"),
    "ORDINARY_VALUES": Reason(
        "verdict", "the right values below which it must be: larger ones may overflow in float32 on their way"
    ),
    "COARSE_FEWEST": Reason("words", "errors fewer than these show no pattern of rounding"),
    "COARSE_SIZE": Reason("words", "of a unit: errors that small are no rounding of the coarser precision"),
    "COARSE_SPREAD": Reason("words", "of the typical error: errors that differ less are one common factor"),
    "COARSE_MOVES": Reason(
        "words",
        "units of the coarser precision by which the inputs are moved: a formula's error moves with them by 1e-6 of "
        "itself, the error of rounding becomes another one",
    ),
    "COARSE_CHANGE": Reason("words", "share of the typical error by which it must change then, to be called rounding"),
    "COINCIDENCE_BITS": Reason(
        "words",
        "bits of agreement on fresh draws before a mistake is named: of the 100 or so mistakes tried on one tensor, "
        "one in 10,000 wrong results fits by chance",
    ),
    "FEWEST_DRAWS": Reason("words", "fresh draws on which a name must hold: two show every entry with both signs"),
    "MOST_DRAWS": Reason("words", "fresh draws at most: a tensor of one entry that is zero says one bit a draw"),
    "DRAWN_NUMBERS": Reason("words", "numbers in all fresh draws together: a large stage gets fewer, in seconds"),
    "FORMULA_ROUNDINGS": Reason("words", "float64 roundings of a mistaken formula computed here: a few operations"),
    "PRODUCT_ROUNDINGS": Reason(
        "words", "float64 roundings of g(z) and f'(z), whose difference is a mistake's formula"
    ),
    "NETWORK_GAIN": Reason(
        "words", "times the bound for a whole network's gradients, which are computed here along another way"
    ),
    "RECOGNISED_WITHIN": Reason("words", "float64 roundings within which a stage's values are those of a known layer"),
    "LINEAR_WITHIN": Reason("words", "the same for each of the n_in + 2 operations of z = x W^T + b"),
    "DERIVATIVE_WITHIN": Reason(
        "words", "relative difference of dz and dh f'(z) in an elementwise stage: half of float64's digits"
    ),
    "NETWORK_WITHIN": Reason(
        "words",
        "of the largest entry: a network whose own gradients agree to ten digits is recognised; names are "
        "proved far below that",
    ),
    "USUAL_EPS": Reason("words", "the eps of other people's normalisations: the defaults in use, and none"),
    "QUOTIENT_BOUNDS": Reason(
        "words", "bounds by which a number read off as a quotient of two entries may be off: one each, twice over"
    ),
    "QUOTIENT_ROUNDING": Reason("words", "the float64 rounding of such a quotient, with room for a few operations"),
    "NEAR_ONE": Reason("words", "a factor this near to 1 is called a constant cut short, not a learning rate"),
    "OVERFLOWS_FROM": Reason("words", "the smallest input that overflows: e^x of half precision does from 11.1 on"),
    "CLEAR": Reason("words", "share of an error that its bound may be where a sentence describes the error"),
    "NEEDED_WITHIN": Reason("words", "of a line's largest error: least squares find its right value that well"),
    "RATIO_ENTRIES": Reason("words", "clear entries that a row or a column needs before its ratio is called constant"),
    "TRIED_INPUTS": Reason("words", "inputs or units of a layer up to which every pair or path is tried"),
    "TRIED_SAMPLES": Reason("words", "samples up to which each is tried as the one that was left out"),
    "TRIED_NUMBERS": Reason("words", "numbers in a stage up to which all its samples, and all readings, are tried"),
    "LARGEST_SVD": Reason("words", "rows or columns of a matrix up to which the rank of its error is computed"),
}
