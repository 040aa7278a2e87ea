"""`handgrad completion`: the script in the shell itself, asked as TAB asks it."""

import shutil
import subprocess
from collections.abc import Callable

import pytest

from handgrad.cli import COMMANDS, main

TAB = "COMP_WORDS=(handgrad {line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _handgrad; echo ${{COMPREPLY[@]}}"


@pytest.fixture
def script(capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """The script for a shell, as it is printed."""

    def printed(shell: str) -> str:
        assert main(["completion", shell]) == 0
        return capsys.readouterr().out

    return printed


def in_shell(shell: str, code: str) -> str:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    return subprocess.run([shell, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("ve", "verify"),
        ("''", " ".join(COMMANDS)),
        ("lectures ''", "lee ando_ki banerjee eum selker mazur scikit_learn"),
        ("lectures se", "selker"),
        ("lectures --err", "--errata"),
        ("verify --activation ta", "tanh"),
        ("check --dtype b", "bfloat16"),
        ("check ''", ""),  # files
        ("check --json ''", ""),
        ("verify -v --lo", "--loss"),
        ("completion f", "fish"),
    ],
)
def test_bash(script: Callable[[str], str], line: str, offered: str) -> None:
    assert in_shell("bash", script("bash") + TAB.format(line=line)).strip() == offered


def test_zsh_takes_the_same_function(script: Callable[[str], str]) -> None:
    assert script("zsh").split("\n", 1)[1] == script("bash")
    assert in_shell("zsh", f"{script('zsh')}; which _handgrad").startswith("_handgrad () {")


def test_fish(script: Callable[[str], str]) -> None:
    asked = "lectures se", "verify --activation ta", "ve"
    code = script("fish") + "\n".join(f"complete -C 'handgrad {line}'" for line in asked)
    assert in_shell("fish", code).split() == ["selker", "tanh", "verify"]


def test_an_unknown_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["completion", "csh"])
    assert stop.value.code == 2
    assert "invalid choice: 'csh'" in capsys.readouterr().err
