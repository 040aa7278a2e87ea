"""A tensor as pictures, by hand, by autograd and their difference, with its worst entries as numbers."""

import numpy as np

from handgrad.html.element import Html, element, table
from handgrad.html.picture import Scale, draw
from handgrad.report.entries import Entries

WORST = 3  # entries whose numbers are written out
LEGEND = (
    "Every square is an entry. By hand, autograd and their difference on one scale: blue below zero, orange above. "
    "Of bound: the difference beside its rounding bound, blue inside, red outside."
)


def show_entries(name: str, e: Entries) -> Html:
    """Both sides and their difference; the numbers of the entries that are furthest off."""
    largest = float(np.max(np.abs([e.hand, e.reference]), where=np.isfinite([e.hand, e.reference]), initial=0.0))
    size, outside = largest or 1.0, int((e.ratio > 1).sum())
    with np.errstate(all="ignore"):
        apart = (e.hand - e.reference) / size
    pictures = {
        "by hand": draw(e.hand / size, Scale.SIGNED, f"{name} by hand"),
        "autograd": draw(e.reference / size, Scale.SIGNED, f"{name} by autograd"),
        "difference": draw(apart, Scale.SIGNED, f"{name} by hand less {name} by autograd"),
        "of bound": draw(e.ratio, Scale.SHARE, f"{name}: {outside} of {e.ratio.size} entries outside their bound"),
    }
    maps = [element("div", words, picture) for words, picture in pictures.items() if outside or words != "difference"]
    span = f"from -{largest:.3g} to {largest:.3g}" if largest else "is zero throughout"
    each = f", each the worst of {e.block[0]} by {e.block[1]}" if e.block != (1, 1) else ""
    caption = element("figcaption", element("strong", name), f" {span}{each}")
    rows = element("div", *maps, class_="maps", style=f"--rows:{e.hand.shape[0]}")
    return element("figure", caption, rows, worst_entries(e))


def worst_entries(e: Entries) -> Html:
    """The entries that are furthest off, as text: where in the tensor; of blocks, where in the picture."""
    whole = e.block == (1, 1)
    rows = []
    for flat in np.argsort(np.where(np.isnan(e.ratio), -1.0, e.ratio), axis=None)[::-1][:WORST]:
        i, j = (int(k) for k in np.unravel_index(int(flat), e.ratio.shape))
        hand, right = float(e.hand[i, j]), float(e.reference[i, j])
        at = np.unravel_index(int(flat), e.shape if whole else e.ratio.shape)
        where = ",".join(str(int(k)) for k in at) or "-"
        rows.append((where, f"{hand:.9g}", f"{right:.9g}", f"{distance(e, i, j):.2g}", f"{e.ratio[i, j]:.2g}"))
    titles = ("at" if whole else "row, column", "by hand", "autograd", "difference", "of bound")
    return table(titles, rows, numbers=titles[1:])


def distance(e: Entries, i: int, j: int) -> float:
    """How far one entry is off; nan where one side is."""
    with np.errstate(all="ignore"):
        return float(np.abs(e.hand[i, j] - e.reference[i, j]))
