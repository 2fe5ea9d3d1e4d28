"""The CloudFormation template: it has the policies of docker/iam, and what the launcher makes is made likewise."""

import json

from docs.stack import TEMPLATE, policy, text
from support.source_tree import ROOT

MOST_OF_A_MANAGED_POLICY = 6144  # characters, without blanks
MOST_OF_A_ROLES_POLICIES = 10_240


def test_the_template_is_made_from_the_policies():
    """`python tests/docs/stack.py` writes it anew."""
    assert TEMPLATE.read_text(encoding="utf-8") == text(), "run python tests/docs/stack.py"


def test_no_placeholder_is_left_and_iam_takes_the_sizes():
    """Every name is a parameter or one of CloudFormation's own."""
    template = json.loads(text())
    assert "$" not in text().replace("${", "")
    for name, most in (("developer", MOST_OF_A_MANAGED_POLICY), ("training-role", MOST_OF_A_ROLES_POLICIES)):
        assert len(json.dumps(policy(name), separators=(",", ":"))) < most
    resources = template["Resources"]
    for who in ("developer", "approver"):
        assert resources[f"{who.title()}Policy"]["Properties"]["PolicyDocument"] == policy(who)
    for use in ("training", "serving"):
        properties = resources[f"{use.title()}Role"]["Properties"]
        assert properties["AssumeRolePolicyDocument"] == policy("trust")
        assert properties["Policies"] == [
            {"PolicyName": f"{use}-role", "PolicyDocument": policy(f"{use}-role")}
        ]
    for name in ("DataBucket", "ImageRepository"):
        assert resources[name]["DeletionPolicy"] == "Retain"  # data and models outlive the stack


def test_the_repository_is_as_push_makes_it():
    """One of them would refuse what the other allows."""
    source = (ROOT / "docker" / "launcher" / "aws" / "ecr.py").read_text(encoding="utf-8")
    properties = json.loads(text())["Resources"]["ImageRepository"]["Properties"]
    assert f'imageTagMutability="{properties["ImageTagMutability"]}"' in source
    assert ('"scanOnPush": True' in source) == properties["ImageScanningConfiguration"]["ScanOnPush"]
