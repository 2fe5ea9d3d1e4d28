"""Settings of the launcher: where they come from, and the messages for wrong ones."""

import dataclasses
from pathlib import Path

import pytest

from bert_classifier.errors import UserError
from bert_classifier.job.settings import Spec, integer, specs
from launcher.main import main
from launcher.settings.account import AccountSettings
from launcher.settings.fields import names, pairs, s3_uri, text
from launcher.settings.sources import Known, Sources
from launcher.settings.training import TrainSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class Some(AccountSettings):
    """Settings of a made-up command."""

    role: str = text("", "a role", "The role.", r"arn:.+")
    data: str = s3_uri("", "Where the data is.")
    count: int = integer(1, 1, 4, "How many.")
    subnets: tuple[str, ...] = names("subnets", "Subnets.", r"subnet-\w+", 16)
    tags: tuple[tuple[str, str], ...] = pairs("Tags.", most=50)


OF_OTHERS = {"of_another_command": [], "count": [Spec(int, "any number", "")]}
KNOWN: Known = {**{name: [spec] for name, spec in specs(Some).items()}, **OF_OTHERS}


def read(tmp_path: Path, file: str = "", environ: dict[str, str] | None = None, **flags: str) -> Some:
    """Return the settings read from three places."""
    path = tmp_path / ".launcher.toml"
    if file:
        path.write_text(file, encoding="utf-8")
    return Sources(flags, environ or {}, path).read(Some, KNOWN)


def test_a_flag_counts_before_the_environment_and_that_before_the_file(tmp_path):
    """The nearer to the person who types, the stronger."""
    file = 'count = 2\nrole = "arn:file"\ndata = "s3://from-file"'
    got = read(tmp_path, file, {"LAUNCHER_COUNT": "3", "LAUNCHER_ROLE": "arn:environ"}, count="4")
    assert (got.count, got.role, got.data) == (4, "arn:environ", "s3://from-file")


def test_without_anything_defaults_hold(tmp_path):
    """No file, no variable, no flag; an empty variable counts as none."""
    assert read(tmp_path, environ={"LAUNCHER_COUNT": "", "ROLE": "of something else"}) == Some()


def test_all_mistakes_are_reported_at_once_with_their_places(tmp_path):
    """Each as its user wrote it."""
    with pytest.raises(UserError) as caught:
        read(tmp_path, 'rol = "x"\ncount = "many"', {"LAUNCHER_DATA": "/no/uri"}, subnets="net")
    expected = str(caught.value)
    assert "unknown setting 'rol', did you mean role?" in expected.lower()
    assert "setting count in .launcher.toml='many' is not a whole number from 1 to 4" in expected
    assert "setting DATA='/no/uri' is not s3://bucket/prefix" in expected
    assert "setting --subnets='net' is not subnets" in expected


def test_the_file_may_spell_settings_as_make_does(tmp_path):
    """ROLE as on the command line; but not both spellings."""
    assert read(tmp_path, 'ROLE = "arn:x"\nCount = 2') == Some(role="arn:x", count=2)
    with pytest.raises(UserError, match=r"\.launcher\.toml sets role twice"):
        read(tmp_path, 'ROLE = "arn:x"\nrole = "arn:y"')


@pytest.mark.parametrize("name", ["epochs", "num_train_epochs", "num_train_epoch"])
def test_a_hyperparameter_belongs_into_hp(tmp_path, name):
    """`make doctor EPOCHS=3` says how to give it, by its present name."""
    sources = Sources({}, {f"LAUNCHER_{name.upper()}": "3"}, tmp_path / "none.toml")
    with pytest.raises(UserError, match=r'did you mean HP="num_train_epochs=…"\?'):
        sources.read(TrainSettings, {name: [spec] for name, spec in specs(TrainSettings).items()})


def test_settings_of_other_commands_are_no_mistake_except_as_flags(tmp_path):
    """One file and one environment serve all commands."""
    file = 'of_another_command = "x"'
    assert read(tmp_path, file, {"LAUNCHER_OF_ANOTHER_COMMAND": "y"}) == Some()


def test_on_makes_command_line_a_setting_of_another_command_is_a_mistake(tmp_path):
    """Nothing that was typed for this very command is ignored; what the environment holds otherwise may be."""
    environ = {
        "LAUNCHER_OF_ANOTHER_COMMAND": "y",
        "LAUNCHER_TYPED": "OF_ANOTHER_COMMAND COUNT",
        "LAUNCHER_COUNT": "2",
    }
    with pytest.raises(UserError, match="OF_ANOTHER_COMMAND is a setting of another command"):
        read(tmp_path, environ=environ)
    del environ["LAUNCHER_OF_ANOTHER_COMMAND"]
    got = read(tmp_path, 'role = "arn:file"', {**environ, "LAUNCHER_DATA": "s3://bucket"}, tags="a=b")
    assert got.given == {"role", "data", "count", "tags"}
    assert got.typed == {"count", "tags"}


@pytest.mark.parametrize("content", ["count = ", "\xff"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    """Not TOML, or not UTF-8."""
    (tmp_path / ".launcher.toml").write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match=r"Cannot read .*\.launcher\.toml"):
        read(tmp_path)


def test_lists_and_pairs_are_read_as_people_write_them(tmp_path):
    """Commas or blanks between names; a shell's quotes around values."""
    got = read(tmp_path, subnets="subnet-1,subnet-2 subnet-3", tags="team='the a team' empty=")
    assert got.subnets == ("subnet-1", "subnet-2", "subnet-3")
    assert got.tags == (("team", "the a team"), ("empty", ""))


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ("team", "'team' has no ="),
        ("a=1 a=2", "'a' is there more than once"),
        ("=1", "the name '' is not one character or more"),
        ("a='1", "a quote is not closed, or a backslash stands at the end"),
        ("b=1 a=" + "x" * 257, "the value of 'a' has 257 characters, and 256 are the most"),
        (" ".join(f"k{n}=1" for n in range(51)), "there are 51, and 50 are the most"),
    ],
)
def test_pairs_that_are_none_are_refused_with_the_reason(tmp_path, tags, why):
    """No `=`, one name twice, no name, an open quote, too long a value, too many."""
    with pytest.raises(UserError) as caught:
        read(tmp_path, tags=tags)
    assert f"each name once: {why}. Correct it" in str(caught.value)


def test_the_name_of_a_variable_is_refused_with_the_reason(tmp_path):
    """A shell's variable begins with no digit."""
    known = {name: [spec] for name, spec in specs(TrainSettings).items()}
    with pytest.raises(UserError) as caught:
        Sources({"environment": "1a=b"}, {}, tmp_path / "none.toml").read(TrainSettings, known)
    expected = "once: the name '1a' is not 1 to 512 letters, digits and _, the first no digit. Correct"
    assert expected in str(caught.value)


def test_a_text_that_is_too_long_is_refused_with_its_length(tmp_path):
    """What it holds is as it should be."""
    with pytest.raises(UserError, match="is not a role: it has 1,025 characters, and 1,024 are the most"):
        read(tmp_path, role="arn:" + "x" * 1021)
    assert read(tmp_path, role="arn:" + "x" * 1020).role.endswith("x")


def test_a_bucket_that_s3_could_not_have_is_refused(tmp_path):
    """Nobody is sent to create it; the prefix may have such dots."""
    with pytest.raises(UserError, match=r"is not s3://bucket/prefix: no bucket's name has two dots in a row"):
        read(tmp_path, data="s3://a..b/x")
    assert read(tmp_path, data="s3://a.b/c..d").data == "s3://a.b/c..d"


@pytest.mark.parametrize("uri", ["s3:/bucket", "s3://B", "s3://bucket/a b", "https://bucket", "s3://a"])
def test_what_is_no_s3_uri_is_refused(tmp_path, uri):
    """Buckets have 3 to 63 lower-case characters."""
    with pytest.raises(UserError, match="is not s3://bucket/prefix"):
        read(tmp_path, data=uri)


def test_a_commands_table_counts_before_the_lines_above_it(tmp_path):
    """And those of other commands are left alone; a table of no command is a mistake."""
    path = tmp_path / ".launcher.toml"
    path.write_text('count = 1\nrole = "arn:a"\n[deploy]\ncount = 3\n[other]\ncount = 4\n', encoding="utf-8")
    got = Sources({}, {}, path, "deploy", ["deploy", "other"]).read(Some, KNOWN)
    assert (got.count, got.role) == (3, "arn:a")
    with pytest.raises(UserError, match="other"):
        Sources({}, {}, path, "deploy", ["deploy"]).read(Some, KNOWN)


@pytest.mark.parametrize("value", ["", " ", "None", "null"])
def test_what_was_typed_counts_even_when_it_says_nothing(tmp_path, value):
    """`make delete-endpoint ENDPOINT=$UNSET` must not mean the default endpoint, nor must Python's None."""
    environ = {"LAUNCHER_ROLE": value, "LAUNCHER_TYPED": "ROLE"}
    with pytest.raises(UserError, match=f"(?i)setting ROLE='{value}' is not a role"):
        read(tmp_path, environ=environ)
    with pytest.raises(UserError, match=f"(?i)setting --role='{value}' is not a role"):
        read(tmp_path, role=value)
    with pytest.raises(UserError, match=f"(?i)setting TAGS='{value}' is not"):
        read(tmp_path, environ={"LAUNCHER_TAGS": value, "LAUNCHER_TYPED": "TAGS"})
    assert read(tmp_path, environ={"LAUNCHER_ROLE": ""}) == Some()


def test_an_empty_name_deletes_no_endpoint(tmp_path, capsys):
    """The command as make starts it: refused before AWS is asked for anything."""
    environ = {"LAUNCHER_ENDPOINT": "", "LAUNCHER_TYPED": "ENDPOINT"}
    assert main(["delete-endpoint"], environ) == 2
    assert "ENDPOINT='' is not 1 to 63 letters" in capsys.readouterr().err


def test_a_value_for_another_command_does_not_stop_this_one(tmp_path):
    """In the shared file or the environment; it is left out, and that is said; typed it is wrong."""
    got = read(tmp_path, "count = 9")
    assert (got.count, got.given) == (1, frozenset())
    assert "COUNT=9 in .launcher.toml is ignored, because it suits another command" in got.notes[0]
    assert "in the environment" in read(tmp_path, environ={"LAUNCHER_COUNT": "9"}).notes[0]
    assert read(tmp_path, "count = 9", count="2").notes == ()
    with pytest.raises(UserError, match="COUNT='9' is not"):
        read(tmp_path, environ={"LAUNCHER_COUNT": "9", "LAUNCHER_TYPED": "COUNT"})
    with pytest.raises(UserError, match="'many' is not a whole number from 1 to 4"):
        read(tmp_path, 'count = "many"')
    path = tmp_path / ".launcher.toml"
    path.write_text("[deploy]\ncount = 9\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"count in \.launcher\.toml='9' is not"):
        Sources({}, {}, path, "deploy", ["deploy"]).read(Some, KNOWN)


def test_a_commands_own_table_holds_its_own_settings(tmp_path):
    """There, unlike above all tables, one of another command is a mistake."""
    path = tmp_path / ".launcher.toml"
    path.write_text('[deploy]\nof_another_command = "x"\n', encoding="utf-8")
    with pytest.raises(
        UserError, match=r"of_another_command in .launcher.toml is a setting of another command"
    ):
        Sources({}, {}, path, "deploy", ["deploy"]).read(Some, KNOWN)


def test_a_settings_file_that_is_named_must_be_there(tmp_path, capsys):
    """One that nobody names may be missing."""
    assert main(["status", "a-job"], {"LAUNCHER_SETTINGS_FILE": str(tmp_path / "none.toml")}) == 2
    assert f"There is no file {tmp_path}/none.toml. Correct LAUNCHER_SETTINGS_FILE" in capsys.readouterr().err


@pytest.mark.parametrize("region", ["eu-west-1", "us-gov-west-1", "us-isob-east-1", "eusc-de-east-1"])
def test_regions_of_all_partitions_are_regions(tmp_path, region):
    """Whether SageMaker has one there is asked of the AWS library."""
    assert read(tmp_path, region=region).region == region
