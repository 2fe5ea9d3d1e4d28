"""Whatever comes in from outside, the base answers with a value or one UserError that fits its file."""

import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bert_classifier.data.records import CsvRow, JsonRow, RowError, read_csv_rows, read_json_rows, read_lines
from bert_classifier.errors import FAILURE_LIMIT, UserError, failure_text
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment
from bert_classifier.job.former_names import ALIASES
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.job.settings import specs

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
NUMBERS = st.integers().map(str) | st.floats().map(str) | st.from_regex(r"[+-]?[0-9_.]{1,6}(e-?[0-9]{1,4})?")
VALUES = NUMBERS | st.sampled_from(["True", "false", "None", '"x', "head", "auto", "1\n"]) | JSON
NAMES = st.sampled_from([*specs(TrainConfig), *ALIASES, "sagemaker_x", "checkpointfreq"]) | st.text()
# Half surrogate pairs included: they come out of JSON escapes and out of file names.
TEXT = st.text(st.characters(codec=None) | st.sampled_from(',"\r\n\0{}[]:\\'))


def assert_fits(error):
    """Check that the failure file holds the error: short, and with a remedy."""
    text = failure_text(error)
    assert len(text) <= FAILURE_LIMIT
    assert text.startswith("UserError: ")
    assert text.endswith(error.remedy)


@settings(max_examples=300)
@given(st.dictionaries(NAMES, VALUES, max_size=8), st.sampled_from([lambda v: v, str, json.dumps]))
def test_any_hyperparameters(raw, encode):
    """Arbitrary names and values give settings that lie in their ranges, or one UserError."""
    try:
        config = TrainConfig.from_hyperparameters({name: encode(value) for name, value in raw.items()})
    except UserError as error:
        assert_fits(error)
        return
    for name, spec in specs(TrainConfig).items():
        value = getattr(config, name)
        if value not in (None, ""):
            assert spec.parse(str(value)) == value


@given(st.dictionaries(st.sampled_from([name.upper() for name in specs(ServeConfig)]), TEXT | NUMBERS))
def test_any_server_environment(environ):
    """Arbitrary environment variables give settings or one UserError."""
    try:
        ServeConfig.from_environ(environ)
    except UserError as error:
        assert_fits(error)


@given(TEXT)
def test_any_csv_text(text):
    """Arbitrary text is rows, up to at most one error that names a line of the text."""
    lines = list(io.StringIO(text, newline=""))
    last = 0
    try:
        for row in read_csv_rows(lines):
            assert isinstance(row, CsvRow)
            assert last < row.line <= len(lines)
            last = row.line
    except RowError as error:
        assert_fits(error)
        last = error.line
    assert last <= len(lines)


@given(st.lists(JSON.map(json.dumps) | TEXT, max_size=5).map("\n".join))
def test_any_json_lines(text):
    """Each line of arbitrary text that is not blank gives a value or an error of its own, in order."""
    lines = list(io.StringIO(text, newline=""))
    rows = list(read_json_rows(lines))
    assert [row.line for row in rows] == [n for n, line in enumerate(lines, start=1) if line.strip()]
    for row in rows:
        if isinstance(row, RowError):
            assert_fits(row)
        else:
            assert isinstance(row, JsonRow)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Return a tree with a train channel, whose description each example replaces."""
    folder = tmp_path_factory.mktemp("any")
    (folder / "input" / "config").mkdir(parents=True)
    (folder / "input" / "data" / "train").mkdir(parents=True)
    return folder


@given(st.binary(max_size=200) | TEXT.map(lambda text: text.encode("utf-8", errors="replace")))
def test_any_file(root, raw):
    """Arbitrary bytes are lines of text up to at most one UserError."""
    path = root / "any.csv"
    path.write_bytes(raw)
    try:
        text = "".join(read_lines(path))
    except UserError as error:
        assert_fits(error)
    else:
        assert text.encode() == raw.removeprefix(b"\xef\xbb\xbf")


RESOURCES = st.fixed_dictionaries(
    {}, optional={"hosts": JSON | st.lists(st.text()), "current_host": JSON, "network_interface_name": JSON}
)
CHANNELS = st.dictionaries(
    st.sampled_from(["train", "val"]) | st.text(), JSON | st.just({"TrainingInputMode": "Pipe"})
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(JSON | st.dictionaries(NAMES, VALUES), CHANNELS | JSON, RESOURCES | JSON)
def test_any_job_description(root, hyperparameters, channels, resources):
    """Arbitrary JSON in the job's three files gives a consistent picture of the job, or one UserError."""
    config = root / "input" / "config"
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    (config / "inputdataconfig.json").write_text(json.dumps(channels))
    (config / "resourceconfig.json").write_text(json.dumps(resources))
    try:
        environment = Environment.read(root, {})
    except UserError as error:
        assert_fits(error)
        return
    assert environment.hosts[environment.host_rank] == environment.current_host
    assert list(environment.hosts) == sorted(environment.hosts)
    assert set(environment.channels) == {"train"}
