"""The objects that an object of somebody's keeps: a network its layers."""

from typing import Any

from handgrad.source.libraries import is_users

MOST_HELD = 60  # objects, and entries of one list


def objects_held(value: Any) -> list[Any]:
    """Those of somebody's own classes in its attributes, and in theirs; in lists and dictionaries there as well.

    >>> objects_held([1.0])
    []
    """
    found, seen = list[Any](), {id(value)}
    waiting = list(getattr(value, "__dict__", {}).values())
    while waiting and len(found) < MOST_HELD:
        one = waiting.pop(0)
        if id(one) in seen or isinstance(one, type):
            continue
        seen.add(id(one))
        if isinstance(one, dict | list | tuple):
            waiting += one.values() if isinstance(one, dict) else one[:MOST_HELD]
        elif is_users(type(one)):
            found.append(one)
            waiting += getattr(one, "__dict__", {}).values()
    return found


def kinds_held(value: Any) -> list[type]:
    """Their classes, each once."""
    return list(dict.fromkeys(map(type, objects_held(value))))
