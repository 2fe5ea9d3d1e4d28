"""The request that puts to use what the ones before it have created."""

import contextlib
from collections.abc import Iterator

from botocore.exceptions import ClientError

from launcher.aws.errors import may_be_accepted
from launcher.checks.quotas import refuse_for_quota
from launcher.command import say


@contextlib.contextmanager
def last_request(undo: contextlib.ExitStack, kind: str, name: str, stays: str, quota: str) -> Iterator[None]:
    """Send the request inside a `with`: if SageMaker may have accepted it in spite of an error, nothing is removed.

    Args:
        undo: removes what was created before.
        kind: `endpoint` or `transform-job`, as the AWS CLI spells them.
        name: of what is requested.
        stays: says which resources stay then.
        quota: its name in Service Quotas.
    Raises:
        UserError: when the quota does not allow the request.
    """
    try:
        yield
    except BaseException as error:
        if may_be_accepted(error):
            undo.pop_all()
            ask = f"aws sagemaker describe-{kind} --{kind}-name {name}"
            say(f"It is not known whether SageMaker accepted the request, so {stays}: {ask}")
        if isinstance(error, ClientError):
            refuse_for_quota(error, quota)
        raise
