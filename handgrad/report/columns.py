"""How wide the columns of a table are, where rich would cut numbers in two."""

from collections.abc import Sequence

GAP = 2  # blanks between two columns


def share_width(width: int, least: Sequence[int], most: Sequence[int]) -> list[int]:
    """Each column's least width, and of what is left, to the narrowest first, no more than it can use.

    >>> share_width(20, least=[3, 5, 2], most=[30, 5, 4])
    [7, 5, 4]
    """
    widths = list(least)
    left = width - GAP * (len(widths) - 1) - sum(widths)
    while left > 0 and (wanting := [i for i, most_used in enumerate(most) if widths[i] < most_used]):
        widths[min(wanting, key=lambda i: widths[i])] += 1
        left -= 1
    return widths
