"""`python -m bert_classifier.evaluation evaluate | compare`: evaluate trained models on a labelled file."""

import os
import sys

from bert_classifier.job.interrupts import exit_on_ctrl_c

exit_on_ctrl_c()

from bert_classifier.evaluation.command import main  # noqa: E402 - it takes seconds, in which Ctrl-C may come

if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Without the interpreter's own ending: it takes a second, during which Ctrl-C would kill.
    os._exit(status)
