"""Files as tools write them, and what should become of each: the whole table."""

from support.tool_files.clouds import CLOUDS, LIBRARIES
from support.tool_files.foreign import FOREIGN
from support.tool_files.known_sets import KNOWN_SETS
from support.tool_files.labelling import LABELLING_TOOLS
from support.tool_files.made import ToolFile
from support.tool_files.parquet_files import PARQUET_FILES
from support.tool_files.tables import DATA_FRAMES, DATABASES, SPREADSHEETS

TOOL_FILES: dict[str, ToolFile] = {
    case.key: case
    for case in (
        *SPREADSHEETS,
        *DATA_FRAMES,
        *DATABASES,
        *KNOWN_SETS,
        *LABELLING_TOOLS,
        *CLOUDS,
        *LIBRARIES,
        *PARQUET_FILES,
        *FOREIGN,
    )
}

# The commonest file of each of twenty tools, with nothing set.
STRAIGHT_FROM_TOOLS = (
    "excel-csv-utf8",
    "excel-csv-semicolons",
    "excel-unicode-text",
    "libreoffice",
    "google-sheets",
    "google-sheets-tsv",
    "pandas-csv-index",
    "pandas-csv-semicolons",
    "pandas-json-records",
    "pandas-json-lines",
    "pandas-parquet",
    "r-write-csv",
    "duckdb-json",
    "spark-csv-parts",
    "hugging-face-parquet",
    "imdb",
    "label-studio-csv",
    "doccano-jsonl",
    "ground-truth",
    "fasttext",
)
