"""Environment variables that would configure a library behind the server's back. Standard library only."""

from collections.abc import MutableMapping

# Read by gunicorn, Flask and prometheus_client themselves, on import or later, whatever the server sets.
_OF_LIBRARIES = (
    "WEB_CONCURRENCY",
    "GUNICORN_CMD_ARGS",
    "FORWARDED_ALLOW_IPS",
    "PORT",
    "SENDFILE",
    "NOTIFY_SOCKET",
    "FLASK_DEBUG",
    "FLASK_RUN_FROM_CLI",
    "GUNICORN_PID",
    "GUNICORN_FD",
    "LISTEN_PID",
    "LISTEN_FDS",
    "SCRIPT_NAME",
    "PROMETHEUS_DISABLE_CREATED_SERIES",
    "PROMETHEUS_LEGACY_NAME_VALIDATION",
    "PROMETHEUS_MULTIPROC_DIR",
    "prometheus_multiproc_dir",
)


def remove_library_variables(environ: MutableMapping[str, str]) -> list[str]:
    """Remove the variables that would configure a library; return the names of the non-empty ones."""
    given = [name for name in _OF_LIBRARIES if name in environ]
    return [name for name in given if environ.pop(name)]
