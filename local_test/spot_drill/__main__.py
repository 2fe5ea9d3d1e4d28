"""The command: `python local_test/spot_drill TEST_DIR`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # In place of this folder: the one that the package `spot_drill` lies in, and the image's own settings.
    here = Path(__file__).resolve()
    sys.path[0:1] = [str(here.parents[1]), str(here.parents[2] / "container")]
    from spot_drill.drill import main

    sys.exit(main(sys.argv[1:]))
