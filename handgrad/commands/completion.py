"""`handgrad completion`: a script with which TAB completes commands, options and their choices, for bash, zsh or fish.

The script is made once and has every word in it, so that TAB starts no Python.
"""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Commands: TypeAlias = Mapping[str, argparse.ArgumentParser]

# What stands before the word, and the word itself, choose what is offered; files where nothing is.
BASH = """\
_handgrad() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} offered=""
    if [ "$COMP_CWORD" -eq 1 ]; then
        offered="{commands}"
    else
        case "${{COMP_WORDS[1]}} ${{COMP_WORDS[COMP_CWORD-1]}} $word" in
{cases}
        esac
    fi
    COMPREPLY=($(compgen -W "$offered" -- "$word"))
}}
complete -o default -F _handgrad handgrad"""


def add_parser(commands: Any) -> None:
    """Add `completion` to the command line."""
    completion = commands.add_parser(
        "completion",
        help="print a script with which TAB completes handgrad's commands in your shell",
        description="Print a script with which TAB completes handgrad's commands, options and their choices. For bash "
        'and zsh put eval "$(handgrad completion bash)" into ~/.bashrc, or the same with zsh into ~/.zshrc. For fish: '
        "handgrad completion fish > ~/.config/fish/completions/handgrad.fish",
    )
    completion.add_argument("shell", choices=SCRIPTS, help="your shell")
    completion.set_defaults(run=run, parser=completion, commands=commands)


def run(args: argparse.Namespace) -> int:
    """`handgrad completion bash|zsh|fish`."""
    print(SCRIPTS[args.shell](args.commands.choices))
    return 0


def bash(commands: Commands) -> str:
    """A function that bash calls at TAB."""
    cases = [f"            {line}" for name, parser in commands.items() for line in bash_cases(name, parser)]
    return BASH.format(commands=" ".join(commands), cases="\n".join(cases))


def bash_cases(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    """What is offered after an option that takes a value, after a dash, and where neither is."""
    for option in options(parser):
        if option.nargs != 0:
            before = "|".join(f'"{name} {word} "*' for word in option.option_strings)
            yield f'{before}) offered="{choices(option)}" ;;'
    words = " ".join(word for option in options(parser) for word in option.option_strings)
    yield f'"{name} "*" -"*) offered="{words}" ;;'
    yield f'"{name} "*) offered="{" ".join(map(choices, positionals(parser)))}" ;;'


def zsh(commands: Commands) -> str:
    """The same for zsh, which can take bash's."""
    return f"autoload -Uz compinit bashcompinit && compinit && bashcompinit\n{bash(commands)}"


def fish(commands: Commands) -> str:
    """A line for each command, option and list of choices."""
    lines = []
    for name, parser in commands.items():
        lines.append(f"complete -c handgrad -n __fish_use_subcommand -f -a {name}")
        start = f"complete -c handgrad -n '__fish_seen_subcommand_from {name}'"
        for option in options(parser):
            words = " ".join(f"-l {w[2:]}" if w.startswith("--") else f"-s {w[1:]}" for w in option.option_strings)
            takes = "" if option.nargs == 0 else f" -x -a '{choices(option)}'" if option.choices else " -r"
            lines.append(f"{start} {words}{takes}")
        lines += [f"{start} -f -a '{choices(each)}'" for each in positionals(parser) if each.choices]
    return "\n".join(lines)


def options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The arguments that begin with a dash."""
    return [action for action in parser._actions if action.option_strings]


def positionals(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The arguments that do not."""
    return [action for action in parser._actions if not action.option_strings]


def choices(action: argparse.Action) -> str:
    """The words that it may be, "" where it may be any."""
    return " ".join(map(str, action.choices or ()))


SCRIPTS = {"bash": bash, "zsh": zsh, "fish": fish}
