"""The control groups of this process, whose limits a container has.

Standard library only.
"""

from collections.abc import Iterator
from pathlib import Path


def groups_of(controller: str, root: Path = Path("/")) -> Iterator[Path]:
    """Yield the folders that may hold a limit for this process: those of its control groups and all their parents.

    In a container, its own group is often the root of the mount, whatever path /proc gives.

    Args:
        controller: name of version 1's, such as "cpu"; version 2 has one group for all.
        root: folder below which proc and sys are mounted.
    """
    cgroup = root / "sys" / "fs" / "cgroup"
    for mount, group in [(cgroup, ""), (cgroup / controller, ""), *_own_groups(controller, root)]:
        folder = mount
        yield folder
        for part in Path(group.lstrip("/")).parts:
            folder /= part
            yield folder


def _own_groups(controller: str, root: Path) -> list[tuple[Path, str]]:
    """Return the mounts and paths of this process's cgroups: version 2, and version 1's controller."""
    try:
        lines = (root / "proc" / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    cgroup = root / "sys" / "fs" / "cgroup"
    groups = [line.split(":", 2) for line in lines if line.count(":") >= 2]
    second = [(cgroup, path) for _, controllers, path in groups if not controllers]
    first = [(cgroup / controller, path) for _, names, path in groups if controller in names.split(",")]
    return second + first
