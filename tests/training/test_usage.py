"""What a user who mistypes something, or asks what there is, gets to see."""

import inspect
import re

import pytest

from tests.training.conftest import error_line
from training.campaign import CAMPAIGNS
from training.cli import main
from training.recipes import RECIPES
from training.usage import options_in


class TestUsage:
    @pytest.mark.parametrize("arguments", [[], ["--data", "x"]])
    def test_wrong_usage_is_2(self, capsys: pytest.CaptureFixture[str], arguments: list[str]):
        assert main(arguments) == 2
        assert error_line(capsys).startswith("usage: python -m training {train,resume,")

    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            ("evalute", "'evalute'; did you mean evaluate? 'python -m training --help' lists them"),
            ("fly", "'fly'; 'python -m training --help' lists them"),
        ],
    )
    def test_a_mistyped_command(self, capsys: pytest.CaptureFixture[str], typed: str, said: str):
        assert main([typed]) == 2
        assert error_line(capsys).startswith(f"training: there is no command {said}")

    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            (
                "train bundeld --data x",
                "no recipe is called 'bundeld'; did you mean bundled? There are quick, bundled,",
            ),
            ("train", "name a recipe first; there are quick, bundled,"),
            ("train --epochs 3 quick", "name a recipe first; there are quick, bundled,"),
            ("train quick --epohcs 3", "has no option --epohcs; did you mean --optimization.epochs? 'python"),
            ("campaign ablatoin --data x", "no campaign is called 'ablatoin'; did you mean ablation? There are"),
            (
                "train bundled --data x --optimization.epoch 3",
                "'python -m training train bundled' has no option --optimization.epoch; did you mean "
                "--optimization.epochs? 'python -m training train bundled --help' lists them",
            ),
            (
                "train bundled --batch_size=3",
                "train bundled' has no option --batch_size; did you mean --optimization.batch-size?",
            ),
            ("train quick --network.no-compct", "no option --network.no-compct; did you mean --network.no-compact?"),
            ("evaluate run --dta x", "'python -m training evaluate' has no option --dta; did you mean --data? 'python"),
            ("audit --data=", "an argument is empty"),
            ("audit --data x --colour", "'python -m training audit' has no option --colour; 'python -m"),
        ],
    )
    def test_a_mistyped_option_or_recipe(self, capsys: pytest.CaptureFixture[str], typed: str, said: str):
        with pytest.raises(SystemExit) as left:
            main(typed.split())
        assert left.value.code == 2
        assert said in error_line(capsys)

    @pytest.mark.parametrize("name", ["quick", "emonext"])
    def test_every_setting_of_a_recipe_is_known(self, capsys: pytest.CaptureFixture[str], name: str):
        """What the check takes for an option is what tyro takes for one."""
        with pytest.raises(SystemExit):
            main(["train", name, "--help"])
        shown = set(re.findall(r"--[a-z][a-z.-]+", capsys.readouterr().out))
        assert set(options_in(RECIPES[name]())) <= shown

    @pytest.mark.parametrize(
        "arguments",
        [
            ["train", "bundled"],
            ["train", "unknown", "--data", "x"],
            ["train", "bundled", "--data", "x", "--optimization.epoch", "3"],
            ["train", "bundled", "--data", "x", "--optimization.epochs", "many"],
            ["audit"],
            ["resume"],
            ["evaluate", "run", "--split", "train"],
            ["recipes", "more"],
        ],
    )
    def test_wrong_arguments_are_2(self, capsys: pytest.CaptureFixture[str], arguments: list[str]):
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 2
        assert "Traceback" not in capsys.readouterr().err

    @pytest.mark.parametrize("arguments", [["--help"], ["-h"]])
    def test_help(self, capsys: pytest.CaptureFixture[str], arguments: list[str]):
        assert main(arguments) == 0
        said = capsys.readouterr().out
        assert said.startswith("usage: python -m training COMMAND")
        assert "  train     Train a network by a recipe, to a results folder.\n" in said
        assert "  audit     Count identical and nearly identical images within" in said

    @pytest.mark.parametrize("command", ["resume", "evaluate", "latency", "compare", "audit", "recipes"])
    def test_help_of_a_command(self, capsys: pytest.CaptureFixture[str], command: str):
        with pytest.raises(SystemExit) as left:
            main([command, "--help"])
        assert left.value.code == 0
        assert f"python -m training {command}" in capsys.readouterr().out


def test_campaigns_are_listed(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["campaign", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for name in CAMPAIGNS:
        assert f" {name} " in said
    assert "C1 to C6 by the recipe strong" in said


def test_recipes_are_listed_by_train(capsys: pytest.CaptureFixture[str]):
    assert main(["train", "--help"]) == 0
    printed = capsys.readouterr().out
    for name in ("quick", "bundled", "strong", "paper", "upstream", "emonext"):
        assert name in RECIPES
        assert name in printed
        assert str(inspect.getdoc(RECIPES[name])).split()[0] in printed


@pytest.mark.parametrize(
    "words", [["audit", "--data", ""], ["evaluate", "", "--data", "x"], ["train", "bundled", "--data", " "]]
)
def test_an_empty_word_is_not_the_working_directory(capsys: pytest.CaptureFixture[str], words: list[str]):
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert "is a variable not set?" in error_line(capsys)
