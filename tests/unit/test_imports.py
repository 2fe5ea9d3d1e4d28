"""The base is standard library only: a bad job fails before a second is spent on loading torch."""

import subprocess
import sys
from pathlib import Path

CONTAINER = Path(__file__).parents[2] / "container"


def test_bad_hyperparameter_is_refused_without_torch():
    """The way from a raw hyperparameter to its refusal loads neither torch nor transformers nor numpy."""
    program = (
        f"import sys; sys.path.insert(0, {str(CONTAINER)!r})\n"
        "from bert_classifier.job.config import TrainConfig\n"
        "try:\n    TrainConfig.from_hyperparameters({'epoch': '3'})\n"
        "except Exception as error:\n    print(error)\n"
        "print(sorted({'torch', 'transformers', 'numpy'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "did you mean num_train_epochs?" in result.stdout
    assert result.stdout.endswith("[]\n")


def test_reports_are_loaded_only_when_one_is_written():
    """Neither a rank nor the server loads plots or templates when it starts: they take a second."""
    program = (
        f"import sys; sys.path.insert(0, {str(CONTAINER)!r})\n"
        "import bert_classifier.training.rank, bert_classifier.serving.server\n"
        "import bert_classifier.serving.model.predictor\n"
        "print('matplotlib' in sys.modules, 'bert_classifier.evaluation.report.render' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "False False\n"
