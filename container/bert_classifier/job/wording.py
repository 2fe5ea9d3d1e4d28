"""How messages word a number of things. Standard library only."""


def counted(count: int, one: str, several: str = "") -> str:
    """Return a number with its noun, such as "1 class" and "2 classes"; `several` is `one` with an s by default."""
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"
