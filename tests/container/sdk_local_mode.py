"""Runs in the host's environment: trains, and serves, with the SDK's generic Estimator in local mode.

    python sdk_local_mode.py IMAGE JOB_ROOT FOLDER PORT

Leaves FOLDER/result.json: where the artifact is, and what a request was answered.
"""

import json
import sys
from pathlib import Path

import boto3
from sagemaker.deserializers import JSONDeserializer
from sagemaker.estimator import Estimator
from sagemaker.local import LocalSession
from sagemaker.serializers import JSONSerializer


def main(image: str, job_root: str, folder: str, port: int) -> None:
    """Train on two containers, deploy and ask once."""
    session = LocalSession(
        boto3.Session(region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y")
    )
    container_root = Path(folder) / "containers"
    container_root.mkdir(parents=True)
    local = {"local_code": True, "container_root": str(container_root), "serving_port": port}
    session.config = {"local": local}
    input_dir = Path(job_root) / "input"
    estimator = Estimator(
        image_uri=image,
        role="arn:aws:iam::111122223333:role/none",
        instance_type="local",
        instance_count=2,
        output_path=f"file://{folder}/output",
        hyperparameters=json.loads(
            (input_dir / "config" / "hyperparameters.json").read_text(encoding="utf-8")
        ),
        environment={"OMP_NUM_THREADS": "1"},
        sagemaker_session=session,
    )
    channels = sorted(path.name for path in (input_dir / "data").iterdir())
    estimator.fit({name: f"file://{input_dir}/data/{name}" for name in channels})
    predictor = estimator.deploy(1, "local", serializer=JSONSerializer(), deserializer=JSONDeserializer())
    try:
        answer = predictor.predict({"inputs": ["a text", "another"]})
    finally:
        predictor.delete_endpoint()
    result = json.dumps({"model_data": estimator.model_data, "answer": answer})
    (Path(folder) / "result.json").write_text(result, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
