"""An operator of torch.library.custom_op: torch's own opcheck says whether it is registered as torch expects it."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from torch.library import CustomOpDef, opcheck  # type: ignore[attr-defined]

from handgrad.judge.isolation import attempt
from handgrad.judge.promises import Contract, Promise

QUICK = ("test_schema", "test_autograd_registration", "test_faketensor")
TRACED = "test_aot_dispatch_dynamic"  # imports torch's whole compiler, which takes seconds
WORDS = {
    "test_schema": "writes into an argument, or returns one, and its schema does not say so (mutates_args)",
    "test_autograd_registration": "does not register its backward pass with register_autograd",
    "test_faketensor": "has no right register_fake, which torch.compile needs",
    TRACED: "gives something else when torch.compile traces it",
}


def is_operator(forward: Any) -> TypeGuard[CustomOpDef]:
    """Whether it is what torch.library.custom_op gives."""
    return isinstance(forward, CustomOpDef)


def is_registered(operator: Any, args: Sequence[Any], named: Mapping[str, Any], *, traced: bool) -> Contract:
    """The operator on these arguments, of which those with a gradient require one. traced: under torch.compile too."""
    tests = (*QUICK, TRACED) if traced else QUICK
    found = attempt(opcheck, operator, tuple(args), dict(named), test_utils=tests, raise_exception=False)
    if found.value is None:
        return Contract(Promise.REGISTERED, None, f"opcheck raises {type(found.error).__name__}: {found.error}")
    failed = {test: result for test, result in found.value.items() if result != "SUCCESS"}
    if not failed:
        return Contract(Promise.REGISTERED, True)
    test, result = next(iter(failed.items()))
    first = " ".join(str(result).split("\n\n")[0].split())
    return Contract(Promise.REGISTERED, False, f"torch.library.opcheck, {test}: {first}", WORDS[test])
