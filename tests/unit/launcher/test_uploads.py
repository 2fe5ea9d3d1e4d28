"""Channels from local files and S3, and uploads of what is not there yet: against moto, in this process."""

from pathlib import Path

import pytest

from bert_classifier.errors import UserError
from bert_classifier.job.findings import Severity
from launcher.aws.account import Account
from launcher.aws.s3 import Location, resolve
from launcher.aws.upload import DigestedFile, upload
from launcher.checks.account import check_bucket
from launcher.checks.training import plan
from launcher.commands.train import upload_channels
from launcher.inputs.channels import LocalChannel, S3Channel, channels_of
from launcher.settings.account import AccountSettings
from launcher.settings.training import TrainSettings
from support.aws import ACCOUNT, BUCKET

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
    location = Location(BUCKET, "x/")
    files = digested({"a.csv": folder / "a.csv", "b.jsonl": folder / "deep" / "b.jsonl"})
    aws.put("x/a.csv", CSV)
    aws.put("x/b.jsonl", "{")
    upload(account, files, location)
    assert "uploaded 1 file(s)" in capsys.readouterr().err
    assert aws.client("s3").get_object(Bucket=BUCKET, Key="x/b.jsonl")["Body"].read() == b"{}"
    upload(account, files, location)
    assert capsys.readouterr().err == f"s3://{BUCKET}/x/ is there already\n"


def test_other_contents_go_to_another_folder(account, aws, tmp_path, capsys):
    """The folder's name is made of the contents, so a job that runs keeps its data."""
    data = tmp_path / "my texts.csv"
    settings = TrainSettings(train=str(data), s3_prefix=f"s3://{BUCKET}/mine", image_tag="cpu-1")
    messages = []
    for content in (CSV, CSV, "Alpha,another\nBeta,text\n"):
        data.write_text(content, encoding="utf-8")
        job, _ = plan(settings, account, spot=True)
        upload_channels(job, account)
        messages.append(capsys.readouterr().err)
    assert "uploaded 1 file(s)" in messages[0]
    assert "is there already" in messages[1]
    assert "uploaded 1 file(s)" in messages[2]
    assert len([key for key in aws.stored() if key.endswith("my texts.csv")]) == 2


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
    before = channel.digest
    (folder / "linked").symlink_to(folder / "deep")
    (channel,) = channels_of(TrainSettings(train=str(folder)), account)
    said = [finding.message for finding in channel.findings() if finding.severity is Severity.WARNING]
    assert isinstance(channel, LocalChannel)
    assert channel.digest == before
    assert said[-1] == f"not uploaded, since links are not followed: {folder / 'linked'}"


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
    assert (channel.location.key, list(channel.sizes or ())) == ("mine/train/", ["mine/train/a.csv"])
    assert (
        S3Channel.at("train", f"s3://{BUCKET}/mine/train/a.csv", account).location.key == "mine/train/a.csv"
    )


def test_a_folder_of_channels_gives_those_that_are_known(account, aws, folder):
    """One given by itself counts before the one of the folder."""
    for name in ("train", "validation", "other"):
        aws.put(f"mine/{name}/a.csv", CSV)
    settings = TrainSettings(s3_data=f"s3://{BUCKET}/mine", validation=str(folder / "a.csv"))
    found = {channel.name: type(channel) for channel in channels_of(settings, account)}
    assert found == {"validation": LocalChannel, "train": S3Channel}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "There is no training data."),
        ({"train": "none.csv"}, "There is no file or folder none.csv for train."),
        ({"train": "README.md"}, "README.md cannot be train: its suffix is none of data"),
        ({"train": "README.md s3://a-bucket/x"}, "s3://a-bucket/x cannot be one of several for train"),
        (
            {"train": "S3://a-bucket/x"},
            "S3://a-bucket/x for train is no address in S3, which begins with s3://",
        ),
        ({"train": "https://a-bucket/x"}, "https://a-bucket/x for train is no address in S3"),
        ({"train": "s3://a-bucket/x s3://a-bucket/y"}, "a channel is files of this machine, or one address"),
        (
            {"classes": "local_test/test_dir/input/data/train/train.csv"},
            "train.csv is no list of classes: line 51 has 612 characters",
        ),
        (
            {"train": "local_test/test_dir/input/data/train", "model": "docker"},
            "docker has no config.json: it holds Dockerfile, README.md,",
        ),
        ({"train": "docker/launcher"}, "docker/launcher has no data file for train: it holds __init__.py"),
    ],
)
def test_what_is_no_channel_is_reported(account, settings, expected):
    """Cause and remedy."""
    with pytest.raises(UserError) as caught:
        channels_of(TrainSettings(**settings), account)
    assert expected in str(caught.value)


def test_an_empty_place_in_s3_is_reported(account, aws):
    """Nothing there; or nothing that a job reads: as of a local folder, what is hidden or empty does not count."""
    aws.put("mine/a.xlsx", "x")
    aws.put("mine/classes.txt", "a\nb\n")
    aws.put("hidden/.a.csv", CSV)
    aws.put("hidden/.old/b.csv", CSV)
    aws.put("empty/a.csv", "")
    for uri, expected in (
        (f"s3://{BUCKET}/none", "there is nothing at"),
        (
            f"s3://{BUCKET}/mine",
            "has no data that is neither hidden nor empty: it holds mine/a.xlsx, mine/classes.txt",
        ),
        (f"s3://{BUCKET}/hidden", "neither hidden nor empty"),
        (f"s3://{BUCKET}/empty/a.csv", "neither hidden nor empty"),
    ):
        (finding,) = S3Channel.at("train", uri, account).findings()
        assert finding.severity is Severity.ERROR
        assert expected in finding.message


def test_objects_beside_the_data_are_named(account, aws):
    """As a job chooses: plain files before packed ones, and the list of classes is no data."""
    for name in ("a.csv", "a.csv.gz", "b.xlsx", "classes.txt", "_SUCCESS"):
        aws.put(f"mine/{name}", CSV)
    found = S3Channel.at("train", f"s3://{BUCKET}/mine", account).findings()
    assert [(one.severity, one.message) for one in found] == [
        (Severity.OK, f"1 object(s) at s3://{BUCKET}/mine/"),
        (Severity.WARNING, "not read: a.csv.gz, b.xlsx"),
    ]


def test_an_encoder_in_s3_is_judged_by_its_names(account, aws):
    """Before an instance starts: weights that the job would not open, with the way out."""
    for name in (
        "good/config.json",
        "good/model.safetensors",
        "deep/model/model.safetensors",
        "bin/config.json",
    ):
        aws.put(name, "x")
    aws.put("bin/pytorch_model.bin", "x")
    aws.put("job/output/model.tar.gz", "x")
    for uri, expected in (
        ("bin", "bin/ has no model.safetensors, but pytorch_model.bin"),
        ("job/output/model.tar.gz", "holds an archive, model.tar.gz, which is not opened"),
    ):
        (finding,) = S3Channel.at("model", f"s3://{BUCKET}/{uri}", account).findings()
        assert finding.severity is Severity.ERROR
        assert expected in finding.message
    for uri in ("good", "deep"):
        (finding,) = S3Channel.at("model", f"s3://{BUCKET}/{uri}", account).findings()
        assert finding.severity is Severity.OK


def test_several_files_become_a_channel_under_their_names(account, folder):
    """As on a laptop; what is left out of a folder is said, and its list of classes comes along."""
    for name, content in (("classes.txt", "Alpha\nBeta\n"), ("a.csv.gz", CSV)):
        (folder / name).write_text(content, encoding="utf-8")
    (channel,) = channels_of(TrainSettings(train=f"{folder}/a.csv {folder}/deep"), account)
    assert isinstance(channel, LocalChannel)
    assert list(channel.files) == ["a.csv", "b.jsonl"]
    (channel,) = channels_of(TrainSettings(train=str(folder)), account)
    assert isinstance(channel, LocalChannel)
    assert list(channel.files) == ["a.csv", "classes.txt", "deep/b.jsonl"]
    assert "not uploaded: a.csv.gz, notes.md" in [finding.message for finding in channel.findings()]


def test_an_object_whose_name_begins_another_is_refused(account, aws):
    """SageMaker reads every key with the given prefix: `in.csv` would include `in.csv.old`."""
    aws.put("mine/in.csv", CSV)
    aws.put("mine/in.csv.old", CSV)
    with pytest.raises(
        UserError, match=r"in\.csv\.old begins with the same characters, so SageMaker would take both"
    ):
        resolve(account, f"s3://{BUCKET}/mine/in.csv")
    aws.put("mine/in.csv/a.csv", CSV)
    assert resolve(account, f"s3://{BUCKET}/mine/in.csv/")[1].keys() == {"mine/in.csv/a.csv"}


def test_a_folder_is_found_behind_any_number_of_names_like_it(account, aws, monkeypatch):
    """Its keys are asked for by themselves; the channels of a folder too, whatever else lies there."""
    monkeypatch.setattr("launcher.aws.s3.MOST_KEYS", 2)
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


def test_a_file_that_cannot_be_read_is_reported(account, tmp_path):
    """By its name; it is no bug of the launcher."""
    with pytest.raises(UserError, match=r"Cannot read .*gone\.csv: No such file"):
        DigestedFile.of(tmp_path / "gone.csv")


def test_what_was_uploaded_without_the_key_is_uploaded_again_with_it(account, aws, folder, capsys):
    """“There already” holds only for what is encrypted as it was asked for."""
    key = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    location, files = Location(BUCKET, "x/"), digested({"a.csv": folder / "a.csv"})
    upload(account, files, location)
    for expected in ("uploaded 1 file(s)", "is there already"):
        capsys.readouterr()
        upload(account, files, location, key)
        assert expected in capsys.readouterr().err


def test_a_bucket_of_another_account_is_reported(aws, monkeypatch):
    """A doubt where no owner is named for it; where one is, it stops everything."""
    with aws.answering({BUCKET: "999999999999"}) as here:
        for name, value in here.environ.items():
            if name.startswith("AWS_"):
                monkeypatch.setenv(name, value)
        (doubt, location) = check_bucket(Account(AccountSettings()), BUCKET)
        assert (doubt.severity, location.severity) == (Severity.WARNING, Severity.OK)
        assert f"{BUCKET} belongs to another account than yours, {ACCOUNT}" in doubt.message
        (wrong, _) = check_bucket(Account(AccountSettings(bucket_owner=ACCOUNT)), BUCKET)
        assert wrong.severity is Severity.ERROR
        (fine,) = check_bucket(Account(AccountSettings(bucket_owner="999999999999")), BUCKET)
        assert fine.severity is Severity.OK
