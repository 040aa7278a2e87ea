"""How many digits of each number are shown.

Every number is shown rounded to its last digit, never further than its digits are sure. Whoever puts shown numbers into
a formula gets the shown result, to its last digit: where DIGITS are too few for that, the numbers put in get more.
A number that ends is shown to its end, and is exact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, localcontext

from handgrad.worked.formula import Call, Formula, Name, Product, apply, compute, names, parts
from handgrad.worked.values import Value

DIGITS = 5  # significant digits, where no formula needs more
ENDS = 8  # digits of a number that is shown to its end
PRECISION = 60  # digits of what is computed here


@dataclass(frozen=True)
class Shown:
    """A number as it is shown. exact: it ends there."""

    number: Decimal
    exact: bool

    @property
    def digits(self) -> int:
        """How many significant digits it has."""
        return len(self.number.as_tuple().digits)

    @property
    def asked(self) -> int:
        """How many digits an answer must have: of an exact one DIGITS at least, so 0.6 is 0.60000 and 0 is 0.00000."""
        return max(self.digits, DIGITS) if self.exact else self.digits

    @property
    def half_unit(self) -> Decimal:
        """Half a unit of the last digit asked for: what is nearer rounds to it."""
        leading = self.number.adjusted() if self.number else -1
        return Decimal(5).scaleb(leading - self.asked)


def choose_digits(
    given: Sequence[str], formulas: Mapping[str, Formula], values: Mapping[str, Value]
) -> dict[str, Shown]:
    """Every number as it is shown. given: those that are no result, shown as they were given.

    Raises ValueError where too few digits are sure to show a result: where units saturate.
    """
    ends: dict[str, Decimal] = {name: Decimal(repr(values[name].number)).normalize() for name in given}
    for name, formula in formulas.items():
        if (end := exact_result(formula, ends, values)) is not None:
            ends[name] = end
    copies = {name: formula.name for name, formula in formulas.items() if isinstance(formula, Name)}
    rounded = [name for name in formulas if name not in ends and name not in copies]
    most = {name: sure_digits(values[name]) for name in rounded}
    if unsure := [name for name in rounded if not most[name]]:
        raise too_few_digits(unsure[0], values[unsure[0]])
    shown = ends | {name: round_to(values[name].number, min(DIGITS, most[name])) for name in rounded}
    while not all(agrees(formulas[name], shown, name) for name in rounded):
        for name in reversed(rounded):  # what it goes into is settled by then
            shown, most = settle(name, formulas[name], shown, most, values)
    shown |= {name: shown[other] for name, other in copies.items()}
    return {name: Shown(shown[name], name in ends) for name in (*given, *formulas)}


def settle(
    name: str, formula: Formula, shown: Mapping[str, Decimal], most: Mapping[str, int], values: Mapping[str, Value]
) -> tuple[dict[str, Decimal], dict[str, int]]:
    """shown and most with more digits of what goes into the formula, until the shown result comes out.

    most: how many digits each rounded number may have. Where there are no more, the result has one less for good.
    """
    shown, most = dict(shown), dict(most)

    def digits(other: str) -> int:
        return len(shown[other].as_tuple().digits)

    while not agrees(formula, shown, name):
        more = [other for other in names(formula) if other in most and digits(other) < most[other]]
        if not more and digits(name) == 1:
            raise too_few_digits(name, values[name])
        changed = min(more, key=digits) if more else name
        most[name] = most[name] if more else digits(name) - 1
        shown[changed] = round_to(values[changed].number, digits(changed) + 1 if more else most[name])
    return shown, most


def exact_result(formula: Formula, ends: Mapping[str, Decimal], values: Mapping[str, Value]) -> Decimal | None:
    """What the formula gives where all that is put in ends, and so does the result, soon; else None."""
    with localcontext(Context(PRECISION, ROUND_HALF_EVEN, traps=[Inexact])):
        try:
            found = exact_part(formula, ends, values)
        except Inexact:
            return None
    if found is None or len(found.normalize().as_tuple().digits) > ENDS:
        return None
    return found.normalize()


def exact_part(formula: Formula, ends: Mapping[str, Decimal], values: Mapping[str, Value]) -> Decimal | None:
    """The exact value of a formula or a part of one; None where it is not known.

    0 times anything is 0; max(z, 0) is 0 where z is surely negative, and its slope is known where the sign of z is.
    """
    match formula:
        case Name(name):
            return ends.get(name)
        case Call("relu" | "positive", Name(z)) if values[z].number + values[z].radius < 0:
            return Decimal(0)
        case Call("positive", Name(z)) if values[z].number - values[z].radius > 0:
            return Decimal(1)
    inside = [exact_part(part, ends, values) for part in parts(formula)]
    if isinstance(formula, Product) and any(value is not None and not value for value in inside):
        return Decimal(0)
    known = [value for value in inside if value is not None]
    return apply(formula, known) if len(known) == len(inside) else None


def agrees(formula: Formula, shown: Mapping[str, Decimal], name: str) -> bool:
    """Whether the shown numbers put into the formula give the shown result, however a half is rounded."""
    exponent = shown[name].as_tuple().exponent
    assert isinstance(exponent, int)
    with localcontext(Context(PRECISION, ROUND_HALF_EVEN)):
        return abs(compute(formula, shown) - shown[name]) < Decimal(5).scaleb(exponent - 1)


def sure_digits(value: Value) -> int:
    """How many significant digits of a value are those of the exact one too, rounded: 0 to 17."""
    low, high = value.number - value.radius, value.number + value.radius
    return next((digits for digits in range(17, 0, -1) if round_to(low, digits) == round_to(high, digits)), 0)


def too_few_digits(name: str, value: Value) -> ValueError:
    """The error that says so."""
    return ValueError(
        f"{name}: is {value.number:.3g}, of which too few digits are sure to show how it is computed; smaller weights "
        "or inputs keep the units from saturating"
    )


def round_to(number: float, digits: int) -> Decimal:
    """The number rounded to so many significant digits, zeros at its end kept.

    >>> round_to(0.35, 4), round_to(-123456.0, 2)
    (Decimal('0.3500'), Decimal('-1.2E+5'))
    """
    if not number:
        return Decimal(0)
    return Decimal(f"{number:.{digits - 1}e}")
