"""How formulas and numbers are written: as plain text, as LaTeX, as MathML."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from handgrad.html.element import Html, element
from handgrad.worked.formula import (
    Call,
    Difference,
    Formula,
    Minus,
    Name,
    Product,
    Quotient,
    Square,
    Sum,
    Whole,
    parts,
)

TIGHT, PRODUCT, SUM = range(3)  # how loosely the parts of what is written hang together
SMALL = -5  # numbers below 10^SMALL are written with a power of ten


class Written(NamedTuple):
    """A piece of a formula. level: TIGHT for what never needs parentheses, PRODUCT, SUM."""

    markup: str
    level: int = TIGHT


class Notation(NamedTuple):
    """One way to write. Everything that is no sign of its own is built from these.

    glue: pieces one after the other; sign: of "plus", "minus", "times"; call: a function's name and what stands in it.
    """

    glue: Callable[..., str]
    sign: Callable[[str], str]
    group: Callable[[str], str]
    fraction: Callable[[Written, Written], Written]
    square: Callable[[str], str]
    call: Callable[[str, str], str]


Leaf = Callable[[str], Written]  # how a name is written: as itself, or as its number


def write(formula: Formula, notation: Notation, leaf: Leaf) -> Written:
    """The formula in this notation, each name in it as `leaf` writes it."""
    match formula:
        case Name(name):
            return leaf(name)
        case Whole(value):
            return Written(notation.glue(str(value)))
    inside = [write(part, notation, leaf) for part in parts(formula)]

    def held(piece: Written, most: int) -> str:
        return piece.markup if piece.level <= most else notation.group(piece.markup)

    match formula:
        case Sum():
            first, *rest = inside
            return Written(between(notation, "plus", first.markup, *(held(p, PRODUCT) for p in rest)), SUM)
        case Difference():
            return Written(between(notation, "minus", inside[0].markup, held(inside[1], PRODUCT)), SUM)
        case Product():
            return Written(between(notation, "times", *(held(p, PRODUCT) for p in inside)), PRODUCT)
        case Minus():
            return Written(notation.glue(notation.sign("negative"), held(inside[0], PRODUCT)), SUM)
        case Quotient():
            return notation.fraction(*inside)
        case Square():
            return Written(notation.square(held(inside[0], TIGHT)))
        case Call(function, _):
            return Written(notation.call(function, inside[0].markup))
    raise TypeError(f"write: got {formula!r}, expected a formula")


def between(notation: Notation, sign: str, first: str, *rest: str) -> str:
    """Pieces with a sign between each two."""
    return notation.glue(first, *(piece for part in rest for piece in (notation.sign(sign), part)))


# Numbers, and how names fall into their parts.


def decimal_text(number: Decimal) -> str:
    """A number as a reader types it: 0.0001, 4.4e-7.

    >>> [decimal_text(Decimal(n)) for n in ("0.350", "-12", "0.00000044", "1E+2", "0E-5")]
    ['0.350', '-12', '4.4e-7', '100', '0']
    """
    if not number:
        return "0"
    if number.adjusted() >= SMALL:
        return f"{number:f}"
    digits, _, power = f"{number:e}".partition("e")
    return f"{digits}e{int(power)}"


class NameParts(NamedTuple):
    """dW1_21: d, W, 1, 21."""

    d: str
    letter: str
    layer: str
    place: str


def name_parts(name: str) -> NameParts:
    """
    >>> name_parts("dW1_21")
    NameParts(d='d', letter='W', layer='1', place='21')
    """
    found = re.fullmatch(r"(d?)([A-Za-z])(\d*)(?:_(\d+))?", name)
    if found is None:
        raise ValueError(f"name_parts: got {name!r}, expected a name such as z1_2 or dW1_21")
    return NameParts(*(part or "" for part in found.groups()))


# Plain text.

TEXT_SIGNS = {"plus": " + ", "minus": " - ", "times": "·", "negative": "-"}
TEXT_CALLS = {"relu": "max({}, 0)", "positive": "[{}>0]"}


def text_fraction(above: Written, below: Written) -> Written:
    left = above.markup if above.level <= PRODUCT else f"({above.markup})"
    right = below.markup if below.level == TIGHT else f"({below.markup})"
    return Written(f"{left}/{right}", PRODUCT)


TEXT = Notation(
    glue=lambda *pieces: "".join(pieces),
    sign=TEXT_SIGNS.__getitem__,
    group=lambda inside: f"({inside})",
    fraction=text_fraction,
    square=lambda base: f"{base}²",
    call=lambda function, inside: TEXT_CALLS.get(function, f"{function}({{}})").format(inside),
)


def text_number(number: Decimal) -> Written:
    """
    >>> text_number(Decimal("-0.5"))
    Written(markup='-0.5', level=2)
    """
    return Written(decimal_text(number), SUM if number < 0 else TIGHT)


# LaTeX.

LATEX_SIGNS = {"plus": " + ", "minus": " - ", "times": r" \cdot ", "negative": "-"}
LATEX_CALLS = {
    "sigmoid": r"\sigma({})",
    "tanh": r"\tanh({})",
    "exp": "e^{{{}}}",
    "log": r"\log({})",
    "relu": r"\max({}, 0)",
    "positive": "[{} > 0]",
}

LATEX = Notation(
    glue=lambda *pieces: "".join(pieces),
    sign=LATEX_SIGNS.__getitem__,
    group=lambda inside: f"({inside})",
    fraction=lambda above, below: Written(rf"\frac{{{above.markup}}}{{{below.markup}}}"),
    square=lambda base: f"{base}^2",
    call=lambda function, inside: LATEX_CALLS[function].format(inside),
)


def latex_number(number: Decimal) -> Written:
    """
    >>> latex_number(Decimal("4.4E-7"))
    Written(markup='4.4 \\\\cdot 10^{-7}', level=1)
    """
    digits, _, power = decimal_text(number).partition("e")
    markup = rf"{digits} \cdot 10^{{{power}}}" if power else digits
    return Written(markup, SUM if number < 0 else PRODUCT if power else TIGHT)


def latex_name(name: str) -> Written:
    """
    >>> latex_name("dW1_21").markup
    'dW^{(1)}_{21}'
    """
    return Written(latex_parts(name_parts(name)))


def latex_parts(parts: NameParts) -> str:
    """The layer above, the index below."""
    d, letter, layer, place = parts
    return d + letter + (f"^{{({layer})}}" if layer else "") + (f"_{{{place}}}" if place else "")


# MathML.

MINUS = "\u2212"
MATH_SIGNS = {"plus": "+", "minus": MINUS, "times": "\u22c5", "negative": MINUS}
MATH_CALLS = {"sigmoid": "\u03c3", "tanh": "tanh", "log": "log", "relu": "max", "positive": ""}


def operator(sign: str) -> Html:
    """A sign; a parenthesis is as high as a letter, whatever stands in it."""
    return element("mo", sign, stretchy="false") if sign in "()[]" else element("mo", sign)


def math_piece(markup: str) -> Html:
    """Markup as it is; a number of the formula itself becomes one for MathML."""
    return markup if isinstance(markup, Html) else element("mn", markup)


def math_glue(*pieces: str) -> Html:
    found = [math_piece(piece) for piece in pieces]
    return found[0] if len(found) == 1 else element("mrow", *found)


def math_call(function: str, inside: str) -> Html:
    """σ(z), e^z, max(z, 0), [z > 0]."""
    if function == "exp":
        return element("msup", element("mi", "e"), element("mrow", math_piece(inside)))
    zero = element("mn", "0")
    after = {"relu": (operator(","), zero), "positive": (operator(">"), zero)}.get(function, ())
    left, right = ("[", "]") if function == "positive" else ("(", ")")
    name = [element("mi", MATH_CALLS[function])] if MATH_CALLS[function] else []
    return element("mrow", *name, operator(left), math_piece(inside), *after, operator(right))


MATH = Notation(
    glue=math_glue,
    sign=lambda sign: operator(MATH_SIGNS[sign]),
    group=lambda inside: element("mrow", operator("("), math_piece(inside), operator(")")),
    fraction=lambda above, below: Written(element("mfrac", math_piece(above.markup), math_piece(below.markup))),
    square=lambda base: element("msup", math_piece(base), element("mn", "2")),
    call=math_call,
)


def shown_number(number: Decimal) -> str:
    """A number for the eye: with a real minus, and 4.4·10⁻⁷ for a small one."""
    digits, _, power = decimal_text(number).replace("-", MINUS).partition("e")
    small = power.translate(str.maketrans(MINUS + "0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{digits}·10{small}" if power else digits


def math_number(number: Decimal, kind: str) -> Written:
    """The number as MathML. kind: its class, which gives it its colour."""
    level = SUM if number < 0 else PRODUCT if "·" in shown_number(number) else TIGHT
    return Written(element("mn", shown_number(number), class_=kind), level)


def math_name(name: str, kind: str = "") -> Written:
    """The name as MathML, with its layer above and its index below. kind: as of math_number."""
    d, letter, layer, place = name_parts(name)
    base = element("mi", d + letter)
    below, above = element("mn", place), element("mtext", f"({layer})")
    if layer and place:
        base = element("msubsup", base, below, above)
    elif place:
        base = element("msub", base, below)
    elif layer:
        base = element("msup", base, above)
    return Written(element("mrow", base, class_=kind or False))


IN_TEXT = re.compile(r"\b(d?[A-Za-z]\d*_\d+|d?[Wbzh]\d+)\b")  # in a sentence: one number, or a whole layer's
