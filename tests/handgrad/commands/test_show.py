"""`handgrad show` as a user meets it: the text, the files, what is refused."""

import json
from pathlib import Path

import pytest

from handgrad.cli import main


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_text_and_every_file(capsys: pytest.CaptureFixture[str]) -> None:
    command = "show --layers 2,2,2 --activation sigmoid --values mazur --html a.html --latex a.tex --key a.json"
    assert main(command.split()) == 0
    out = capsys.readouterr().out
    assert "  z1_1 = W1_11·x_1 + W1_12·x_2 + b1_1\n       = 0.15·0.05 + 0.2·0.1 + 0.35\n       = 0.3775\n" in out
    assert Path("a.html").read_text("utf-8").startswith("<!doctype html>")
    assert r"\documentclass" in Path("a.tex").read_text("utf-8")
    key = json.loads(Path("a.json").read_text("utf-8"))
    assert key["title"] == "Mazur's example, 2-2-2"
    assert {"name", "value", "tolerance"} <= key["quantities"][0].keys()


def test_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "--values", "selker", "--blanks", "--html", "a.html", "--latex", "a.tex"]) == 0
    assert "h2_1   = ______________  (" in capsys.readouterr().out
    assert 'class="blank"' in Path("a.html").read_text("utf-8")
    assert r"\blank" in Path("a.tex").read_text("utf-8").partition(r"\begin{document}")[2]


def test_a_network_drawn_at_random_and_one_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "--layers", "1,2", "--loss", "cross_entropy", "--seed", "3"]) == 0
    assert "p_1 = exp(z1_1)/(exp(z1_1) + exp(z1_2))" in capsys.readouterr().out
    Path("net.json").write_text('{"W1": [[2.0]], "x": [3.0], "t": [5.0], "activation": "identity"}')
    assert main(["show", "--values", "net.json"]) == 0
    assert "dW1_11 = dz1_1·x_1\n         = 1·3\n         = 3\n" in capsys.readouterr().out


WRONG = {
    "--values nobody": "--values is 'nobody', expected one of lee, ando_ki",
    "--values none.json": "none.json: No such file or directory",
    "--layers 2,x": "--layers is '2,x', expected sizes such as 2,2,1",
    "--layers 2": "--layers is '2', expected sizes such as 2,2,1",
    "--layers 64,32,10": "layers: 64-32-10 is too big to draw with every number on it; at most 4 layers of at most 6",
    "--layers 2,2,2,2,2,2": "is too big to draw",
    "--values mazur --layers 2,3,2": "--layers is 2,3,2, but mazur has 2,2,2; leave --layers out",
    "--values mazur --activation tanh": "--activation is tanh, but mazur has sigmoid; leave --activation out",
    "--values mazur --loss mse": "--loss is mse, but mazur has half; leave --loss out",
    "--values mazur --seed 1": "--seed is for numbers drawn at random",
    "--seed -1": "--seed is -1, expected a whole number, 0 or more",
    "--html no/such/folder.html": "there is no folder",
    "--html a --latex ./a": "--html and --latex are both a; give each its own file",
}


@pytest.mark.parametrize("options", WRONG)
def test_what_is_refused(options: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["show", *options.split()])
    assert stop.value.code == 2
    assert WRONG[options] in " ".join(capsys.readouterr().err.split())
