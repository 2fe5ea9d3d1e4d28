"""`python -m bert_classifier.drift`: compare texts and answers with a model's baseline."""

import os
import sys

from bert_classifier.job.interrupts import exit_on_ctrl_c

exit_on_ctrl_c()

from bert_classifier.drift.command import main  # noqa: E402 - it takes seconds, in which Ctrl-C may come

if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # without the interpreter's own ending, as in evaluation
