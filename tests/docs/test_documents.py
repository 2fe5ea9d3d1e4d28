"""The documents say what is there: settings, commands, rooms, links, paths, tests; the README is short."""

import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

from bert_classifier.job.former_names import ALIASES, IGNORED
from docs import tables
from launcher.main import all_commands, all_settings, make_parser
from launcher.settings.sources import Sources, flags_of
from support.documents import anchors, commands, documents, links, prose, quoted, section
from support.patience import PATIENCE_S
from support.source_tree import PACKAGE, ROOT, functions_of, project_files, text_of

README = Path("README.md")
LONGEST_README = 300  # lines
RUN_WHOLE = ("Your own CSV", "Your own Dataset in three steps")  # by tests/integration/test_readme_blocks.py
MAKEFILE = text_of(Path("Makefile"))
FOLDERS = re.compile(r"(?:container|docker|local_test|tests|\.github)/[\w./*-]+")
FILES = re.compile(r"[\w-]+\.(?:py|sh|md|yml|ipynb|toml)")
OF_DEVELOPERS = {"bench", "check", "setup", "test", "test-integration"}  # what tests would be started by
# Files that a reader writes, or that a run leaves.
OF_READERS = {"sms.py", "tests/README.md", ".launcher.toml"}
RESULTS = ("local_test/test_dir/", "local_test/payload.")


def test_the_readme_is_short() -> None:
    """A person reads it to its end."""
    assert len(text_of(README).splitlines()) <= LONGEST_README


def test_every_setting_is_documented_as_it_is() -> None:
    """The tables are the code's: name, range, default and help of every setting."""
    texts = {name: text_of(Path(name)) for name in tables.DOCUMENTS}
    assert sorted(name for text in texts.values() for name in tables.names_in(text)) == sorted(
        tables.tables()
    )
    stale = [name for name, text in texts.items() if tables.with_tables(text) != text]
    assert stale == [], "run: python tests/docs/tables.py"


def test_every_older_name_is_documented() -> None:
    """Each alias of a hyperparameter, and each one that is ignored, is named beside the table."""
    text = text_of(Path("container/README.md"))
    older = {*ALIASES, *IGNORED}
    assert [name for name in older if not re.search(rf"\b{name}\b", text)] == []


def test_every_room_is_described() -> None:
    """The reference names each folder of the package and each module in none of them."""
    named = quoted(text_of(Path("container/README.md")))
    rooms = {f"{path.name}/" for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    flat = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py"}
    assert len(rooms) > 5
    assert (rooms | flat) - named == set()


def test_every_link_leads_somewhere() -> None:
    """Files, folders and headings that a document links to exist, and pictures are small."""
    broken = []
    for document in documents():
        for link in links(text_of(document)):
            name, _, heading = link.partition("#")
            target = (document.parent / name if name else document).as_posix()
            path = Path(target)
            if not (ROOT / path).exists() or (heading and heading not in anchors(text_of(path))):
                broken.append(f"{document}: {link}")
    assert broken == []
    pictures = [path for path in project_files() if path.parts[:2] == (".github", "images")]
    assert [str(path) for path in pictures if (ROOT / path).stat().st_size > 150_000] == []


def test_every_path_and_test_in_quotes_exists() -> None:
    """What stands in back quotes and looks like a file, a path or a test of the project is one."""
    tests = [path for path in project_files() if path.parts[0] == "tests" and path.suffix == ".py"]
    names = {path.name for path in project_files()} | {f.name for t in tests for f in functions_of(ROOT / t)}
    missing = []
    for document in documents():
        for word in quoted(text_of(document)) - OF_READERS:
            if re.fullmatch(r"test_\w+(?<!_dir)(?:\.py)?", word):
                known = word in names
            elif FOLDERS.fullmatch(word):
                known = word.startswith(RESULTS) or any(ROOT.glob(word.rstrip("/")))
            else:
                known = not FILES.fullmatch(word) or word in names
            if not known:
                missing.append(f"{document}: {word}")
    assert missing == []


@cache
def all_make_commands() -> dict[str, Path]:
    """Return every `make …` of a block, with the document that has it."""
    return {c: d for d in documents() for c in commands(text_of(d)) if c.startswith("make ")}


def test_every_command_is_one_that_make_takes() -> None:
    """Each command of a block, with its settings, passes make's own checks and the launcher's; inline ones exist."""
    refused = []
    for command, document in all_make_commands().items():
        words = ["make", "--dry-run", "--no-print-directory", *shlex.split(command)[1:]]
        made = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
        problem = made.stderr if made.returncode else launcher_refuses(made.stdout)
        if problem:
            refused.append(f"{document}: {command}: {problem}")
    assert len(all_make_commands()) > 30
    assert refused == []
    inline = {name for d in documents() for name in re.findall(r"`make ([a-z-]+)", prose(text_of(d)))}
    assert {name for name in inline if not re.search(rf"(?m)^{name}:", MAKEFILE)} == set()


def launcher_refuses(printed: str) -> str:
    """Return what the launcher finds wrong with the settings of a command that make would start; "" for nothing."""
    found = [line for line in printed.splitlines() if " docker/launcher " in line]
    if not found:
        return ""
    variables, _, rest = found[-1].partition(" docker/launcher ")
    environ = dict(word.split("=", 1) for word in shlex.split(variables) if word.startswith("LAUNCHER_"))
    known = all_commands()
    given = make_parser(known).parse_args(shlex.split(rest))
    command = known[given.command]
    flags = flags_of(given, command.positional)
    sources = Sources(flags, environ, Path("no-such-file.toml"), given.command, list(known))
    try:
        sources.read(command.settings, all_settings(known))
    except Exception as error:  # noqa: BLE001 - whatever it says is the finding
        return str(error)
    return ""


def test_every_command_is_run_by_a_test() -> None:
    """Some test starts each target that a block names: make itself, or the launcher's command of that name."""
    targets = {word for c in all_make_commands() for word in shlex.split(c)[1:2]}
    code = "\n".join(
        text_of(path)
        for path in project_files()
        if path.parts[0] == "tests" and path.parts[1] in ("unit", "integration", "container", "support")
    )
    scripts = {"predict-local": "predict.sh", "spot-drill": "spot_drill", "conformance": "sagemaker_emulator"}
    words = {name: scripts.get(name, name) for name in targets}
    of_readme = {
        shlex.split(c)[1] for t in RUN_WHOLE for c in commands(section(README, t)) if c[:5] == "make "
    }
    run = {name for name, word in words.items() if name in of_readme or re.search(rf"[\"'/ ]{word}\b", code)}
    assert targets - run - OF_DEVELOPERS == set()


def test_explained_messages_are_said() -> None:
    """Each message in a table of the reference stands in the code, but for the parts that vary."""
    code = "\n".join(
        text_of(p) for p in project_files() if p.parts[0] in ("container", "local_test", "Makefile")
    )
    code = re.sub(r'"\s*\n\s*f?"', "", code)
    for folder in ("container", "local_test"):
        table = re.split(r"\| (?:it says|message) \|", text_of(Path(folder, "README.md")))[1]
        rows = re.findall(r"(?m)^\| `([^`]+)` \|", table)
        assert len(rows) > 5
        parts = {part.strip(" .:;()") for row in rows for part in re.split("…", row)}
        assert [part for part in parts if part not in code and part.replace("'", "`") not in code] == []
