"""What SageMaker says of a tuning job and its trials, which moto does not run."""

from collections.abc import Sequence
from typing import Any

from support.aws import ACCOUNT, BUCKET, REGION
from support.aws_stand_in import Answer

SEARCH = "a-search"
_ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/"
_BEGIN = 1_790_000_000.0


def trial(
    number: int,
    score: float | None,
    seconds: float = 100,
    status: str = "Completed",
    reason: str = "",
    **tuned: str,
) -> dict[str, Any]:
    """Return SageMaker's summary of a trial."""
    name = f"{SEARCH}-{number:03}-0a1b2c3d"
    summary: dict[str, Any] = {
        "TrainingJobName": name,
        "TrainingJobArn": _ARN + name,
        "TuningJobName": SEARCH,
        "CreationTime": _BEGIN + number,
        "TrainingStartTime": _BEGIN + number,
        "TrainingEndTime": _BEGIN + number + seconds,
        "TrainingJobStatus": status,
        "TunedHyperParameters": tuned,
        "ObjectiveStatus": "Failed" if score is None else "Succeeded",
    }
    if score is not None:
        objective = {"MetricName": "validation_macro_f1", "Value": score}
        summary["FinalHyperParameterTuningJobObjectiveMetric"] = objective
    return summary | ({"FailureReason": reason} if reason else {})


def searching(
    status: str, best: dict[str, Any] | None = None, *, reason: str = "", done: int = 0, failed: int = 0
) -> Answer:
    """Return SageMaker's description of the tuning job."""
    described: dict[str, Any] = {
        "HyperParameterTuningJobName": SEARCH,
        "HyperParameterTuningJobArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:hyper-parameter-tuning-job/{SEARCH}",
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation_macro_f1"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 10, "MaxParallelTrainingJobs": 2},
        },
        "TrainingJobDefinition": {
            "AlgorithmSpecification": {"TrainingInputMode": "File"},
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/sagemaker-job",
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/mine/jobs/"},
            "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
        "HyperParameterTuningJobStatus": status,
        "CreationTime": _BEGIN,
        "TrainingJobStatusCounters": {"Completed": done, "NonRetryableError": failed, "InProgress": 0},
        "ObjectiveStatusCounters": {"Succeeded": done, "Failed": failed, "Pending": 0},
    }
    described |= {"BestTrainingJob": best} if best else {}
    return Answer.json(described | ({"FailureReason": reason} if reason else {}))


def listed(trials: Sequence[dict[str, Any]], size: int = 100) -> Any:
    """Return an answer to the list of the trials: so many at a time."""

    def answer(request: dict[str, Any]) -> Answer:
        start = int(request.get("NextToken", "0"))
        page: dict[str, Any] = {"TrainingJobSummaries": list(trials[start : start + size])}
        more = {"NextToken": str(start + size)} if start + size < len(trials) else {}
        return Answer.json(page | more)

    return answer
