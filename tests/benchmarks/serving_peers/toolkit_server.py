"""AWS' Hugging Face inference toolkit on multi-model-server; started with MODEL and PORT in the environment.

It is the program behind AWS' own Hugging Face containers. Only the place of its settings file is another (theirs is
in /etc, which a benchmark has no business in), and it listens on this machine only.
"""

import os
import sys
from pathlib import Path

MODEL = Path(os.environ["MODEL"])  # in a folder of its own: BASE/model
os.environ.update(
    SAGEMAKER_BASE_DIR=str(MODEL.parent),
    SAGEMAKER_BIND_TO_PORT=os.environ["PORT"],
    HF_TASK="text-classification",
    PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
)

# They read the environment, and are installed only where they are compared.
from sagemaker_huggingface_inference_toolkit import mms_model_server  # type: ignore[import-not-found] # noqa: E402
from sagemaker_inference import model_server  # type: ignore[import-not-found] # noqa: E402

settings = str(MODEL.parent / "mms.properties")
model_server.MMS_CONFIG_FILE = mms_model_server.MMS_CONFIG_FILE = settings
write_settings = mms_model_server._create_model_server_config_file


def write_loopback_settings(*arguments):
    """Write the toolkit's settings with another address."""
    write_settings(*arguments)
    path = Path(settings)
    path.write_text(path.read_text().replace("0.0.0.0", "127.0.0.1"))


mms_model_server._create_model_server_config_file = write_loopback_settings
mms_model_server.start_model_server()
