"""The catalogue of checks: what SageMaker does to an image, and how to fix an image that fails."""

import dataclasses
from collections.abc import Collection


@dataclasses.dataclass(frozen=True)
class Check:
    """One thing that SageMaker does or expects.

    Attributes:
        name: group and check, such as serve.stop.
        platform: what SageMaker does.
        remedy: what to change in the image, one sentence.
        is_required: whether a failure counts; what SageMaker does not ask of everybody is only warned about.
    """

    name: str
    platform: str
    remedy: str
    is_required: bool = True

    @property
    def group(self) -> str:
        """What --only names."""
        return self.name.partition(".")[0]


GROUPS = ("image", "train", "stop", "spot", "hosts", "serve", "clients", "batch")

_IMAGE = (
    Check("image.programs", "runs the image with the argument train or serve, looked up on PATH",
          "Install both programs in a folder of PATH with mode 0755."),
    Check("image.shebang", "starts the programs through the kernel, which reads their first line",
          "Give the first line an interpreter that the image has, and save the files with LF line ends."),
    Check("image.platform", "runs linux/amd64 instances (arm64 only where asked for)",
          "Build with --platform linux/amd64."),
    Check("image.entrypoint", "appends the argument to the ENTRYPOINT and sends SIGTERM to the first process",
          "Use no ENTRYPOINT, or one in exec form that handles both arguments; leave init programs out."),
    Check("image.reserved-tree", "mounts over /opt/ml, so that the image's files there disappear",
          "Put code and weights elsewhere, such as /opt/program."),
    Check("image.manifest", "takes Docker's image manifest; CreateModel refuses OCI indexes",
          "Build with --provenance=false --sbom=false and push Docker media types."),
    Check("image.size", "pulls the image at every start; serverless endpoints take 10 GB at most",
          "Leave out build tools, tests and caches; copy from a build stage.", is_required=False),
    Check("image.instructions", "ignores HEALTHCHECK, mounts its own volumes and stops with SIGTERM",
          "Remove HEALTHCHECK, VOLUME, ONBUILD and STOPSIGNAL from the Dockerfile."),
    Check("image.user", "starts containers as root and mounts folders that root owns",
          "Leave USER out, and let the programs work as any user.", is_required=False),
)  # fmt: skip
_TRAIN = (
    Check("train.completes", "starts train with string hyperparameters, no ContentType, no instance groups; 0 = done",
          "Use defaults for what is missing, and exit with 0 only when the model is written."),
    Check("train.read-only-channels", "mounts input channels that may be read-only (FastFile is)",
          "Write nothing beside the data; use /tmp."),
    Check("train.no-network", "with network isolation lets nothing in or out but its own storage",
          "Ship what the program needs or read it from a channel; download nothing at the start."),
    Check("train.small-shm", "gives a container 64 MB of /dev/shm, and no way to get more",
          "Load data without worker processes, or share it through files."),
    Check("train.artifact", "packs /opt/ml/model as model.tar.gz and unpacks it to serve",
          "Write regular files, flat, without links, readable by everybody."),
    Check("train.ballast", "packs all of /opt/ml/model: checkpoints there fill disks and slow down every start",
          "Keep checkpoints and optimizer states in /opt/ml/checkpoints."),
    Check("train.writes", "keeps model, output and checkpoints; only they and /tmp are on the large disk",
          "Write below /opt/ml/model, /opt/ml/output, /opt/ml/checkpoints and /tmp only."),
    Check("train.log", "sends every line of stdout and stderr to CloudWatch",
          "Print whole lines, and no progress bars that redraw themselves with carriage returns."),
    Check("train.encodings", "passes hyperparameters plain or JSON-quoted, with its own sagemaker_* and _tuning_*",
          "Accept values with or without JSON quotes, and ignore names that begin with sagemaker_ or _tuning_."),
    Check("train.missing-channel", "starts a job that lacks a channel, and bills until it ends",
          "Check the channels first and exit with a code other than 0."),
    Check("train.empty-channel", "starts a job whose channel has no files, and bills until it ends",
          "Check for files first and exit with a code other than 0."),
    Check("train.bad-hyperparameter", "passes any value on, and bills until the job ends",
          "Check the hyperparameters first and exit with a code other than 0."),
    Check("train.failure-file", "shows the first 1,024 characters of /opt/ml/output/failure as the reason",
          "Write the cause there, in at most 1,024 characters, before exiting."),
    Check("train.unknown-user", "starts containers as root; other platforms and policies do not",
          "Depend on no user name and no home folder.", is_required=False),
)  # fmt: skip
_STOP = (
    Check("stop.ends", "sends SIGTERM to the first process, and SIGKILL after 120 s",
          "Handle SIGTERM in the first process (exec it; no shell around it) and end within seconds."),
    Check("stop.saves", "uploads what is in /opt/ml/model after a stop",
          "Save the best model so far on SIGTERM, or say in the log why there is none."),
)  # fmt: skip
_SPOT = (
    Check("spot.checkpoints", "copies new files of /opt/ml/checkpoints to S3 while the job runs",
          "Save a checkpoint there regularly (and at least once in this job)."),
    Check("spot.resumes", "restarts the job after an interruption with nothing but the checkpoints in S3",
          "At the start, look for the newest whole checkpoint and resume from it."),
    Check("spot.completes", "interrupts without notice, at any moment, even during an upload",
          "Write each checkpoint under another name and rename it; verify it, or fall back to the one before."),
    Check("spot.same-model", "promises nothing about the result of an interrupted job",
          "Keep optimizer, schedule, random state and position in the checkpoint.", is_required=False),
    Check("spot.restart-completed", "may restart a job that has finished training",
          "When the checkpoint says that training is done, write the model and exit with 0."),
)  # fmt: skip
_HOSTS = (
    Check("hosts.both-end", "starts one container per host; resourceconfig.json lists all names, in any order",
          "Sort the hosts, wait for their names, and let all of them end with 0."),
    Check("hosts.one-artifact", "merges /opt/ml/model of all hosts into one archive",
          "Let only the first host write the model, or use other file names on each."),
    Check("hosts.lost-peer", "bills the others until MaxRuntime when they wait for a lost host",
          "Give every wait for other hosts a time limit, and exit with a code other than 0."),
)  # fmt: skip
_SERVE = (
    Check("serve.starts", "asks GET /ping on port 8080 of the container's address, for 8 minutes at most",
          "Listen on 0.0.0.0:8080 and answer 200 as soon as the model is loaded."),
    Check("serve.read-only-model", "mounts /opt/ml/model read-only",
          "Write nothing into the model folder, no cache and no lock."),
    Check("serve.no-network", "with network isolation lets nothing out",
          "Load everything from the image and the model folder."),
    Check("serve.ping-truth", "sends requests as soon as /ping has said 200",
          "Answer /ping with 503 until the model has answered a first request."),
    Check("serve.ping-time", "gives up on a ping after 2 s", "Answer /ping without touching the model."),
    Check("serve.ping-load", "pings on while requests are under way",
          "Keep a thread free for /ping, whatever the load."),
    Check("serve.ping-methods", "pings with GET; its documentation names POST too",
          "Answer GET, HEAD and POST alike.", is_required=False),
    Check("serve.payloads", "passes the request's bytes on and waits 60 s for the answer",
          "Answer each documented content type with 200."),
    Check("serve.wrong-type", "passes any Content-Type on", "Answer a type you cannot read with 415."),
    Check("serve.garbage", "passes any bytes on; each 5xx counts as a fault of the model",
          "Check the body and answer 400 with a reason."),
    Check("serve.6mb", "lets bodies of 6 MB through", "Answer, or refuse with 413, and keep serving."),
    Check("serve.25mb", "lets bodies of 25 MB through where its newer limit applies",
          "Answer, or refuse with 413, and keep serving."),
    Check("serve.custom-attributes", "adds headers of its own and the caller's custom attributes",
          "Ignore headers that you do not know."),
    Check("serve.writes", "gives an endpoint a small disk, and /tmp for scratch", "Write below /tmp only."),
    Check("serve.stop", "sends SIGTERM, and SIGKILL after 30 s, when it scales in or updates",
          "On SIGTERM finish the requests under way and exit with 0."),
    Check("serve.bind-port", "in pipelines names the port in SAGEMAKER_BIND_TO_PORT (the image's label promises it)",
          "Listen on that port when it is set, and set the label accept-bind-to-port."),
    Check("serve.multi-models", "relies on the image's label multi-models",
          "Remove the label, or implement /models."),
    Check("serve.read-only-root", "offers no read-only root; other platforms do",
          "Write below /tmp only.", is_required=False),
    Check("serve.small-shm", "gives serverless containers next to no /dev/shm",
          "Keep the server's worker files in /tmp.", is_required=False),
    Check("serve.unknown-user", "runs serverless containers as another user than root",
          "Depend on no user name and no home folder.", is_required=False),
    Check("serve.empty-model", "starts serve whatever the archive held",
          "Look for the model first, and exit with a reason instead of serving."),
    Check("serve.broken-model", "starts serve whatever the archive held",
          "Verify the files of the model, and exit with a reason instead of serving."),
)  # fmt: skip
_CLIENTS = (
    Check("clients.accept-any", "passes the caller's Accept on, or */* where there is none",
          "Answer in your usual form where Accept is missing or */*."),
    Check("clients.accept-lists", "passes on what browsers and Java accept, such as *; q=.2",
          "Take the lists apart, a lone * for */*, and answer in your usual form.", is_required=False),
    Check("clients.ids", "adds the caller's inference id, and ids of its own",
          "Ignore headers that you do not know, or log them."),
    Check("clients.charset", "passes the parameters of Content-Type on, such as charset=utf-8",
          "Compare the media type without its parameters.", is_required=False),
    Check("clients.csv-header", "passes header=present and header=absent of text/csv on",
          "Leave the first row out for header=present, and answer it for header=absent.", is_required=False),
    Check("clients.json-lines-names", "gives JSON Lines no name; clients send application/jsonlines, x-jsonlines, …",
          "Read them all: jsonlines, x-jsonlines, jsonl and x-ndjson.", is_required=False),
    Check("clients.octet-stream", "sends application/octet-stream for SDK clients that name no type",
          "Read it, or name it in a 4xx with the Content-Type to send.", is_required=False),
    Check("clients.errors", "shows a 4xx to its caller as ModelError, with your body as OriginalMessage",
          "Answer errors as a JSON object with error, one sentence, and code, one word.", is_required=False),
    Check("clients.expect", "need not take Expect: 100-continue away, which curl and SDKs send before large bodies",
          "Answer 100 Continue at once, so that no client waits before it sends the body.", is_required=False),
    Check("clients.hugging-face", "passes the bodies of Hugging Face's clients on: parameters, options, top_k null",
          "Take what is true of your model anyway, and nest answers as transformers' pipeline does.",
          is_required=False),
    Check("clients.all-classes", "sets SAGEMAKER_INFERENCE_OUTPUT for its own containers; Clarify needs all classes",
          "With predicted_label,probabilities answer the probabilities of all classes.", is_required=False),
)  # fmt: skip
_BATCH = (
    Check("batch.starts", "starts serve with SAGEMAKER_BATCH=true", "Serve as usual; the variable is only a hint."),
    Check("batch.execution-parameters", "asks GET /execution-parameters for concurrency and payload first",
          "Answer 404, or numbers whose product is at most 100 MB, and leave BatchStrategy out."),
    Check("batch.single-record", "with SingleRecord sends each line of a file as a request",
          "Answer each line with one line."),
    Check("batch.multi-record", "with MultiRecord sends as many lines as fit MaxPayloadInMB",
          "Answer one line for each line, in order, the same as for the line alone."),
    Check("batch.last-line", "sends the last line of a file with or without a line end",
          "Count a last line without a line end, and no empty line after one with."),
    Check("batch.bad-record", "fails the whole file when one request of it fails",
          "Put an error in the bad record's place and answer its neighbours."),
    Check("batch.line-ends", "adds a line end to each answer with AssembleWith=Line",
          "End answers without a line end, or the output has empty lines.", is_required=False),
)  # fmt: skip

CHECKS = {
    check.name: check
    for checks in (_IMAGE, _TRAIN, _STOP, _SPOT, _HOSTS, _SERVE, _CLIENTS, _BATCH)
    for check in checks
}


def names_of(group: str, without: Collection[str] = ()) -> tuple[str, ...]:
    """Return the names of a group's checks, in the catalogue's order."""
    return tuple(name for name, check in CHECKS.items() if check.group == group and name not in without)
