"""The catalogue of checks: what SageMaker does to an image, and how to fix an image that fails."""

import dataclasses
from collections.abc import Collection

from sagemaker_emulator.level import Level

_REFUSES, _COSTS, _PRACTICE = Level


@dataclasses.dataclass(frozen=True)
class Check:
    """One thing that SageMaker does or expects.

    Attributes:
        name: group and check, such as serve.stop.
        level: what a failure means: the job, endpoint or transform fails (refuses); it works, but money, work or
            requests are lost (costs); or only some callers, modes or other platforms mind (practice). A check may
            judge what it sees to be of another level.
        platform: what SageMaker does.
        remedy: what to change in the image, one sentence.
    """

    name: str
    level: Level
    platform: str
    remedy: str

    @property
    def group(self) -> str:
        """What --only names."""
        return self.name.partition(".")[0]


GROUPS = ("image", "train", "stop", "spot", "hosts", "serve", "clients", "batch")
TRAINING_GROUPS = frozenset({"train", "stop", "spot", "hosts"})
SERVING_GROUPS = frozenset({"serve", "clients", "batch"})

_IMAGE = (
    Check("image.programs", _REFUSES,
          "runs the image with the argument train or serve, looked up on PATH",
          "Install both programs in a folder of PATH with mode 0755."),
    Check("image.shebang", _REFUSES,
          "starts the programs through the kernel, which reads their first line",
          "Give the first line an interpreter that the image has, and save the files with LF line ends."),
    Check("image.platform", _REFUSES,
          "runs linux/amd64 instances (arm64 only where asked for)",
          "Build with --platform linux/amd64."),
    Check("image.entrypoint", _PRACTICE,
          "appends the argument to the ENTRYPOINT and sends SIGTERM to the first process",
          "Use no ENTRYPOINT, or one in exec form that handles both arguments; leave init programs out."),
    Check("image.reserved-tree", _COSTS,
          "reserves /opt/ml and mounts input, model, output and checkpoints there; its toolkit reads /opt/ml/code",
          "Put code and weights elsewhere, such as /opt/program."),
    Check("image.manifest", _REFUSES,
          "takes Docker's image manifest; CreateModel refuses OCI manifests and indexes",
          "Build with --provenance=false --sbom=false and push Docker media types."),
    Check("image.size", _COSTS,
          "pulls the image at every start; serverless endpoints take 10 GB at most",
          "Leave out build tools, tests and caches; copy from a build stage."),
    Check("image.instructions", _PRACTICE,
          "ignores HEALTHCHECK, mounts its own volumes and stops with SIGTERM",
          "Remove HEALTHCHECK, VOLUME, ONBUILD and STOPSIGNAL from the Dockerfile."),
    Check("image.user", _PRACTICE,
          "starts containers as root and mounts folders that root owns",
          "Leave USER out, and let the programs work as any user."),
)  # fmt: skip
_TRAIN = (
    Check("train.completes", _REFUSES,
          "starts train with string hyperparameters, no ContentType, no instance groups; 0 = done",
          "Use defaults for what is missing, and exit with 0 only when the model is written."),
    Check("train.read-only-channels", _PRACTICE,
          "mounts input channels read-only with FastFile",
          "Write nothing beside the data; use /tmp."),
    Check("train.no-network", _PRACTICE,
          "with network isolation lets nothing in or out but its own storage",
          "Ship what the program needs or read it from a channel; download nothing at the start."),
    Check("train.small-shm", _COSTS,
          "documents no size of /dev/shm and offers no way to change it; users report 64 MB",
          "Load data without worker processes, or share it through files."),
    Check("train.artifact", _COSTS,
          "packs /opt/ml/model as model.tar.gz and unpacks it to serve; links in it are not supported",
          "Write regular files, without links, readable by everybody."),
    Check("train.ballast", _COSTS,
          "packs all of /opt/ml/model: checkpoints there fill disks and slow down every start",
          "Keep checkpoints and optimizer states in /opt/ml/checkpoints."),
    Check("train.writes", _PRACTICE,
          "keeps model, output and checkpoints; only they and /tmp are on the large disk",
          "Write below /opt/ml/model, /opt/ml/output, /opt/ml/checkpoints and /tmp only."),
    Check("train.log", _PRACTICE,
          "sends every line of stdout and stderr to CloudWatch",
          "Print whole lines, and no progress bars that redraw themselves with carriage returns."),
    Check("train.encodings", _PRACTICE,
          "JSON-quotes hyperparameters that come with code (source_dir); a generic Estimator sends them plain",
          "Accept values with JSON quotes, too."),
    Check("train.platform-names", _PRACTICE,
          "adds sagemaker_* hyperparameters with source_dir, and _tuning_objective_metric in a tuning job",
          "Ignore names that begin with sagemaker_ or _tuning_."),
    Check("train.missing-channel", _COSTS,
          "starts a job that lacks a channel, and bills until it ends",
          "Check the channels first and exit with a code other than 0."),
    Check("train.empty-channel", _COSTS,
          "starts a job whose channel has no files, and bills until it ends",
          "Check for files first and exit with a code other than 0."),
    Check("train.bad-hyperparameter", _COSTS,
          "passes any value on, and bills until the job ends",
          "Check the hyperparameters first and exit with a code other than 0."),
    Check("train.failure-file", _PRACTICE,
          "shows the first 1,024 characters of /opt/ml/output/failure as the reason",
          "Write the cause there, in at most 1,024 characters, before exiting."),
    Check("train.unknown-user", _PRACTICE,
          "starts containers as root; other platforms and policies do not",
          "Depend on no user name and no home folder."),
)  # fmt: skip
_STOP = (
    Check("stop.ends", _COSTS,
          "sends SIGTERM to the first process, and SIGKILL after 120 s",
          "Handle SIGTERM in the first process (exec it; no shell around it) and end within seconds."),
    Check("stop.saves", _COSTS,
          "uploads what is in /opt/ml/model after a stop",
          "Save the best model so far on SIGTERM, or say in the log why there is none."),
)  # fmt: skip
_SPOT = (
    Check("spot.checkpoints", _COSTS,
          "copies new files of /opt/ml/checkpoints to S3 while the job runs",
          "Save a checkpoint there regularly (and at least once in this job)."),
    Check("spot.resumes", _COSTS,
          "restarts the job after an interruption with nothing but the checkpoints in S3",
          "At the start, look for the newest whole checkpoint and resume from it."),
    Check("spot.completes", _COSTS,
          "interrupts without notice, at any moment, even during an upload",
          "Write each checkpoint under another name and rename it; verify it, or fall back to the one before."),
    Check("spot.same-model", _PRACTICE,
          "promises nothing about the result of an interrupted job",
          "Keep optimizer, schedule, random state and position in the checkpoint."),
    Check("spot.restart-completed", _COSTS,
          "may restart a job that has finished training",
          "When the checkpoint says that training is done, write the model and exit with 0."),
)  # fmt: skip
_HOSTS = (
    Check("hosts.both-end", _REFUSES,
          "starts one container per host; resourceconfig.json lists all names, in any order",
          "Sort the hosts, wait for their names, and let all of them end with 0."),
    Check("hosts.one-artifact", _COSTS,
          "merges /opt/ml/model of all hosts into one archive",
          "Let only the first host write the model, or use other file names on each."),
    Check("hosts.lost-peer", _COSTS,
          "fails the job when a host is lost, and bills the others for as long as they wait for it",
          "Give every wait for other hosts a time limit, and exit with a code other than 0."),
)  # fmt: skip
_SERVE = (
    Check("serve.starts", _REFUSES,
          "asks GET /ping on port 8080 of the container's address, for 8 minutes at most",
          "Listen on 0.0.0.0:8080 and answer 200 as soon as the model is loaded."),
    Check("serve.read-only-model", _REFUSES,
          "mounts /opt/ml/model read-only",
          "Write nothing into the model folder, no cache and no lock."),
    Check("serve.no-network", _PRACTICE,
          "with network isolation lets nothing out",
          "Load everything from the image and the model folder."),
    Check("serve.ping-truth", _COSTS,
          "sends requests as soon as /ping has said 200",
          "Answer /ping with 503 until the model has answered a first request."),
    Check("serve.ping-time", _REFUSES,
          "gives up on a ping after 2 s",
          "Answer /ping without touching the model."),
    Check("serve.ping-load", _COSTS,
          "pings on while requests are under way",
          "Keep a thread free for /ping, whatever the load."),
    Check("serve.ping-methods", _PRACTICE,
          "pings with GET; its documentation names POST too",
          "Answer GET, HEAD and POST alike."),
    Check("serve.payloads", _REFUSES,
          "passes the request's bytes on and waits 60 s for the answer",
          "Answer each documented content type with 200."),
    Check("serve.wrong-type", _PRACTICE,
          "passes any Content-Type on",
          "Answer a type you cannot read with 415."),
    Check("serve.garbage", _PRACTICE,
          "passes any bytes on; each 5xx counts as a fault of the model",
          "Check the body and answer 400 with a reason."),
    Check("serve.6mb", _COSTS,
          "lets bodies of 6 MB through",
          "Answer, or refuse with a 4xx such as 413, and keep serving."),
    Check("serve.25mb", _COSTS,
          "lets bodies of 25 MB through where its newer limit applies",
          "Answer, or refuse with a 4xx such as 413, and keep serving."),
    Check("serve.custom-attributes", _REFUSES,
          "adds headers of its own and the caller's custom attributes",
          "Ignore headers that you do not know."),
    Check("serve.writes", _PRACTICE,
          "gives an endpoint a small disk, and /tmp for scratch",
          "Write below /tmp only."),
    Check("serve.stop", _COSTS,
          "sends SIGTERM, and SIGKILL after 30 s, when it scales in or updates",
          "On SIGTERM finish the requests under way and end."),
    Check("serve.bind-port", _PRACTICE,
          "in pipelines names the port in SAGEMAKER_BIND_TO_PORT (the image's label promises it)",
          "Listen on that port when it is set, and set the label accept-bind-to-port."),
    Check("serve.multi-models", _COSTS,
          "relies on the image's label multi-models",
          "Remove the label, or implement /models."),
    Check("serve.read-only-root", _PRACTICE,
          "offers no read-only root; other platforms do",
          "Write below /tmp only."),
    Check("serve.small-shm", _PRACTICE,
          "gives serverless containers next to no /dev/shm",
          "Keep the server's worker files in /tmp."),
    Check("serve.unknown-user", _PRACTICE,
          "runs serverless containers as another user than root",
          "Depend on no user name and no home folder."),
    Check("serve.empty-model", _COSTS,
          "starts serve whatever the archive held, and calls it in service when /ping says 200",
          "Look for the model first, and exit with a reason instead of serving."),
    Check("serve.broken-model", _COSTS,
          "starts serve whatever the archive held, and calls it in service when /ping says 200",
          "Verify the files of the model, and exit with a reason instead of serving."),
)  # fmt: skip
_CLIENTS = (
    Check("clients.accept-any", _COSTS,
          "passes the caller's Accept on, or */* where there is none",
          "Answer in your usual form where Accept is missing or */*."),
    Check("clients.accept-lists", _PRACTICE,
          "passes on what browsers and Java accept, such as *; q=.2",
          "Take the lists apart, a lone * for */*, and answer in your usual form."),
    Check("clients.ids", _COSTS,
          "adds the caller's inference id, and ids of its own",
          "Ignore headers that you do not know, or log them."),
    Check("clients.charset", _PRACTICE,
          "passes the parameters of Content-Type on, such as charset=utf-8",
          "Compare the media type without its parameters."),
    Check("clients.csv-header", _PRACTICE,
          "passes header=present and header=absent of text/csv on",
          "Leave the first row out for header=present, and answer it for header=absent."),
    Check("clients.json-lines-names", _PRACTICE,
          "gives JSON Lines no name; clients send application/jsonlines, x-jsonlines, …",
          "Read them all: jsonlines, x-jsonlines, jsonl and x-ndjson."),
    Check("clients.octet-stream", _PRACTICE,
          "sends application/octet-stream for SDK clients that name no type",
          "Read it, or name it in a 4xx with the Content-Type to send."),
    Check("clients.errors", _PRACTICE,
          "shows a 4xx to its caller as ModelError, with your body as OriginalMessage",
          "Answer errors as a JSON object with error, one sentence, and code, one word."),
    Check("clients.expect", _PRACTICE,
          "need not take Expect: 100-continue away, which curl and SDKs send before large bodies",
          "Answer 100 Continue at once, so that no client waits before it sends the body."),
    Check("clients.hugging-face", _PRACTICE,
          "passes the bodies of Hugging Face's clients on: parameters, options, top_k null",
          "Take what is true of your model anyway, and nest answers as transformers' pipeline does."),
    Check("clients.all-classes", _PRACTICE,
          "sets SAGEMAKER_INFERENCE_OUTPUT for its own containers; Clarify needs all classes",
          "With predicted_label,probabilities answer the probabilities of all classes."),
)  # fmt: skip
_BATCH = (
    Check("batch.starts", _REFUSES,
          "starts serve with SAGEMAKER_BATCH=true",
          "Serve as usual; the variable is only a hint."),
    Check("batch.execution-parameters", _REFUSES,
          "asks GET /execution-parameters for concurrency and payload first",
          "Answer 404, or numbers whose product is at most 100 MB, and leave BatchStrategy out."),
    Check("batch.single-record", _COSTS,
          "with SingleRecord sends each line of a file as a request",
          "Answer each line with one line."),
    Check("batch.multi-record", _COSTS,
          "with MultiRecord sends as many lines as fit MaxPayloadInMB",
          "Answer one line for each line, in order, the same as for the line alone."),
    Check("batch.last-line", _COSTS,
          "sends the last line of a file with or without a line end",
          "Count a last line without a line end, and no empty line after one with."),
    Check("batch.bad-record", _COSTS,
          "fails the whole file when one request of it fails",
          "Put an error in the bad record's place and answer its neighbours."),
    Check("batch.line-ends", _PRACTICE,
          "adds a line end to each answer with AssembleWith=Line",
          "End answers without a line end, or the output has empty lines."),
)  # fmt: skip

CHECKS = {
    check.name: check
    for checks in (_IMAGE, _TRAIN, _STOP, _SPOT, _HOSTS, _SERVE, _CLIENTS, _BATCH)
    for check in checks
}


def names_of(group: str, without: Collection[str] = ()) -> tuple[str, ...]:
    """Return the names of a group's checks, in the catalogue's order."""
    return tuple(name for name, check in CHECKS.items() if check.group == group and name not in without)
