"""Runs in the host's environment: batch transform with the SDK's Transformer in local mode.

    python sdk_batch_transform.py IMAGE ARCHIVE FOLDER PORT

Transforms FOLDER/csv, with train.csv as pandas writes it added, and FOLDER/lines; the answers to a file lie beside it,
with `.out` behind its name. The launcher leaves a header out of what it uploads; a file in S3 may have one, as pandas'.
"""

import sys
from pathlib import Path

import boto3
import pandas  # type: ignore[import-untyped]
from sagemaker.local import LocalSession
from sagemaker.model import Model

# As the launcher gives them: the columns of files without a header, and all classes in each answer.
CSV = {
    "SERVING_CSV_COLUMNS": "label,text",
    "SAGEMAKER_INFERENCE_OUTPUT": "predicted_label,probabilities,error",
}
LINES = {"SERVING_TOP_K": "all"}


def main(image: str, archive: str, folder: Path, port: int) -> None:
    """Run one job per form, a container each."""
    session = LocalSession(
        boto3.Session(region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y")
    )
    table = pandas.read_csv(folder / "csv" / "train.csv", header=None, names=["label", "text"])
    table.to_csv(folder / "csv" / "pandas.csv", index=False)
    container_root = folder / "containers"
    container_root.mkdir()
    session.config = {
        "local": {"local_code": True, "container_root": str(container_root), "serving_port": port}
    }
    for name, content_type, environment in (
        ("csv", "text/csv", CSV),
        ("lines", "application/jsonlines", LINES),
    ):
        model = Model(
            image_uri=image,
            model_data=f"file://{archive}",
            role="arn:aws:iam::111122223333:role/none",
            env={"OMP_NUM_THREADS": "1", **environment},
            sagemaker_session=session,
        )
        transformer = model.transformer(
            1,
            "local",
            strategy="MultiRecord",
            assemble_with="Line",
            accept=content_type,
            output_path=f"file://{folder / name}",
            max_payload=1,
        )
        # Local mode has ended the job by then; waiting for it would ask CloudWatch for its log.
        transformer.transform(
            f"file://{folder / name}", content_type=content_type, split_type="Line", wait=False
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
