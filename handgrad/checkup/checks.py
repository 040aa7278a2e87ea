"""The checks: each takes the numbers and says what was measured, what is normal, and what to do where it is not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from statistics import mean

from handgrad.checkup.measure import Units
from handgrad.checkup.numbers import Numbers

START_LOGITS, START_SQUARES = 3, 10  # above chance, and times chance: the most for a loss before the first step
LARGE = 3  # the root mean square of x, from where on it is too large
LEARNED = 0.1  # of chance, the most that may be left on a few samples
KNOWN = 0.8  # of the best constant output, the most of the batches where they are known and others are not
BETTER = 0.99  # of the best constant output, the most after the first steps
SLOW, FAST = 1e-4, 5e-2  # |change of W| / |W| of a step
SPREAD = 1_000  # between the norms of the layers' gradients
MOSTLY = 0.5  # of a layer's units: more are too many dead, or alike
SATURATED = 0.7  # of a hidden layer's outputs

# START_LOGITS was measured once: 17 networks (2 to 64 inputs, 1 to 5 layers, 2 to 10 classes, twice in shares of 97
# and 3 %; he_uniform, he_normal, xavier_uniform; x normal or digits), each with 60 seeds. The largest loss was 2.8
# above chance, so none of the 1,020 is called wrong; twice chance, which is 0.69 above it with two classes, would
# call 64 wrong.


@dataclass(frozen=True)
class Check:
    """One check's answer, in sentences; advice is empty where nothing is wrong."""

    name: str
    healthy: bool
    measured: str
    normal: str
    advice: str


def check_start(found: Numbers) -> Check:
    """The loss before the first step against that of the best constant output."""
    constant = "even logits" if found.logits else "one output for all of them"
    what = f"the loss is {found.start:.4g} on {found.samples} samples; {constant} would give {found.chance:.4g}."
    if found.trained:
        what = f"after {found.trained} steps of training {what}"
    if found.size > LARGE:
        advice = scale_x(found) + " Where that does not help, take smaller initial weights."
    elif found.logits:
        advice = "Initial weights are too large: the network is sure of what it cannot know. Take he_uniform or "
        advice += "xavier_uniform, which give the outputs the size of x."
    else:
        advice = "Scale the targets to mean 0 and variance 1; or the weights are too large."
    normal = "A network that knows nothing is near chance: at most "
    normal += f"{START_LOGITS} above it." if found.logits else f"{START_SQUARES} times that."
    return answer("loss at the start", not starts_badly(found), what, normal, advice)


def check_by_heart(found: Numbers) -> Check:
    """A few samples are learned by heart, by Adam and whatever the optimizer is."""
    last, steps = found.by_heart[-1], len(found.by_heart) - 1
    few = f"{found.few} samples" if found.few > 1 else "one sample"
    what = f"{few} alone, {steps} steps of Adam: the loss went from {found.by_heart[0]:.4g} to {last:.4g}"
    what += f", the least possible being {found.least:.4g}." if found.least > 0 else "."
    if learns(found):
        advice = "The first steps do learn, so it is slow rather than wrong: by units that are dead, saturated or "
        advice += "alike, or by an output that begins far from the targets."
    else:
        advice = "Where this fails nothing else can work. Judge the gradients (handgrad verify); see that the last "
        advice += "activation reaches the targets, that all layers move, and that units are neither dead nor alike."
    normal = f"Every network can learn so few by heart: to {100 * LEARNED:.0f} % of chance."
    return answer(
        "one batch by heart", last - found.least <= LEARNED * (found.chance - found.least), what, normal, advice
    )


def check_first_steps(found: Numbers) -> Check:
    """The loss after the first steps, on samples held back from them, against the best constant output."""
    where = f"{found.samples} samples held back" if found.held_back else f"the {found.samples} samples"
    what = f"{len(found.losses)} steps at learning rate {found.lr:g}: the loss on {where} went from {found.start:.4g} "
    what += f"to {found.after:.4g}; the best constant gives {found.constant:.4g}."
    if found.broke:
        what = f"the loss or its gradient was not finite at step {len(found.losses)}, at learning rate {found.lr:g}."
    ratios = [w.ratio for w in found.weights]
    if silent(found):
        advice = "No gradient arrives: mend what the checks of gradients and units say."
    elif starts_badly(found) and (harmed(found) or not found.after <= most(found)):
        advice = "It starts too far away: mend what the check of the loss at the start says, before anything else."
    elif memorised(found):
        advice = "It learns its samples, and nothing of the others. Are x and the targets in the same order, does x "
        advice += "say anything of the target, and are there more samples?"
    elif found.broke or max(ratios) > FAST or harmed(found) or not found.after <= max(found.start, found.chance):
        advice = f"Lower the learning rate {found.lr:g}, or clip the gradient (--clip-norm)."
    elif min(ratios) < SLOW:
        advice = f"The weights hardly move: raise the learning rate {found.lr:g}."
    else:
        advice = "The weights move and it does not help. Where other checks fail, mend those first. Else: are x and "
        advice += "the targets in the same order, and does x say anything of the target?"
    normal = "By then the network is better than a constant."
    return answer("first steps", learns(found), what, normal, advice)


def check_ratios(found: Numbers) -> Check:
    """|change of W| / |W| of a step, for each W."""
    ratios = [w.ratio for w in found.weights]
    listed = ", ".join(f"{w.name} {w.ratio:.1e}" for w in found.weights)
    what = f"|change of W| / |W| of a step, the median: {shorten(listed)}."
    low, high = min(ratios), max(ratios)
    if high == inf:
        advice = "A W that is all zero: draw it at random."
    elif silent(found):
        advice = f"No gradient reaches {silent(found)}, so nothing but a decay can move it: see the gradient norms."
    elif starts_badly(found):
        advice = "The steps say little while x, weights or targets are too large: mend the loss at the start first."
    elif harmed(found) and low < SLOW:
        advice = f"Lower the learning rate {found.lr:g}: units died or saturated in the first steps, and since "
        advice += "then nothing moves."
    elif harmed(found) or not high <= FAST:
        advice = f"Lower the learning rate {found.lr:g}."
    else:
        advice = f"Raise the learning rate {found.lr:g}; if one layer alone is slow, see its gradient."
    normal = f"About 1e-3; between {SLOW:.0e} and {FAST:.0e}."
    return answer("update to weight", low >= SLOW and high <= FAST, what, normal, advice)


def check_gradients(found: Numbers) -> Check:
    """The norms of dW, layer by layer."""
    norms = [w.gradient for w in found.weights]
    listed = ", ".join(f"{w.name} {w.gradient:.1e}" for w in found.weights)
    least, largest = min(norms), max(norms)
    healthy = 0 < largest <= SPREAD * least and all(map(isfinite, norms))
    if silent(found):
        advice = f"No gradient reaches {silent(found)}: dead or wholly saturated units, or zero weights after it."
    elif norms.index(least) < norms.index(largest):
        advice = "Gradients vanish on the way back: relu for sigmoid, weights for the activation (he_uniform for relu, "
        advice += "xavier_uniform for tanh), fewer layers, or a normalisation."
    else:
        advice = "Gradients grow on the way back: smaller initial weights, or a normalisation."
    normal = f"All of one size: the largest at most {SPREAD:,} times the smallest, none zero."
    return answer("gradient norms", healthy, f"|dW| at the start: {shorten(listed)}.", normal, advice)


def check_dead(found: Numbers) -> Check:
    """Units that let no gradient through, at any sample."""
    what = f"units without slope at every sample: {before_and_after(found, lambda u: f'{u.dead} of {u.n}')}."
    advice = "A dead unit never learns again. "
    if found.size > LARGE:
        advice += scale_x(found)
    elif many_dead(found.units) or began(found, lambda u: u.dead / u.n):
        advice += "Look at its bias and the scale of x; smaller initial weights, or leaky_relu."
    else:
        advice += f"These died in the first steps: lower the learning rate {found.lr:g}, or take leaky_relu."
    healthy = not many_dead(found.units) and not many_dead(found.units_after)
    return answer("dead units", healthy, what, "A few; at most half of a layer.", advice)


def check_saturation(found: Numbers) -> Check:
    """Outputs of hidden sigmoid and tanh units on their flat ends."""
    if not any(u.hidden and u.saturated is not None for u in found.units):
        what = "no hidden sigmoid or tanh units, so there are no flat ends."
    else:
        listed = before_and_after(found, lambda u: "" if u.saturated is None else f"{100 * u.saturated:.0f} %")
        what = f"outputs where the slope is below a twentieth of the steepest: {listed}."
    if found.size > LARGE:
        advice = scale_x(found)
    elif much_saturated(found.units) or began(found, flat):
        advice = "Most of them are flat from the start: smaller initial weights (xavier_uniform)."
    else:
        advice = f"They saturated in the first steps: lower the learning rate {found.lr:g}."
    healthy = not much_saturated(found.units) and not much_saturated(found.units_after)
    normal = f"At most {100 * SATURATED:.0f} % of a hidden layer's."
    return answer("saturation", healthy, what, normal, advice)


def check_alike(found: Numbers) -> Check:
    """Hidden units that do the same, and will for ever."""
    listed = ", ".join(f"{u.name} {u.alike} of {u.n}" for u in found.units if u.hidden)
    what = f"hidden units with another's output at every sample: {shorten(listed) or 'there are no hidden units'}."
    healthy = not any(u.alike > MOSTLY * u.n for u in found.units)
    advice = "Weights that begin equal stay equal: draw them at random, such as by he_uniform or xavier_uniform."
    return answer("units alike", healthy, what, "None; at most half of a layer.", advice)


CHECKS: tuple[Callable[[Numbers], Check], ...] = (
    check_start,
    check_by_heart,
    check_first_steps,
    check_ratios,
    check_gradients,
    check_dead,
    check_saturation,
    check_alike,
)


def most(found: Numbers) -> float:
    """The largest loss at the start that is normal."""
    return found.chance + START_LOGITS if found.logits else found.chance * START_SQUARES


def starts_badly(found: Numbers) -> bool:
    """Whether the loss at the start is far above chance, or no number."""
    return not found.start <= most(found)


def learns(found: Numbers) -> bool:
    """Whether the first steps came below the best constant output."""
    return found.after <= BETTER * found.constant and not found.broke


def memorised(found: Numbers) -> bool:
    """Whether the first steps learned the samples they saw, and not those held back."""
    last = found.losses[-len(found.losses) // 4 :]  # rounded up
    return found.held_back and not learns(found) and not found.broke and mean(last) <= KNOWN * found.constant


def scale_x(found: Numbers) -> str:
    """The advice where x is too large."""
    return f"x is too large, its root mean square is {found.size:.3g}: scale it to mean 0 and variance 1."


def silent(found: Numbers) -> str:
    """The names of the W that no gradient reaches."""
    return ", ".join(w.name for w in found.weights if w.gradient == 0)


def many_dead(units: Sequence[Units]) -> bool:
    """Whether most of a layer is."""
    return any(u.dead > MOSTLY * u.n for u in units if u.hidden)


def much_saturated(units: Sequence[Units]) -> bool:
    """Whether most of a hidden layer's outputs are."""
    return any(u.hidden and flat(u) > SATURATED for u in units)


def flat(units: Units) -> float:
    """The share of saturated outputs; 0 where the activation has no flat ends."""
    return units.saturated or 0.0


def began(found: Numbers, share: Callable[[Units], float]) -> bool:
    """Whether half of it was there before the first step, in the layer where there is most of it in the end."""
    both = [pair for pair in zip(found.units, found.units_after, strict=True) if pair[0].hidden]
    if not both:
        return False
    before, after = max(both, key=lambda pair: share(pair[1]))
    return share(before) >= share(after) / 2


def harmed(found: Numbers) -> bool:
    """Whether the first steps killed or saturated units that were not."""
    died = many_dead(found.units_after) and not many_dead(found.units)
    return died or (much_saturated(found.units_after) and not much_saturated(found.units))


def answer(name: str, healthy: bool, measured: str, normal: str, advice: str) -> Check:
    """With the advice only where something is wrong."""
    return Check(name, healthy, measured[0].upper() + measured[1:], normal, "" if healthy else advice)


def before_and_after(found: Numbers, say: Callable[[Units], str]) -> str:
    """What is said of each layer's units, at the start and after the first steps."""

    def listed(units: Sequence[Units]) -> str:
        return shorten(", ".join(f"{u.name} {say(u)}" for u in units if u.hidden and say(u)))

    if not any(u.hidden for u in found.units):
        return "there are no hidden units"
    return f"{listed(found.units)} at the start, {listed(found.units_after)} after the first steps"


def shorten(listed: str, longest: int = 6) -> str:
    """A list with commas, of its first and last entries where it is long.

    >>> shorten("1, 2, 3, 4, 5", 4)
    '1, 2, ..., 4, 5'
    """
    parts = listed.split(", ")
    if len(parts) <= longest:
        return listed
    return ", ".join([*parts[: longest // 2], "...", *parts[-(longest // 2) :]])
