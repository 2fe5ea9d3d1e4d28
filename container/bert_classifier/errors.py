"""The errors that users see, in three families.

ContainerError
├── UserError        yours to fix: settings, data, labels, a model folder     exit code 2
│   └── RequestError     the same over HTTP: a 4xx response
└── PlatformError    the environment's: disk, mounts, memory, other hosts     exit code 3
any other exception  a bug: its traceback goes to the log                   exit code 1
"""

import errno

BUG_REMEDY = "This is a bug in the program: please report it with the log of this job."
FAILURE_LIMIT = 1024  # SageMaker keeps this many characters of /opt/ml/output/failure


class ContainerError(Exception):
    """An error shown as one cause and one remedy, never as a traceback."""

    exit_code = 1
    family = "InternalError"

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(f"{cause} {remedy}".strip())
        self.cause = cause
        self.remedy = remedy


class UserError(ContainerError):
    """Something the user can fix: a setting, the data, the labels, a model folder."""

    exit_code = 2
    family = "UserError"


class RequestError(UserError):
    """A request that cannot be answered as sent.

    Args:
        status: HTTP status, 400-499 or 503/504.
        code: stable machine-readable value of the `code` field in the response.
        cause: one sentence; never quotes the request's text.
    """

    def __init__(self, status: int, code: str, cause: str, remedy: str = "") -> None:
        super().__init__(cause, remedy)
        self.status = status
        self.code = code


class PlatformError(ContainerError):
    """Something around the program failed: a disk, a mount, memory, another host."""

    exit_code = 3
    family = "PlatformError"


def remedy_for(error: Exception) -> str:
    """Return the remedy for a system error; empty where the cause may be the user's or is unknown."""
    number = error.errno if isinstance(error, OSError) else None
    if number in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return "Give the job a larger volume (volume_size)."
    if number in {errno.EROFS, errno.EIO, errno.ESTALE}:
        return "Check the mounts and start again."
    if number in {errno.EACCES, errno.EPERM}:
        return "Give the container's user access to it; it may belong to the user of an earlier run."
    return ""


def cannot_read(path: object, error: OSError, remedy: str) -> ContainerError:
    """Return the error for an unreadable file: a PlatformError where disk or permissions are the reason.

    Args:
        remedy: for the UserError, if the reason is another.
    """
    cause = f"Cannot read {path}: {error.strerror or error}."
    platforms = remedy_for(error)
    return PlatformError(cause, platforms) if platforms else UserError(cause, remedy)


def exit_code_of(error: BaseException) -> int:
    """Return the documented exit code of an exception."""
    return error.exit_code if isinstance(error, ContainerError) else 1


def failure_text(error: BaseException) -> str:
    """Return the text of the failure file: family, cause (shortened if the remedy would not fit) and remedy."""
    if not isinstance(error, ContainerError):
        cause = f"InternalError: {type(error).__name__}: {error}".rstrip(": ")
        remedy = BUG_REMEDY
    else:
        cause, remedy = f"{error.family}: {error.cause}", error.remedy
    room = FAILURE_LIMIT - len(remedy) - 1
    if len(cause) > room:
        cause = cause[: max(0, room - 2)] + " …"
    return f"{cause} {remedy}".strip()[:FAILURE_LIMIT]
