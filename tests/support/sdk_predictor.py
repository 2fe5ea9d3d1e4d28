"""Asks a server as the SageMaker SDK's Predictor does; runs in the SDK's own environment, with a port as argument.

Prints a JSON object: `pairs`, what each serializer with each deserializer brought back, in one shape; `places`, which
of three records failed; `refused`, what was said of bodies without texts; `endpoint`, for sagemaker_core.
"""

import io
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import numpy as np
import pandas as pd  # type: ignore[import-untyped]
from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session
from sagemaker import Session
from sagemaker import deserializers as sdk_out
from sagemaker import serializers as sdk_in
from sagemaker.predictor import Predictor
from sagemaker_core.main.resources import Endpoint  # type: ignore[import-not-found]
from urllib3.response import HTTPResponse

TEXTS = ["apple river", 'an engine, a wheel, "and" more', "Über Brücken: violin"]
_QUOTED = "".join('"' + text.replace('"', '""') + '"\n' for text in TEXTS)
_TRAINING_FILE = "label,text\n" + "".join(f"Alpha,{row}\n" for row in _QUOTED.splitlines())
_LINES = "\n".join(json.dumps({"text": text}) for text in TEXTS)
_FRAME = pd.DataFrame({"label": ["Alpha", "Beta", "Alpha"], "text": TEXTS})
_IDENTITY = {
    "application/json": json.dumps({"inputs": TEXTS}).encode(),
    "application/jsonlines": _LINES.encode(),
    "text/csv": _QUOTED.encode(),
    "text/csv; charset=utf-8": _QUOTED.encode(),
    "text/csv; header=present": ("text\n" + _QUOTED).encode(),
    "text/plain": "\n".join(TEXTS).encode(),
}


def _saved(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _asked() -> Iterator[tuple[str, Any, Any]]:
    """Yield a name, a serializer and what it serializes: TEXTS in each form that the SDK has for them."""
    for name, value in {
        "inputs": {"inputs": TEXTS},
        "list": TEXTS,
        "instances": {"instances": TEXTS},
        "array": np.array(TEXTS),
        "file": io.StringIO(json.dumps(TEXTS)),
    }.items():
        yield f"JSON {name}", sdk_in.JSONSerializer(), value
    for name, value in {
        "objects": [{"text": text} for text in TEXTS],
        "strings": TEXTS,
        "text": _LINES,
    }.items():
        yield f"JSONLines {name}", sdk_in.JSONLinesSerializer(), value
    for name, value in {
        "rows": [[text] for text in TEXTS],
        "strings": TEXTS,
        "array": np.array([[text] for text in TEXTS]),
        "frame": _FRAME[["text"]],
        "labelled frame": _FRAME,
        "training file": io.StringIO(_TRAINING_FILE),
    }.items():
        yield f"CSV {name}", sdk_in.CSVSerializer(), value
    for kind, body in _IDENTITY.items():
        yield f"Identity {kind}", sdk_in.IdentitySerializer(content_type=kind), body
    yield "String", sdk_in.StringSerializer(), "\n".join(TEXTS)
    yield "Numpy list", sdk_in.NumpySerializer(), TEXTS
    yield "Numpy array", sdk_in.NumpySerializer(), np.array(TEXTS)


def _refused() -> Iterator[tuple[str, Any, Any]]:
    """Yield the serializers of forms without texts; those of torch and scipy by their type, for want of either."""
    yield "Identity", sdk_in.IdentitySerializer(), TEXTS[0].encode()
    yield "Data", sdk_in.DataSerializer(), TEXTS[0].encode()
    yield "LibSVM", sdk_in.LibSVMSerializer(), "1 1:0.5 2:0.25"
    yield "RecordIO", _record_serializer(), np.array([[0.5, 0.25]])
    yield "SparseMatrix", sdk_in.IdentitySerializer(content_type="application/x-npz"), b"PK\x03\x04"
    yield "TorchTensor", sdk_in.IdentitySerializer(content_type="tensor/pt"), _saved(np.zeros(3))
    yield "Numpy numbers", sdk_in.NumpySerializer(), np.array([[0.5, 0.25]])
    yield "Numpy pickle", sdk_in.NumpySerializer(), np.array(TEXTS, dtype=object)


def _record_serializer() -> Any:
    from sagemaker.amazon.common import RecordSerializer

    return RecordSerializer()


def _of_entries(entries: Any) -> list[list[Any]]:
    return [[entry["label"], entry["score"]] for entry in entries]


def _of_rows(rows: Any) -> list[list[Any]]:
    """Return label and score of rows of three cells, of which the last is for an error and here empty."""
    cells = [list(row) for row in rows]
    assert all(len(row) == 3 and row[2] in ("", None) for row in cells), cells
    return [[label, float(score)] for label, score, _ in cells]


def _of_frame(frame: Any) -> list[list[Any]]:
    return [[label, score] for label, score in zip(frame["label"], frame["score"], strict=True)]


def _of_headed_frame(frame: Any) -> list[list[Any]]:
    assert list(frame.columns) == ["label", "score", "error"]
    assert frame["error"].isna().all()
    return _of_frame(frame)


def _of_frame_without_header(frame: Any) -> list[list[Any]]:
    """Return the rows of a frame for which pandas took the first row as the header, as it always does."""
    return [[str(frame.columns[0]), float(frame.columns[1])], *([a, b] for a, b, _ in frame.values.tolist())]


def _of_array(array: Any) -> dict[str, Any]:
    assert array.dtype == np.float64
    return {"probabilities": array.tolist()}


def _of_bytes(body: bytes) -> Any:
    """Return what an answer of any form says; its first bytes tell which it is."""
    if body.startswith(b"\x93NUMPY"):
        return _of_array(np.load(io.BytesIO(body)))
    if body.startswith(b"["):
        return _of_entries(json.loads(body))
    if body.startswith(b"{"):
        return _of_entries(map(json.loads, body.splitlines()))
    return _of_rows(line.split(",") for line in body.decode().splitlines())


def _of_stream(streamed: Any) -> Any:
    stream, content_type = streamed
    body = stream.read()
    stream.close()
    assert content_type in ("application/json", "application/jsonlines", "text/csv", "application/x-npy")
    return _of_bytes(body)


_ALL = "output=probabilities"
DESERIALIZERS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (sdk_out.JSONDeserializer(), _of_entries),
    (sdk_out.JSONLinesDeserializer(), _of_entries),
    (sdk_out.CSVDeserializer(), _of_rows),
    (sdk_out.PandasDeserializer(), _of_frame),
    (sdk_out.PandasDeserializer(accept="application/json"), _of_frame),
    (sdk_out.PandasDeserializer(accept="text/csv"), _of_frame_without_header),
    (sdk_out.PandasDeserializer(accept="text/csv; header=present"), _of_headed_frame),
    (sdk_out.NumpyDeserializer(), _of_array),
    (sdk_out.NumpyDeserializer(dtype=str, accept="text/csv"), lambda array: _of_rows(array.tolist())),
    (sdk_out.NumpyDeserializer(accept=f"text/csv; {_ALL}"), _of_array),
    (sdk_out.NumpyDeserializer(accept="application/json"), lambda array: _of_entries(array.tolist())),
    (sdk_out.StringDeserializer(), lambda text: _of_bytes(text.encode())),
    (sdk_out.StringDeserializer(accept="text/csv"), lambda text: _of_bytes(text.encode())),
    (sdk_out.BytesDeserializer(), _of_bytes),
    (sdk_out.BytesDeserializer(accept="text/csv"), _of_bytes),
    (sdk_out.StreamDeserializer(), _of_stream),
    (sdk_out.StreamDeserializer(accept="application/jsonlines"), _of_stream),
)


_PLACES: tuple[tuple[Any, Callable[[Any], list[bool]]], ...] = (
    (sdk_out.JSONDeserializer(), lambda entries: ["error" in entry for entry in entries]),
    (sdk_out.JSONLinesDeserializer(), lambda entries: ["error" in entry for entry in entries]),
    (sdk_out.CSVDeserializer(), lambda rows: [bool(row[2]) and not row[0] for row in rows]),
    (sdk_out.PandasDeserializer(), lambda frame: frame["label"].isna().tolist()),
    (
        sdk_out.PandasDeserializer(accept="text/csv; header=present"),
        lambda frame: frame["error"].notna().tolist(),
    ),
    (sdk_out.NumpyDeserializer(), lambda array: np.isnan(array).all(axis=1).tolist()),
)


def boto_session_for(port: int) -> Any:
    """Return a session of boto3 whose calls of an endpoint reach a server of this machine."""
    boto = boto3.Session("a-key", "a-secret", region_name="us-east-1")

    def send(request: Any, **_: object) -> AWSResponse:
        request.url = f"http://127.0.0.1:{port}/invocations"
        answer = URLLib3Session().send(request)
        return answer if answer.status_code < 400 else _model_error(answer)

    boto.events.register("before-send.sagemaker-runtime.InvokeEndpoint", send)
    return boto


def _model_error(answer: AWSResponse) -> AWSResponse:
    """Return what SageMaker makes of a container's 4xx or 5xx: a ModelError that quotes it."""
    who = "client" if answer.status_code < 500 else "server"
    text = answer.content.decode()
    said = {
        "Message": f'Received {who} error ({answer.status_code}) from primary with message "{text}".',
        "OriginalStatusCode": answer.status_code,
        "OriginalMessage": text,
    }
    headers = {"x-amzn-errortype": "ModelError", "content-type": "application/json"}
    raw = HTTPResponse(io.BytesIO(json.dumps(said).encode()), headers, 424, preload_content=False)
    return AWSResponse(answer.url, 424, headers, raw)


def _predicted(session: Session, serializer: Any, deserializer: Any, asked: Any) -> Any:
    if hasattr(asked, "seek"):
        asked.seek(0)
    return Predictor("endpoint", session, serializer, deserializer).predict(asked)


def pairs(session: Session) -> dict[str, Any]:
    """Return what each pair brings back, or the error."""
    found: dict[str, Any] = {}
    for (name, serializer, asked), (deserializer, read) in itertools.product(_asked(), DESERIALIZERS):
        pair = f"{name} → {type(deserializer).__name__} {', '.join(deserializer.ACCEPT)}"
        try:
            found[pair] = read(_predicted(session, serializer, deserializer, asked))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            found[pair] = f"failed: {type(error).__name__}: {error}"
    return found


def places_of_errors(session: Session) -> dict[str, list[bool]]:
    """Return for each deserializer which of three records had no answer: the second is empty."""
    asked = [{"text": TEXTS[0]}, {"text": ""}, {"text": TEXTS[1]}]
    return {
        f"{type(deserializer).__name__} {', '.join(deserializer.ACCEPT)}": read(
            _predicted(session, sdk_in.JSONLinesSerializer(), deserializer, asked)
        )
        for deserializer, read in _PLACES
    }


def refusals(session: Session) -> dict[str, str]:
    """Return the error that each form without texts raises at its caller."""
    found = {}
    for name, serializer, asked in _refused():
        try:
            found[name] = f"answered: {_predicted(session, serializer, sdk_out.JSONDeserializer(), asked)}"
        except Exception as error:  # noqa: BLE001 - the test reads it
            found[name] = f"{serializer.CONTENT_TYPE}: {error}"
    return found


def from_endpoint(boto: Any) -> Any:
    """Return what `Endpoint.invoke` of sagemaker_core, on which version 3 of the SDK is built, is answered."""
    answer = Endpoint(endpoint_name="endpoint").invoke(
        body=json.dumps({"inputs": TEXTS}),
        content_type="application/json",
        accept="application/json",
        session=boto,
        region="us-east-1",
    )
    return _of_entries(json.loads(answer.body.read()))


def main(port: int) -> None:
    """Ask for everything and print it."""
    boto = boto_session_for(port)
    session = Session(
        boto,
        sagemaker_client=boto.client("sagemaker"),
        sagemaker_runtime_client=boto.client("sagemaker-runtime"),
    )
    found = {
        "pairs": pairs(session),
        "places": places_of_errors(session),
        "refused": refusals(session),
        "endpoint": from_endpoint(boto),
    }
    sys.stdout.write("\n" + json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]))
