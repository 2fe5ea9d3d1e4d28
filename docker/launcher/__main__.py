"""`python docker/launcher COMMAND …`, from any folder."""

import os
import sys
from pathlib import Path

_HERE = Path(__file__).resolve()
# Replace this folder by the package's parent, and add the image's package, whose settings are shared.
sys.path[0:1] = [str(_HERE.parents[1]), str(_HERE.parents[2] / "container")]

# The SDK warns that a version 3 exists; this project needs the Estimator, which only version 2 has.
os.environ.setdefault("SAGEMAKER_SUPPRESS_V2_WARNING", "1")

if __name__ == "__main__":
    try:
        from launcher.main import main  # takes a second, during which Ctrl-C may come

        status = main(sys.argv[1:], os.environ)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = 130  # launcher.main.INTERRUPTED, which may not be imported yet
    sys.exit(status)
