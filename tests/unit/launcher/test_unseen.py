"""What AWS does not tell or permit: taken as given with a doubt, or refused; and what depends on the partition."""

import re

import pytest
from botocore.retries.standard import ExponentialBackoff

from bert_classifier.errors import UserError
from bert_classifier.job.findings import Severity
from launcher.aws.account import Account
from launcher.aws.ecr import ImageName, image_uri
from launcher.aws.model import artifact_of
from launcher.aws.s3 import Location, look
from launcher.checks.account import Needs, check_role
from launcher.checks.model import find_artifact
from launcher.checks.training import find_channels
from launcher.findings import examine
from launcher.inputs.channels import S3Channel, channels_of
from launcher.inputs.transform import check_input, input_of
from launcher.settings.account import AccountSettings
from launcher.settings.inference import DeploySettings, TransformSettings
from launcher.settings.training import TrainSettings
from support.aws import ACCOUNT, BUCKET, ROLE, Aws
from support.aws_stand_in import Answer, s3_error


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch):
    """Let the AWS library repeat requests as often as ever, but at once."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)


def speaking_to(aws: Aws, monkeypatch: pytest.MonkeyPatch, region: str = "") -> Account:
    """Return an account as the launcher sees it."""
    for name, value in aws.environ.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    return Account(AccountSettings(region=region))


@pytest.fixture
def closed(aws, monkeypatch):
    """Return the account where nobody but a role may look into the bucket."""
    with aws.answering(**{f"GET /{BUCKET}?list": s3_error("AccessDenied", 403)}) as here:
        yield speaking_to(here, monkeypatch)


def test_channels_that_only_the_role_may_read_are_taken_as_given(closed):
    """Each of them, with a doubt: none is lost, whatever else is given."""
    given = TrainSettings(train=f"s3://{BUCKET}/in", validation=f"s3://{BUCKET}/val.csv")
    channels = channels_of(given, closed)
    locations = [channel.location.uri for channel in channels if isinstance(channel, S3Channel)]
    assert locations == [f"s3://{BUCKET}/in/", f"s3://{BUCKET}/val.csv"]
    (doubt,) = channels[0].findings()
    assert doubt.severity is Severity.WARNING
    assert "used as given" in doubt.message


@pytest.mark.parametrize(
    ("answer", "settings", "expected"),
    [
        (s3_error("AccessDenied", 403), {"s3_data": f"s3://{BUCKET}/all"}, "name the channels: TRAIN"),
        (s3_error("SlowDown", 503), {"train": f"s3://{BUCKET}/in"}, "Try again in a minute."),
    ],
)
def test_a_job_whose_data_nobody_could_tell_is_refused(aws, monkeypatch, answer, settings, expected):
    """A job without the channels that were asked for is another job."""
    with aws.answering(**{f"GET /{BUCKET}?list": answer}) as here:
        channels, findings = find_channels(TrainSettings(**settings), speaking_to(here, monkeypatch))
    assert channels == []
    (failure,) = findings
    assert failure.severity is Severity.ERROR
    assert expected in failure.remedy


def test_texts_that_only_the_role_may_read_are_taken_as_given(closed, tmp_path):
    """If CONTENT_TYPE is given."""
    there = f"s3://{BUCKET}/texts"
    settings = TransformSettings(input=there, content_type="text/plain")
    found = input_of(settings, Location(BUCKET, "mine/"), closed, tmp_path)
    assert (found.location.uri, found.names) == (f"s3://{BUCKET}/texts/", None)
    assert [one.severity for one in check_input(settings, found)] == [Severity.WARNING]
    with pytest.raises(UserError, match="are unknown"):
        input_of(TransformSettings(input=there), Location(BUCKET, "mine/"), closed, tmp_path)


@pytest.mark.parametrize(
    ("uri", "cause"),
    [
        ("s3://", "s3:// names no bucket: '' is not 3 to 255 letters"),
        ("s3:///in", "s3:///in names no bucket: '' is not 3 to 255 letters"),
        ("s3://a/in", "s3://a/in names no bucket: 'a' is not"),
        ("s3://arn:aws:s3:us-east-1:1:accesspoint/a/in", "names no bucket: 'arn:aws:s3:us-east-1:1:accesspoint'"),
        (f"s3://{BUCKET}/../in", "/../in has . or .. between slashes, which S3 takes as names"),
        (f"s3://{BUCKET}/in/./a.csv", "/in/./a.csv has . or .. between slashes"),
        (f"s3://{BUCKET}/in/..", "/in/.. has . or .. between slashes"),
    ],
)  # fmt: skip
def test_an_odd_address_is_refused_in_words_and_before_any_request(closed, tmp_path, uri, cause):
    """Of a channel and of texts; the AWS library would answer with a regular expression."""
    with pytest.raises(UserError, match=re.escape(cause)):
        channels_of(TrainSettings(train=uri), closed)
    with pytest.raises(UserError, match=re.escape(cause)):
        input_of(TransformSettings(input=uri), Location(BUCKET, "mine/"), closed, tmp_path)


def test_dots_and_empty_parts_that_s3_lists_are_names(aws, monkeypatch):
    """Nothing stands between two slashes of a key that somebody's program wrote; `..` inside a name is no part."""
    aws.put("in//a..b/t.csv", "text")
    location, sizes = look(speaking_to(aws, monkeypatch), f"s3://{BUCKET}/in//a..b", ())
    assert (location.key, sizes) == ("in//a..b/", {"in//a..b/t.csv": 4})


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
def test_a_model_that_nobody_could_tell_is_refused(aws, monkeypatch, code):
    """No request may go out with an empty address."""
    with aws.answering(DescribeTrainingJob=Answer.refusal(code)) as here:
        uri, (finding,) = find_artifact(DeploySettings(job="a-job"), speaking_to(here, monkeypatch))
    assert (uri, finding.severity) == ("", Severity.ERROR)
    assert "MODEL_DATA=s3://" in finding.remedy


def test_a_model_that_was_typed_counts_before_one_of_the_file():
    """The file may name a job for `status`."""
    typed = frozenset({"model_data"})
    settings = DeploySettings(job="of-the-file", model_data="s3://a/m.tar.gz", typed=typed)
    assert artifact_of(settings, Account(AccountSettings())) == "s3://a/m.tar.gz"


def test_a_role_whose_arn_may_not_be_asked_for_is_refused_by_name(aws, monkeypatch):
    """The request needs the ARN; given so, it stays a doubt."""
    denied = Answer.xml(
        "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code></Error></ErrorResponse>", 403
    )
    needs = Needs("training-role.json", [], [])
    with aws.answering(GetRole=denied) as here:
        asking = speaking_to(here, monkeypatch)
        (named,) = examine("role", lambda: check_role(asking, "sagemaker-job", needs))
        (given,) = examine("role", lambda: check_role(asking, ROLE, needs))
    assert (named.severity, given.severity) == (Severity.ERROR, Severity.WARNING)
    assert ROLE in named.remedy


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "eu-west-1.amazonaws.com/"),
        ("cn-north-1", "cn-north-1.amazonaws.com.cn/"),
        ("us-gov-west-1", "us-gov-west-1.amazonaws.com/"),
        ("eusc-de-east-1", "eusc-de-east-1.amazonaws.eu/"),
        ("us-iso-west-1", "us-iso-west-1.c2s.ic.gov/"),
    ],
)
def test_an_images_address_ends_as_its_partition_does(aws, monkeypatch, region, host):
    """By the AWS library's own table."""
    there = speaking_to(aws, monkeypatch, region)
    uri = image_uri(TrainSettings(image_tag="cpu-1"), there)
    assert host in uri
    assert ImageName.of(uri) is not None
    assert there.owner_of(f"sagemaker-{region}-{ACCOUNT}") == ACCOUNT


def test_the_default_bucket_of_another_partition_is_ones_own_as_well(aws, monkeypatch):
    """Its name has the region's form, whatever that partition calls its regions."""
    assert speaking_to(aws, monkeypatch).owner_of(f"sagemaker-eusc-de-east-1-{ACCOUNT}") == ACCOUNT
    assert ImageName.of("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu/a:b") is not None


@pytest.mark.parametrize(
    "host",
    [
        "dkr.ecr-fips.us-gov-west-1.amazonaws.com",
        "dkr-ecr.us-gov-west-1.on.aws",
        "dkr-ecr-fips.us-gov-west-1.on.aws",
    ],
)
def test_an_image_may_have_a_fips_or_dual_stack_address(host):
    """The parts of the address are the same."""
    name = ImageName.of(f"{ACCOUNT}.{host}/a/b:tag")
    assert name == ImageName(ACCOUNT, "us-gov-west-1", "a/b", "tag", "")


@pytest.mark.parametrize("region", ["us-east-9", "aws-global"])
def test_a_region_of_no_partition_is_refused(aws, monkeypatch, region):
    """By the AWS library's own table, not by a form."""
    with pytest.raises(UserError, match=f"AWS has no region {region}"):
        _ = speaking_to(aws, monkeypatch, region).region
