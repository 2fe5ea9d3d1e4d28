"""AWS on this machine: moto's server on a free loopback port, and the requests that it was sent.

What moto does not do, or answers otherwise than AWS, a small server before it can answer: `Aws.answering`.
"""

import base64
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from support.aws_stand_in import Answer, Reply, handler, permitted
from support.free_port import free_port
from support.patience import PATIENCE_S

REPOSITORY = Path(__file__).parents[2]
HOST_PYTHON = REPOSITORY / ".venv" / "host" / "bin" / "python"  # with the SageMaker SDK, version 2
SDK3_PYTHON = REPOSITORY / ".venv" / "sdk3" / "bin" / "python"  # with version 3
LAUNCHER = REPOSITORY / "docker" / "launcher"
REGION = "us-east-1"
ACCOUNT = "123456789012"  # moto's
BUCKET = "a-bucket"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/sagemaker-job"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_DIGEST = "sha256:" + "0" * 64
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


@dataclasses.dataclass(frozen=True)
class Aws:
    """An account of one test's own, with a bucket and a role.

    Attributes:
        url: address of every service.
        environ: what a program needs to speak to it, and to nothing else.
        answered: operation or path, and body, of what `answering` has answered.
    """

    url: str
    environ: dict[str, str]
    answered: list[tuple[str, bytes]] = dataclasses.field(default_factory=list)

    def client(self, service: str) -> Any:
        """Return a boto3 client."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def launch(
        self,
        *arguments: str,
        timeout: float = PATIENCE_S,
        program: str = str(LAUNCHER),
        python: Path = HOST_PYTHON,
        **environ: str,
    ) -> Ended:
        """Run a command of the launcher as its user does; skip where its Python is not installed."""
        with self.start(*arguments, program=program, python=python, **environ) as process:
            try:
                out, err = process.communicate(timeout=timeout)
            finally:
                process.kill()
        return Ended(process.returncode, out, err)

    def start(
        self, *arguments: str, program: str = str(LAUNCHER), python: Path = HOST_PYTHON, **environ: str
    ) -> "subprocess.Popen[str]":
        """Start a command of the launcher, or a program that runs it; skip where its Python is not installed."""
        if not python.exists():
            pytest.skip(f"{python} is not installed: `make test` does that")
        return subprocess.Popen(
            [str(python), program, *arguments],
            env={**self.environ, **environ},
            cwd=environ.get("PWD", REPOSITORY),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def put_image(self, repository: str, tag: str, media_type: str = DOCKER_MANIFEST) -> None:
        """Make a repository with an image, as far as ECR describes one."""
        config = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 1, "digest": _DIGEST}
        manifest = {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": []}
        with contextlib.suppress(self.client("ecr").exceptions.RepositoryAlreadyExistsException):
            self.client("ecr").create_repository(repositoryName=repository)
        self.client("ecr").put_image(
            repositoryName=repository,
            imageManifest=json.dumps(manifest),
            imageManifestMediaType=media_type,
            imageTag=tag,
        )

    @contextlib.contextmanager
    def image_saying(self, architecture: str = "amd64", **labels: str) -> Iterator["Aws"]:
        """Let every image in ECR have these labels (_ stands for - and __ for .), as long as the context lasts."""
        named = {name.replace("__", ".").replace("_", "-"): value for name, value in labels.items()}
        config = {"os": "linux", "architecture": architecture, "config": {"Labels": named}}
        address = self.address_of("image-config.json", json.dumps(config))
        with self.answering(GetDownloadUrlForLayer=Answer.json({"downloadUrl": address})) as here:
            yield here

    def put_log(self, job: str, line: str) -> None:
        """Let a training job have logged a line."""
        self.put_log_line("/aws/sagemaker/TrainingJobs", f"{job}/algo-1-1", line)

    def put_log_line(self, group: str, stream: str, line: str) -> None:
        """Let a line stand in a stream of a log group."""
        logs = self.client("logs")
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        event = {"timestamp": int(time.time() * 1000), "message": line}
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])

    def put(self, key: str, content: str) -> None:
        """Store an object in BUCKET."""
        self.client("s3").put_object(Bucket=BUCKET, Key=key, Body=content.encode())

    def address_of(self, key: str, content: str) -> str:
        """Store an object in BUCKET; return its presigned address, such as ECR hands out for a layer."""
        self.put(key, content)
        where = {"Bucket": BUCKET, "Key": key}
        return str(self.client("s3").generate_presigned_url("get_object", Params=where))

    def stored(self) -> list[str]:
        """Return the keys of all objects in BUCKET."""
        found = self.client("s3").list_objects_v2(Bucket=BUCKET)
        return [item["Key"] for item in found.get("Contents", ())]

    @contextlib.contextmanager
    def answering(
        self, owners: Mapping[str, str] = MappingProxyType({}), /, **answers: Reply | Sequence[Reply]
    ) -> Iterator["Aws"]:
        """Answer some operations otherwise than moto does, as long as the context lasts.

        Args:
            owners: accounts of buckets that are not this one's.
        """
        server = ThreadingHTTPServer(
            ("127.0.0.1", 0), handler(self.environ["AWS_ENDPOINT_URL"], answers, self.answered, owners)
        )
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield dataclasses.replace(self, environ={**self.environ, "AWS_ENDPOINT_URL": address})
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def requests(self, operation: str) -> list[dict[str, Any]]:
        """Return the bodies of all requests of an operation of a JSON service so far, such as CreateTrainingJob."""
        reached = [_body(sent) for sent in self.recorded() if _operation(sent) == operation]
        return reached + [json.loads(body) for name, body in self.answered if name == operation]

    def recorded(self) -> list[dict[str, Any]]:
        """Return all requests that have reached moto, in order: method, url, headers, body."""
        recording = _ask(f"{self.url}/moto-api/recorder/download-recording").decode()
        return [json.loads(line) for line in recording.splitlines()]

    def start_recording(self) -> None:
        """Forget what was recorded, and go on recording."""
        _ask(f"{self.url}/moto-api/recorder/reset-recording", "POST")
        _ask(f"{self.url}/moto-api/recorder/start-recording", "POST")

    def operations(self) -> list[str]:
        """Return the names of all operations of JSON services that were called, in order."""
        return [name for sent in self.recorded() if (name := _operation(sent))]

    def invocations(self) -> list[tuple[dict[str, str], bytes]]:
        """Return headers and body of each request to an endpoint."""
        sent = [request for request in self.recorded() if "/invocations" in request["url"]]
        return [(dict(request["headers"]), raw_body(request)) for request in sent]

    def put_artifact(self, key: str = "mine/jobs/a-job/output/model.tar.gz") -> str:
        """Store something in the place of a trained model; return its URI."""
        self.put(key, "an archive")
        return f"s3://{BUCKET}/{key}"


def _operation(sent: dict[str, Any]) -> str:
    return str(dict(sent["headers"]).get("X-Amz-Target", "")).rpartition(".")[2]


def _body(sent: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(raw_body(sent) or b"{}")
    return body


def raw_body(sent: dict[str, Any]) -> bytes:
    """Return the bytes of a recorded request's body."""
    raw = str(sent["body"] or "")
    return base64.b64decode(raw) if sent.get("body_encoded") else raw.encode()


def _ask(url: str, method: str = "GET") -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=PATIENCE_S) as answer:
        content: bytes = answer.read()
    return content


@pytest.fixture(scope="session")
def aws_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start moto's server with its recorder; return its address."""
    from support.service_descriptions import read_once

    folder, port = tmp_path_factory.mktemp("moto"), free_port()
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            env={**os.environ, "MOTO_RECORDER_FILEPATH": str(folder / "requests")},
            stdout=log,
            stderr=log,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_up(url, server, folder / "log")
        with read_once():
            yield url
    finally:
        server.terminate()
        server.wait(PATIENCE_S)


def _wait_until_up(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            _ask(f"{url}/moto-api/data.json")
        except OSError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        else:
            return


@pytest.fixture
def aws(aws_server: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Return an empty account with BUCKET, and ROLE that may do everything; requests are recorded from here on."""
    _ask(f"{aws_server}/moto-api/reset", "POST")
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAUNCHER_"))
    }
    environ |= {
        "AWS_ENDPOINT_URL": aws_server,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": str(tmp_path / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(tmp_path),
        "LAUNCHER_SETTINGS_FILE": str(tmp_path_factory.mktemp("settings") / "launcher.toml"),
    }
    Path(environ["LAUNCHER_SETTINGS_FILE"]).touch()
    account = Aws(aws_server, environ)
    account.client("s3").create_bucket(Bucket=BUCKET)
    account.client("iam").create_role(RoleName="sagemaker-job", AssumeRolePolicyDocument=json.dumps(TRUST))
    account.start_recording()
    with account.answering(SimulatePrincipalPolicy=permitted()) as permitting:
        yield permitting
