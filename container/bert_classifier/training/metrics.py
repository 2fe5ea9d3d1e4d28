"""Metrics in the log: `name=value` pairs that every metric service can read."""


def metric_line(values: dict[str, float | int]) -> str:
    """Return `name=value` pairs for the log, in plain decimals: regexes of metric services lose exponents."""
    return " ".join(f"{name}={_plain(value)}" for name, value in values.items())


def _plain(value: float | int) -> str:
    if isinstance(value, int):
        return str(value)
    if value and abs(value) < 0.001:
        return f"{value:.10f}"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:.0f}"
