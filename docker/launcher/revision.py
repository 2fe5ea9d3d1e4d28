"""Which revision of the program the files here are, and the tag of an image that is built from them."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_DIGITS = 12  # of a digest, in a tag


def head_of(folder: Path = ROOT) -> str:
    """Return the git revision of a folder, with -dirty for uncommitted changes; "" outside git."""
    return _output_of("revision.sh", str(folder))


def tree_digest() -> str:
    """Return the digest of the program's files, which build.sh writes into the image's label; "" if it fails."""
    return _output_of("program_digest.sh")


def tree_tag(flavour: str) -> str:
    """Return the tag that `push` gives an image of the files here."""
    head = head_of() or "unknown"
    return tag(flavour, head, tree_digest() if head.endswith("-dirty") else "")


def tag(flavour: str, revision: str, digest: str) -> str:
    """Return the tag of an image; it needs the digest when dirty, because the revision names many states then."""
    suffix = f"-{digest[:_DIGITS]}" if digest and revision.endswith("-dirty") else ""
    return f"{flavour}-{revision}{suffix}"


def _output_of(script: str, *arguments: str) -> str:
    command = [str(ROOT / "docker" / script), *arguments]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
    return ended.stdout.strip()
