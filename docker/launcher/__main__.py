"""`python docker/launcher COMMAND …`, from any folder."""

import os
import sys
from pathlib import Path

_HERE = Path(__file__).resolve()
# In the place of this folder: the one that the package `launcher` lies in, and the image's own settings.
sys.path[0:1] = [str(_HERE.parents[1]), str(_HERE.parents[2] / "container")]

# The SDK tells at every class that a version 3 exists; this project needs the Estimator, which only version 2 has.
os.environ.setdefault("SAGEMAKER_SUPPRESS_V2_WARNING", "1")

if __name__ == "__main__":
    try:
        from launcher.main import main  # takes a second, in which somebody may think better of it

        status = main(sys.argv[1:], os.environ)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = 130  # launcher.main.INTERRUPTED, which may not be there yet
    sys.exit(status)
