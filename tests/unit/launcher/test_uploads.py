"""Channels from local files and S3, and uploads of what is not there yet: against moto, in this process."""

from pathlib import Path

import pytest

from aws import ACCOUNT, BUCKET, ROLE
from aws_stand_in import Answer, s3_error
from bert_classifier.errors import UserError
from launcher.account import Account
from launcher.account_checks import Needs, check_bucket, check_role
from launcher.channels import LocalChannel, S3Channel, channels_of
from launcher.ecr import ImageName
from launcher.findings import Level, examine
from launcher.model import artifact_of
from launcher.model_checks import find_artifact
from launcher.model_settings import DeploySettings, TransformSettings
from launcher.preflight import find_channels, image_uri
from launcher.s3 import Location, resolve
from launcher.settings import AccountSettings
from launcher.training_settings import TrainSettings
from launcher.transform_input import check_input, input_of
from launcher.upload import DigestedFile, upload

CSV = "Alpha,a text\nBeta,another\n"


@pytest.fixture
def account(aws, monkeypatch):
    """Return the account as the launcher sees it."""
    for name, value in aws.environ.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    return Account(AccountSettings())


@pytest.fixture
def folder(tmp_path):
    """Return a folder with data, and with what no job reads."""
    for name, content in {
        "a.csv": CSV,
        "deep/b.jsonl": "{}",
        "notes.md": "no",
        ".c.csv": CSV,
        "d.csv": "",
    }.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return tmp_path / "data"


def digested(files: dict[str, Path]) -> dict[str, DigestedFile]:
    """Return files as they are read once."""
    return {name: DigestedFile.of(path) for name, path in files.items()}


def test_only_what_is_missing_or_of_another_size_is_uploaded(account, aws, folder, capsys):
    """The same name with the same size counts as there; a file that was cut off is sent again."""
    place = Location(BUCKET, "x/")
    files = digested({"a.csv": folder / "a.csv", "b.jsonl": folder / "deep" / "b.jsonl"})
    aws.put("x/a.csv", CSV)
    aws.put("x/b.jsonl", "{")
    upload(account, files, place)
    assert "uploaded 1 file(s)" in capsys.readouterr().err
    assert aws.client("s3").get_object(Bucket=BUCKET, Key="x/b.jsonl")["Body"].read() == b"{}"
    upload(account, files, place)
    assert capsys.readouterr().err == f"s3://{BUCKET}/x/ is there already\n"


def test_an_upload_is_encrypted_with_the_key_that_is_given(account, aws, folder):
    """KMS, and that key."""
    key = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    upload(account, digested({"a.csv": folder / "a.csv"}), Location(BUCKET, "x/"), key)
    found = aws.client("s3").head_object(Bucket=BUCKET, Key="x/a.csv")
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"].rpartition("/")[2]) == ("aws:kms", key)


def test_a_folder_becomes_a_channel_of_what_a_job_reads(account, folder):
    """Data in any depth; nothing hidden, empty or of another form."""
    (channel,) = channels_of(TrainSettings(train=str(folder)), account)
    assert isinstance(channel, LocalChannel)
    assert list(channel.files) == ["a.csv", "deep/b.jsonl"]
    assert channel.size == len(CSV) + 2


def test_the_digest_is_of_names_and_contents(folder):
    """Another name or another byte is another place; the same again is the same."""
    path = folder / "a.csv"
    first = LocalChannel("train", {"a.csv": path}).digest
    assert first == LocalChannel("validation", {"a.csv": path}).digest
    assert first != LocalChannel("train", {"b.csv": path}).digest
    path.write_text(CSV.replace("Beta", "beta"), encoding="utf-8")
    assert first != LocalChannel("train", {"a.csv": path}).digest


def test_a_prefix_in_s3_is_its_folder_or_its_object(account, aws):
    """`train` never means `training` as well."""
    aws.put("mine/train/a.csv", CSV)
    aws.put("mine/training/b.csv", CSV)
    channel = S3Channel.at("train", f"s3://{BUCKET}/mine/train", account)
    assert (channel.place.key, list(channel.sizes or ())) == ("mine/train/", ["mine/train/a.csv"])
    assert S3Channel.at("train", f"s3://{BUCKET}/mine/train/a.csv", account).place.key == "mine/train/a.csv"


def test_a_folder_of_channels_gives_those_that_are_known(account, aws, folder):
    """One given by itself counts before the one of the folder."""
    for name in ("train", "validation", "other"):
        aws.put(f"mine/{name}/a.csv", CSV)
    settings = TrainSettings(s3_data=f"s3://{BUCKET}/mine", validation=str(folder / "a.csv"))
    found = {channel.name: type(channel) for channel in channels_of(settings, account)}
    assert found == {"validation": LocalChannel, "train": S3Channel}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "There is no training data."),
        ({"train": "none.csv"}, "There is no file or folder none.csv for train."),
        ({"train": "README.md"}, "README.md cannot be train. Give CSV or JSON Lines."),
        (
            {"train": "local_test/test_dir/input/data/train", "model": "docker"},
            "docker holds no *.safetensors.",
        ),
        ({"train": "docker"}, "docker has no .csv or .jsonl for train"),
    ],
)
def test_what_is_no_channel_is_told(account, settings, told):
    """Cause and remedy."""
    with pytest.raises(UserError) as caught:
        channels_of(TrainSettings(**settings), account)
    assert told in str(caught.value)


def test_an_empty_place_in_s3_is_told(account, aws):
    """Nothing there; or nothing that a job reads: as of a local folder, what is hidden or empty does not count."""
    aws.put("mine/a.parquet", "x")
    aws.put("hidden/.a.csv", CSV)
    aws.put("hidden/.old/b.csv", CSV)
    aws.put("empty/a.csv", "")
    for uri, told in (
        (f"s3://{BUCKET}/none", "nothing lies at"),
        (f"s3://{BUCKET}/mine", "has no *.csv or *.jsonl"),
        (f"s3://{BUCKET}/hidden", "neither hidden nor empty"),
        (f"s3://{BUCKET}/empty/a.csv", "neither hidden nor empty"),
    ):
        (finding,) = S3Channel.at("train", uri, account).findings()
        assert finding.level is Level.FAIL
        assert told in finding.told


def test_an_object_whose_name_begins_another_is_refused(account, aws):
    """SageMaker takes all keys that begin as it is told: `in.csv` would bring `in.csv.old` along."""
    aws.put("mine/in.csv", CSV)
    aws.put("mine/in.csv.old", CSV)
    with pytest.raises(
        UserError, match=r"in\.csv\.old begins with the same letters, so SageMaker would take both"
    ):
        resolve(account, f"s3://{BUCKET}/mine/in.csv")
    aws.put("mine/in.csv/a.csv", CSV)
    assert resolve(account, f"s3://{BUCKET}/mine/in.csv/")[1].keys() == {"mine/in.csv/a.csv"}


def test_a_folder_is_found_behind_any_number_of_names_like_it(account, aws, monkeypatch):
    """Its keys are asked for by themselves; the channels of a folder too, whatever else lies there."""
    monkeypatch.setattr("launcher.s3.MOST_KEYS", 2)
    for key in ("in-1/a.csv", "in-2/a.csv", "in-3/a.csv", "in/a.csv", "in/b/c.csv"):
        aws.put(key, CSV)
    assert resolve(account, f"s3://{BUCKET}/in")[1].keys() == {"in/a.csv", "in/b/c.csv"}
    for name in ("class", "model/deep", "model", "train"):
        aws.put(f"all/{name}/a.csv", CSV)
    assert [c.name for c in channels_of(TrainSettings(s3_data=f"s3://{BUCKET}/all"), account)] == [
        "class",
        "model",
        "train",
    ]


def test_a_file_that_cannot_be_read_is_told(account, tmp_path):
    """By its name; it is no bug of the launcher."""
    with pytest.raises(UserError, match=r"Cannot read .*gone\.csv: No such file"):
        DigestedFile.of(tmp_path / "gone.csv")


def test_what_was_uploaded_without_the_key_is_uploaded_again_with_it(account, aws, folder, capsys):
    """“There already” holds only for what is encrypted as it was asked for."""
    key = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    place, files = Location(BUCKET, "x/"), digested({"a.csv": folder / "a.csv"})
    upload(account, files, place)
    for told in ("uploaded 1 file(s)", "is there already"):
        capsys.readouterr()
        upload(account, files, place, key)
        assert told in capsys.readouterr().err


def test_a_bucket_of_another_account_is_told(aws, monkeypatch):
    """A doubt where no owner is named for it; where one is, it stops everything."""
    with aws.answering({BUCKET: "999999999999"}) as here:
        for name, value in here.environ.items():
            if name.startswith("AWS_"):
                monkeypatch.setenv(name, value)
        (doubt, place) = check_bucket(Account(AccountSettings()), BUCKET)
        assert (doubt.level, place.level) == (Level.WARN, Level.OK)
        assert f"{BUCKET} belongs to another account than yours, {ACCOUNT}" in doubt.told
        (wrong, _) = check_bucket(Account(AccountSettings(bucket_owner=ACCOUNT)), BUCKET)
        assert wrong.level is Level.FAIL
        (fine,) = check_bucket(Account(AccountSettings(bucket_owner="999999999999")), BUCKET)
        assert fine.level is Level.OK


@pytest.fixture
def closed(aws, monkeypatch):
    """Return the account where nobody but a role may look into the bucket."""
    with aws.answering(**{f"GET /{BUCKET}?list": s3_error("AccessDenied", 403)}) as here:
        for name, value in here.environ.items():
            if name.startswith("AWS_"):
                monkeypatch.setenv(name, value)
        yield Account(AccountSettings())


def test_channels_that_only_the_role_may_read_are_taken_as_given(closed):
    """Each of them, with a doubt: none is lost, whatever else is given."""
    given = TrainSettings(train=f"s3://{BUCKET}/in", validation=f"s3://{BUCKET}/val.csv")
    channels = channels_of(given, closed)
    places = [channel.place.uri for channel in channels if isinstance(channel, S3Channel)]
    assert places == [f"s3://{BUCKET}/in/", f"s3://{BUCKET}/val.csv"]
    (doubt,) = channels[0].findings()
    assert doubt.level is Level.WARN
    assert "taken as you gave it" in doubt.told


@pytest.mark.parametrize(
    ("answer", "settings", "told"),
    [
        (s3_error("AccessDenied", 403), {"s3_data": f"s3://{BUCKET}/all"}, "name the channels themselves"),
        (s3_error("SlowDown", 503), {"train": f"s3://{BUCKET}/in"}, "Try again in a minute."),
    ],
)
def test_a_job_whose_data_nobody_could_tell_is_refused(aws, monkeypatch, answer, settings, told):
    """A job without the channels that were asked for is another job."""
    with aws.answering(**{f"GET /{BUCKET}?list": answer}) as here:
        for name, value in here.environ.items():
            if name.startswith("AWS_"):
                monkeypatch.setenv(name, value)
        channels, findings = find_channels(TrainSettings(**settings), Account(AccountSettings()))
    assert channels == []
    (failure,) = findings
    assert failure.level is Level.FAIL
    assert told in failure.remedy


def test_texts_that_only_the_role_may_read_are_taken_as_given(closed):
    """Where their form is told."""
    there = f"s3://{BUCKET}/texts"
    settings = TransformSettings(input=there, content_type="text/plain")
    found = input_of(settings, Location(BUCKET, "mine/"), closed)
    assert (found.place.uri, found.names) == (f"s3://{BUCKET}/texts/", None)
    assert [one.level for one in check_input(settings, found)] == [Level.WARN]
    with pytest.raises(UserError, match="cannot be told"):
        input_of(TransformSettings(input=there), Location(BUCKET, "mine/"), closed)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
def test_a_model_that_nobody_could_tell_is_refused(aws, monkeypatch, code):
    """No request may go out with an empty address."""
    with aws.answering(DescribeTrainingJob=Answer.refusal(code)) as here:
        for name, value in here.environ.items():
            if name.startswith("AWS_"):
                monkeypatch.setenv(name, value)
        uri, (finding,) = find_artifact(DeploySettings(job="a-job"), Account(AccountSettings()))
    assert (uri, finding.level) == ("", Level.FAIL)
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
        for name, value in here.environ.items():
            if name.startswith("AWS_"):
                monkeypatch.setenv(name, value)
        asking = Account(AccountSettings())
        (named,) = examine("role", lambda: check_role(asking, "sagemaker-job", needs))
        (given,) = examine("role", lambda: check_role(asking, ROLE, needs))
    assert (named.level, given.level) == (Level.FAIL, Level.WARN)
    assert ROLE in named.remedy


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "eu-west-1.amazonaws.com/"),
        ("cn-north-1", "cn-north-1.amazonaws.com.cn/"),
        ("us-gov-west-1", "us-gov-west-1.amazonaws.com/"),
    ],
)
def test_an_images_address_ends_as_its_partition_does(account, aws, region, host):
    """By the AWS library's own table."""
    there = Account(AccountSettings(region=region))
    uri = image_uri(TrainSettings(image_tag="cpu-1"), there)
    assert host in uri
    assert ImageName.of(uri) is not None
    assert there.owner_of(f"sagemaker-{region}-{ACCOUNT}") == ACCOUNT


def test_the_default_bucket_of_another_partition_is_ones_own_as_well(account):
    """Its name has the region's form, whatever that partition calls its regions."""
    assert account.owner_of(f"sagemaker-eusc-de-east-1-{ACCOUNT}") == ACCOUNT
    assert ImageName.of("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu/a:b") is not None
