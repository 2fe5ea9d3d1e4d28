"""How long a test waits for what must come."""

# Seconds that only a hang exceeds, however slow or busy the machine: a wait for what must happen ends after them with
# the test's own message. The time limits of tests (.pytest.ini, tests/conftest.py) leave room for one such wait.
PATIENCE_S = 300
