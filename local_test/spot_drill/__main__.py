"""The command: `python local_test/spot_drill TEST_DIR`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Started as a folder, the package would not know its own name.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from spot_drill.drill import main

    sys.exit(main(sys.argv[1:]))
