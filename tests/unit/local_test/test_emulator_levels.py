"""The report by levels: what a fault means, the exit code, and which groups a role leaves."""

import json

import pytest

from sagemaker_emulator.checks import CHECKS, GROUPS
from sagemaker_emulator.command import EXIT_CODES, main, parser, wanted
from sagemaker_emulator.level import Level
from sagemaker_emulator.report import Outcome, Report, as_json, as_table, verdict, worst


def test_the_table_has_a_row_for_each_check_and_remedies_below_faults():
    """Verdict, check, platform, seen, grouped by level, faults first; what was not reached counts as a failure."""
    report = Report(["stop", "spot"])
    report.judge("stop.ends", True, "exit code 0 after 1.0 s")
    report.judge("stop.saves", False, "no model, " + "and a long story about it " * 5)
    report.judge("spot.same-model", False, "other bits")
    report.skip("spot.resumes", "no progress in the log")
    findings = report.findings()
    table = as_table(findings, 100)
    assert max(map(len, table.splitlines())) <= 100
    assert [
        line.split()[:2] for line in table.splitlines() if line[:4].strip().isupper() and "." in line[:30]
    ] == [
        ["FAIL", "stop.saves"],
        ["FAIL", "spot.checkpoints"],
        ["FAIL", "spot.completes"],
        ["FAIL", "spot.restart-completed"],
        ["PASS", "stop.ends"],
        ["SKIP", "spot.resumes"],
        ["WARN", "spot.same-model"],
    ]
    assert [line for line in table.splitlines() if " of " in line and line.partition(":")[0].isupper()] == [
        "IT WILL COST YOU: 4 of 6",
        "GOOD PRACTICE: 1 of 1",
    ]
    assert table.count("→") == 5
    assert (
        "\n1 PASS, 4 FAIL, 1 WARN, 1 SKIP\nSageMaker runs this image, but it will cost you: stop.saves"
        in table
    )
    assert not report.is_conformant()
    document = json.loads(as_json("an-image:1", findings))
    assert (document["conformant"], document["worst"]) == (False, "costs")
    assert [row["check"] for row in document["checks"]] == [finding.check.name for finding in findings]


def test_warnings_and_skips_do_not_count():
    """Only a failure of what SageMaker asks of everybody makes an image fail."""
    report = Report(["stop"])
    report.judge("stop.ends", True, "")
    report.skip("stop.saves", "")
    assert report.is_conformant()
    assert not report.is_conformant(is_strict=True)
    report.close(["stop.ends", "stop.saves"], "the check broke")
    assert [finding.outcome for finding in report.findings()] == [Outcome.PASS, Outcome.SKIP]


@pytest.mark.parametrize(
    ("judged", "level", "code", "sentence"),
    [
        ({}, None, 0, "SageMaker runs this image."),
        ({"serve.writes": None}, Level.PRACTICE, 0, "Against good practice: serve.writes."),
        ({"serve.writes": None, "serve.stop": None}, Level.COSTS, 3, "but it will cost you: serve.stop."),
        ({"serve.stop": None, "serve.starts": None}, Level.REFUSES, 1, "or part of it: serve.starts."),
        ({"serve.bind-port": Level.COSTS}, Level.COSTS, 3, "but it will cost you: serve.bind-port."),
    ],
)
def test_the_gravest_level_decides(judged, level, code, sentence):
    """The exit code and the last sentence; a check may judge its own fault to be graver or less grave."""
    report = Report(["serve"])
    for name in (name for name in CHECKS if name.startswith("serve.")):
        report.judge(name, name not in judged, "", judged.get(name))
    findings = report.findings()
    assert worst(findings) is level
    assert EXIT_CODES[worst(findings)] == code
    assert verdict(findings).endswith(sentence)


@pytest.mark.parametrize(
    ("flags", "groups"),
    [
        ([], set(GROUPS)),
        (["--hosts", "1"], set(GROUPS) - {"hosts"}),
        (["--role", "train"], {"image", "train", "stop", "spot", "hosts"}),
        (["--role", "serve"], {"image", "serve", "clients", "batch"}),
        (["--role", "train", "--hosts", "1", "--only", "hosts,train"], {"train"}),
    ],
)
def test_roles_and_hosts_choose_the_groups(flags, groups):
    """An image that only trains is not asked to serve, and one host loses no other."""
    assert wanted(parser().parse_args(["an-image", *flags])) == groups


def test_a_choice_that_leaves_nothing_is_refused(capsys):
    """--only of what the role leaves out."""
    with pytest.raises(SystemExit):
        main(["an-image", "--role", "train", "--only", "serve"])
    assert "--only names no group that --role train" in capsys.readouterr().err
