"""A real registry under ECR's name on this machine: Debian's docker-registry with TLS and moto's password.

For the time of the tests /etc/hosts leads the name to loopback; that needs root, port 443 and a Docker engine.
"""

import base64
import contextlib
import dataclasses
import os
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.aws import ACCOUNT, REGION, Aws
from support.aws_stand_in import Answer, Reply
from support.containers import docker, engine_problem
from support.patience import PATIENCE_S

HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
_PASSWORD = f"{ACCOUNT}-auth-token"  # what moto's GetAuthorizationToken hands out
_HOSTS = Path("/etc/hosts")
_CONFIG = """
version: 0.1
http: {{addr: "127.0.0.1:443", tls: {{certificate: {folder}/cert.pem, key: {folder}/key.pem}}}}
auth: {{htpasswd: {{realm: ecr, path: {folder}/htpasswd}}}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}}}
"""


@dataclasses.dataclass(frozen=True)
class EcrRegistry:
    """A registry that answers under HOST; `certificate` is the one to trust."""

    certificate: Path

    def get_manifest(self, repository: str, tag: str, media_type: str) -> bytes:
        """Return a manifest in the form of that type."""
        return self._ask(f"{repository}/manifests/{tag}", "GET", {"Accept": media_type})[1]

    def put_manifest(self, repository: str, tag: str, media_type: str, body: bytes) -> None:
        """Store a manifest whose blobs are there."""
        self._ask(f"{repository}/manifests/{tag}", "PUT", {"Content-Type": media_type}, body)

    def answers(self, aws: Aws) -> dict[str, Reply]:
        """Return what ECR's own API answers about images in this registry, of which moto knows nothing."""

        def image(request: dict[str, Any]) -> Answer:
            accept, tag = ", ".join(request["acceptedMediaTypes"]), request["imageIds"][0]["imageTag"]
            try:
                headers, body = self._ask(
                    f"{request['repositoryName']}/manifests/{tag}", "GET", {"Accept": accept}
                )
            except urllib.error.HTTPError as error:
                if error.code != 404:
                    raise
                return Answer.json({"images": [], "failures": [{"failureCode": "ImageNotFound"}]})
            found = {
                "imageId": {"imageDigest": headers["Docker-Content-Digest"], "imageTag": tag},
                "imageManifest": body.decode(),
                "imageManifestMediaType": headers["Content-Type"],
            }
            return Answer.json({"images": [found], "failures": []})

        def layer(request: dict[str, Any]) -> Answer:
            blob = f"{request['repositoryName']}/blobs/{request['layerDigest']}"
            address = aws.address_of("layer", self._ask(blob, "GET", {"Accept": "*/*"})[1].decode())
            return Answer.json({"downloadUrl": address})

        return {"BatchGetImage": image, "GetDownloadUrlForLayer": layer}

    def _ask(
        self, path: str, method: str, headers: dict[str, str], body: bytes | None = None
    ) -> tuple[Any, bytes]:
        login = base64.b64encode(f"AWS:{_PASSWORD}".encode()).decode()
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(self.certificate))),
        )
        headers = {**headers, "Authorization": f"Basic {login}"}
        request = urllib.request.Request(f"https://{HOST}/v2/{path}", body, headers, method=method)
        with opener.open(request, timeout=PATIENCE_S) as answer:
            return answer.headers, answer.read()


@pytest.fixture(scope="session")
def ecr_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EcrRegistry]:
    """Start the registry, and lead ECR's name to it; skip where that cannot be done."""
    problem = _problem()
    if problem:
        pytest.skip(problem)
    folder = tmp_path_factory.mktemp("registry")
    _write_secrets(folder)
    (folder / "config.yml").write_text(_CONFIG.format(folder=folder), encoding="utf-8")
    with (folder / "log").open("wb") as log, _named(HOST):
        server = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "config.yml")], stdout=log, stderr=log
        )
        try:
            _wait_for_engine(server, folder)
            yield EcrRegistry(folder / "cert.pem")
        finally:
            server.terminate()
            server.wait(PATIENCE_S)


def _problem() -> str:
    missing = [name for name in ("docker-registry", "htpasswd", "openssl") if not shutil.which(name)]
    if missing:
        return f"this machine has no {', '.join(missing)}"
    if os.getuid() != 0 or not os.access(_HOSTS, os.W_OK):
        return "only root may lead ECR's name to a registry of this machine"
    return engine_problem()


def _write_secrets(folder: Path) -> None:
    names = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    keys = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    subprocess.run([*command, *keys, *names], check=True, capture_output=True)
    subprocess.run(
        ["htpasswd", "-Bbc", str(folder / "htpasswd"), "AWS", _PASSWORD], check=True, capture_output=True
    )


@contextlib.contextmanager
def _named(host: str) -> Iterator[None]:
    """Lead a name to loopback; in the end the file is as it was, whatever else was written to it meanwhile."""
    line = f"127.0.0.1 {host} # for the time of a test"
    with _HOSTS.open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    try:
        yield
    finally:
        # Written in place: in a container the file is a mount, which nothing can be renamed onto.
        text = _HOSTS.read_text(encoding="utf-8")
        _HOSTS.write_text(text.replace(f"\n{line}\n", ""), encoding="utf-8")


def _wait_for_engine(server: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Wait until the engine, too, has noticed the name: some seconds."""
    config = folder / "docker"
    deadline = time.monotonic() + PATIENCE_S
    while True:
        if server.poll() is not None:
            pytest.skip(f"no registry can be run: {(folder / 'log').read_text()[-300:]}")
        tried = docker(
            "--config", str(config), "login", "--username=AWS", f"--password={_PASSWORD}", HOST, check=False
        )
        if tried.returncode == 0:
            return
        assert time.monotonic() < deadline, tried.stderr
        time.sleep(0.5)
