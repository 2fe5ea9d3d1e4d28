"""Commands of the launcher in the test's own process: many requests, without a second for each start."""

from collections.abc import Callable

import pytest

from launcher.aws.account import Account
from launcher.main import main
from support.aws import Aws, Ended
from support.hosting import WITH_MODEL, prepare

Launch = Callable[..., Ended]


@pytest.fixture
def launch(aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Launch:
    """Return a function that runs a command of the launcher on the account."""

    def run(*arguments: str, here: Aws = aws, **environ: str) -> Ended:
        variables = {**here.environ, **environ}
        for name in variables:
            if name.startswith("AWS_"):
                monkeypatch.setenv(name, variables[name])
        capsys.readouterr()
        try:
            code = main(arguments, variables)
        finally:
            Account.client.cache_clear()  # it would keep the clients of every run
        out, err = capsys.readouterr()
        return Ended(code, out, err)

    return run


@pytest.fixture
def served(aws: Aws, launch: Launch) -> Callable[..., str]:
    """Return a function that deploys an endpoint; it returns the name of its configuration."""
    prepare(aws)

    def deployed(*arguments: str) -> str:
        ended = launch("deploy", *WITH_MODEL, *arguments)
        assert ended.code == 0, ended.err
        return str(aws.requests("CreateEndpointConfig")[-1]["EndpointConfigName"])

    return deployed
