"""Asks a server as the SageMaker SDK's Predictor does; runs in the SDK's own environment, with a port as argument.

Prints a JSON object: for each pair of a serializer and a deserializer what the call returned, or the error.
"""

import json
import sys

import boto3
from sagemaker import Session
from sagemaker.deserializers import (
    BytesDeserializer,
    CSVDeserializer,
    JSONDeserializer,
    JSONLinesDeserializer,
    NumpyDeserializer,
    PandasDeserializer,
    StringDeserializer,
)
from sagemaker.predictor import Predictor
from sagemaker.serializers import CSVSerializer, JSONLinesSerializer, JSONSerializer

TEXTS = ["apple river", "an engine, a wheel"]
SERIALIZERS = (
    (JSONSerializer(), {"inputs": TEXTS}),
    (JSONLinesSerializer(), [{"text": text} for text in TEXTS]),
    (CSVSerializer(), [[text] for text in TEXTS]),
)
DESERIALIZERS = (
    JSONDeserializer(),
    JSONLinesDeserializer(),
    CSVDeserializer(),
    PandasDeserializer(),
    PandasDeserializer(accept="application/json"),
    PandasDeserializer(accept="text/csv"),
    NumpyDeserializer(dtype=str, accept="text/csv"),
    NumpyDeserializer(accept="application/json"),
    StringDeserializer(accept="application/json"),
    BytesDeserializer(accept="text/csv"),
)


def session_for(port: int) -> Session:
    """Return a session of the SDK whose calls of an endpoint reach a server of this machine."""
    boto = boto3.Session("a-key", "a-secret", region_name="us-east-1")
    runtime = boto.client("sagemaker-runtime")

    def redirect(request: object, **_: object) -> None:
        request.url = f"http://127.0.0.1:{port}/invocations"  # type: ignore[attr-defined]

    runtime.meta.events.register("before-sign.sagemaker-runtime.InvokeEndpoint", redirect)
    return Session(boto, sagemaker_client=boto.client("sagemaker"), sagemaker_runtime_client=runtime)


def outcomes(port: int) -> dict[str, str]:
    """Return what each pair brings back, in words."""
    session, found = session_for(port), {}
    for serializer, asked in SERIALIZERS:
        for deserializer in DESERIALIZERS:
            accept = ", ".join(deserializer.ACCEPT)
            name = f"{type(serializer).__name__} {type(deserializer).__name__} {accept}"
            predictor = Predictor("endpoint", session, serializer, deserializer)
            try:
                found[name] = str(predictor.predict(asked))
            except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
                found[name] = f"failed: {type(error).__name__}: {error}"
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(outcomes(int(sys.argv[1]))))
