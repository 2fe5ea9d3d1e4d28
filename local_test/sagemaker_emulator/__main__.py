"""The command: `python local_test/sagemaker_emulator IMAGE --job FOLDER`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(
        Path(__file__).resolve().parents[1]
    )  # started as a folder, it would not know its own name
    from sagemaker_emulator.command import main

    sys.exit(main(sys.argv[1:]))
