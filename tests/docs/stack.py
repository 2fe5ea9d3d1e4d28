"""Write the CloudFormation template from the policies of docker/iam: `python tests/docs/stack.py`."""

import json
import re
from pathlib import Path
from typing import Any

IAM = Path(__file__).resolve().parents[2] / "docker" / "iam"
TEMPLATE = IAM / "cloudformation.json"
# What CloudFormation knows, or asks for, instead of the placeholders that `make policies` fills in.
_NAMES = {
    "ACCOUNT": "AWS::AccountId",
    "BUCKET_OWNER": "AWS::AccountId",
    "PARTITION": "AWS::Partition",
    "REGION": "AWS::Region",
    "BUCKET": "Bucket",
    "PREFIX": "Prefix",
    "REPOSITORY": "Repository",
    "NAME": "Name",
}


def policy(name: str) -> Any:
    """Return a policy of docker/iam with CloudFormation's placeholders."""
    return _substituted(json.loads((IAM / f"{name}.json").read_text(encoding="utf-8")))


def _substituted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _substituted(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_substituted(one) for one in value]
    named = re.sub(r"\$([A-Z_]+)", lambda found: f"${{{_NAMES[found[1]]}}}", value)
    return value if named == value else {"Fn::Sub": named}


def _parameter(default: str, pattern: str, description: str) -> dict[str, str]:
    common = {"Type": "String", "AllowedPattern": pattern, "Description": description}
    return common | ({"Default": default} if default else {})


def _role(use: str) -> dict[str, Any]:
    policies = [{"PolicyName": f"{use}-role", "PolicyDocument": policy(f"{use}-role")}]
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": {"Fn::Sub": f"${{Name}}-{use}"},
            "AssumeRolePolicyDocument": policy("trust"),
            "Policies": policies,
        },
    }


def _managed(who: str, description: str) -> dict[str, Any]:
    properties = {
        "ManagedPolicyName": {"Fn::Sub": f"${{Name}}-{who}"},
        "Description": description,
        "PolicyDocument": policy(who),
    }
    return {"Type": "AWS::IAM::ManagedPolicy", "Properties": properties}


def _bucket() -> dict[str, Any]:
    """Return the bucket, which stays when the stack goes: private, encrypted, without halves of uploads."""
    rule = {"Id": "EndUploadsThatBrokeOff", "Status": "Enabled",
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}  # fmt: skip
    closed = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    encryption = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    return {
        "Type": "AWS::S3::Bucket",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "BucketName": {"Ref": "Bucket"},
            "PublicAccessBlockConfiguration": dict.fromkeys(closed, True),
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "BucketEncryption": {"ServerSideEncryptionConfiguration": [encryption]},
            "LifecycleConfiguration": {"Rules": [rule]},
        },
    }


def _only_tls() -> dict[str, Any]:
    arn = "arn:${AWS::Partition}:s3:::${DataBucket}"
    statement = {
        "Sid": "OnlyEncryptedConnections",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [{"Fn::Sub": arn}, {"Fn::Sub": f"{arn}/*"}],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {"Bucket": {"Ref": "DataBucket"}, "PolicyDocument": document},
    }


def _repository() -> dict[str, Any]:
    """Return the repository as `make push` creates it."""
    return {
        "Type": "AWS::ECR::Repository",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "RepositoryName": {"Ref": "Repository"},
            "ImageTagMutability": "IMMUTABLE",
            "ImageScanningConfiguration": {"ScanOnPush": True},
        },
    }


def _output(value: Any, description: str) -> dict[str, Any]:
    return {"Value": value, "Description": description}


def template() -> dict[str, Any]:
    """Return the template: bucket, repository, the two roles, and the policies for people."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Bucket, repository, roles and policy for the BERT classifier; from docker/iam.",
        "Parameters": {
            "Name": _parameter(
                "bert-classifier", "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,39}",
                "Prefix of the names of jobs, endpoints and the two roles.",
            ),
            "Bucket": _parameter(
                "", "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "Name of the new bucket for data, models and outputs.",
            ),
            "Prefix": _parameter(
                "bert-classifier", "[a-zA-Z0-9._/-]*[a-zA-Z0-9._-]", "Folder in it: S3_PREFIX=s3://Bucket/Prefix."
            ),
            "Repository": _parameter(
                "bert-classifier", "[a-z0-9]+([._/-][a-z0-9]+)*", "Name of the new repository for the image."
            ),
        },
        "Resources": {
            "DataBucket": _bucket(),
            "DataBucketPolicy": _only_tls(),
            "ImageRepository": _repository(),
            "TrainingRole": _role("training"),
            "ServingRole": _role("serving"),
            "DeveloperPolicy": _managed("developer", "For whoever runs the launcher."),
            "ApproverPolicy": _managed("approver", "For whoever approves or rejects registered models."),
        },
        "Outputs": {
            "TrainingRole": _output({"Fn::GetAtt": ["TrainingRole", "Arn"]}, "ROLE of train and train-spot."),
            "ServingRole": _output({"Fn::GetAtt": ["ServingRole", "Arn"]}, "ROLE of deploy and batch-transform."),
            "DeveloperPolicy": _output({"Ref": "DeveloperPolicy"}, "Attach it to whoever runs the launcher."),
            "ApproverPolicy": _output({"Ref": "ApproverPolicy"}, "Attach it to whoever approves or rejects models."),
            "S3Prefix": _output({"Fn::Sub": "s3://${Bucket}/${Prefix}"}, "S3_PREFIX of all commands."),
            "RepositoryUri": _output({"Fn::GetAtt": ["ImageRepository", "RepositoryUri"]}, "Where push puts images."),
        },
    }  # fmt: skip


def text() -> str:
    """Return the template as it is in the repository."""
    return json.dumps(template(), indent=2) + "\n"


if __name__ == "__main__":
    TEMPLATE.write_text(text(), encoding="utf-8")
