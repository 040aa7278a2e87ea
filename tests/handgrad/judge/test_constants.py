"""The table of chosen constants: complete, with a reason each."""

from handgrad.judge import constants


def test_every_constant_has_a_reason_and_every_reason_a_constant() -> None:
    numbers = {
        name for name, value in vars(constants).items() if isinstance(value, int | float | tuple) and name.isupper()
    }
    assert numbers == set(constants.REASONS)
    assert all(reason.why for reason in constants.REASONS.values())
