"""docs/worked_examples.md: its commands are run, and print what stands there; its table has every example."""

import re
from pathlib import Path

import pytest

from handgrad.cli import main
from handgrad.worked.example import MOST_LAYERS, MOST_UNITS
from handgrad.worked.lectures import SOURCES

PAGE = Path(__file__).parents[1] / "docs" / "worked_examples.md"
TEXT = PAGE.read_text("utf-8")
COMMANDS = re.findall(r"```console\n\$ handgrad (.*?)\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize(("command", "printed"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_a_command_prints_what_the_page_says(
    command: str, printed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for content in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL):
        Path("net.json").write_text(content, "utf-8")
    assert main(command.split()) == 0
    pattern = ".*".join(re.escape(part) for part in re.split(r"^\.\.\.\n", printed, flags=re.MULTILINE))
    out = capsys.readouterr().out
    assert re.fullmatch(pattern, out, re.DOTALL), out


def test_the_table_and_the_limits_are_the_codes() -> None:
    table = TEXT.partition("## Which numbers\n")[2].partition("\n## ")[0]
    assert dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE)) == {
        name: source.title for name, source in SOURCES.items()
    }
    assert f"at most {MOST_LAYERS} layers, {MOST_UNITS} units in each and {MOST_UNITS} inputs" in " ".join(TEXT.split())
