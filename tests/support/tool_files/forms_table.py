"""The table of forms in container/README.md: what becomes of which tool's files, and the files that show it."""

import dataclasses
import re

from support.tool_files import TOOL_FILES
from support.tool_files.made import ToolFile

_GIVEN = re.compile(r"`([a-z_]+)=([^`]+)`")


@dataclasses.dataclass(frozen=True)
class FormRow:
    """A row of the table.

    Attributes:
        outcome: "read", "refused", or both; "read with" settings where some are needed.
        keys: of the files in TOOL_FILES that show it.
    """

    form: str
    tools: str
    outcome: str
    keys: str

    @property
    def files(self) -> list[ToolFile]:
        """The files that show it."""
        return [TOOL_FILES[key] for key in self.keys.split()]

    @property
    def promised(self) -> set[str]:
        """What the outcome speaks of: "read", "read with", "refused"."""
        return set(re.findall(r"\b(read with|read|refused)\b", self.outcome))

    @property
    def shown(self) -> set[str]:
        """What becomes of the files; "read with" where they need settings."""
        told = {"read with" if f.settings else "read" for f in self.files if f.outcome != "refused"}
        return told | {"refused" for f in self.files if f.outcome == "refused"}

    @property
    def settings(self) -> set[tuple[str, str]]:
        """The settings that the outcome names, with their values."""
        return set(_GIVEN.findall(self.outcome))


FORM_ROWS = (
    FormRow(
        "CSV",
        "Excel (CSV UTF-8), LibreOffice, Google Sheets, pandas, polars, DuckDB, SQLite, Athena",
        "read, whatever the line ends and quotes",
        "excel-csv-utf8 excel-mac libreoffice google-sheets pandas-csv polars-csv duckdb-csv sqlite-csv athena-results "
        "hugging-face-csv pandas-float-labels",
    ),
    FormRow(
        "CSV with `;`, tabs or bars, under any name",
        "Excel in many countries, pandas `sep`, `write.csv2` of R, `sqlite3`",
        "read: the delimiter follows from the rows or from Excel's first line `sep=`",
        "excel-csv-semicolons excel-sep-line excel-text-tabs libreoffice-bars pandas-csv-semicolons pandas-csv-tabs "
        "r-write-csv2 sqlite-list",
    ),
    FormRow(
        "CSV with columns for numbers of rows, or with empty ones",
        "pandas `to_csv()`, `write.csv` of R, databases, spreadsheets",
        "read without them",
        "pandas-csv-index pandas-csv-saved-twice r-write-csv postgresql-csv spreadsheet-empty-columns doccano-csv",
    ),
    FormRow(
        "CSV in another encoding than UTF-8",
        "Excel (CSV), the SMS spam collection",
        "refused with the line; read with `encoding=cp1252`",
        "excel-csv-1252 excel-csv-1252-given sms-spam",
    ),
    FormRow("UTF-16 with its mark", "Excel (Unicode Text)", "read", "excel-unicode-text"),
    FormRow(
        "tabs, cells never quoted",
        "Google Sheets (TSV), `mysql --batch`, GLUE",
        "read: a quote that no other closes is a character",
        "google-sheets-tsv google-sheets-tsv-quotes google-sheets-tsv-open-quotes mysql-batch sst2",
    ),
    FormRow(
        "no header, label first",
        "Amazon Comprehend, `COPY` of PostgreSQL, Redshift, pandas `header=False`",
        "read as label, text",
        "comprehend postgresql-copy redshift-unload pandas-no-header-label-first",
    ),
    FormRow(
        "no header, text first",
        "pandas `header=False`, emotions",
        "refused with the columns; read with `label_column=2` `text_column=1`",
        "pandas-no-header-text-first pandas-no-header-text-first-given emotions emotions-given",
    ),
    FormRow(
        "no header, further columns",
        "Sentiment140, CoLA, Vertex AI (CSV)",
        "refused with the columns; read with `label_column=1` `text_column=6`",
        "pandas-no-header-index sentiment140 sentiment140-given sentiment140-columns-given cola cola-given vertex-csv "
        "vertex-csv-given",
    ),
    FormRow(
        "another delimiter",
        "Financial PhraseBank",
        "refused; read with `delimiter=@`",
        "financial-phrases financial-phrases-given",
    ),
    FormRow(
        "columns with usual names, in any order",
        "IMDB, BBC News, Banking77, Quora, Disaster Tweets, Fake News, Label Studio (CSV)",
        "read; what else is there is ignored",
        "imdb bbc-news bbc-news-articles banking77 intents quora disaster-tweets fake-news sms-spam-category-message "
        "label-studio-csv",
    ),
    FormRow(
        "columns with other names",
        "SMS spam (`v1,v2`), airline tweets, Amazon Fine Food",
        "refused with the columns and the likely settings; read with `label_column=v1` `text_column=v2`",
        "sms-spam-ascii sms-spam-encoding-given sms-spam-given airline-tweets airline-tweets-given amazon-fine-food "
        "amazon-fine-food-given",
    ),
    FormRow(
        "two columns that may be the label",
        "Women's Clothing Reviews",
        "refused; read with `label_column=Class Name`",
        "womens-clothing womens-clothing-given",
    ),
    FormRow(
        "title and text",
        "AG News",
        "read without the title; read with `title_column=Title` as title and text",
        "ag-news ag-news-titles-joined",
    ),
    FormRow(
        "a column of 0 and 1 per class",
        "Jigsaw",
        "refused; read with `label_columns=toxic..identity_hate` as any number of labels per text",
        "jigsaw jigsaw-given",
    ),
    FormRow(
        "rows without a label",
        "pandas (empty), R (`NA`), MySQL (`NULL`), PostgreSQL (`\\N`), Spark, doccano",
        "refused; read with `missing_labels=drop`",
        "pandas-missing-labels pandas-missing-labels-dropped r-missing-labels mysql-batch-nulls postgresql-copy-nulls "
        "spark-json-nulls doccano-jsonl-unlabelled",
    ),
    FormRow(
        'several files, each with its header; quotes written `\\"`',
        "Spark (CSV)",
        "read together",
        "spark-csv-parts spark-csv",
    ),
    FormRow(
        "a header without the row names' column; blanks between cells",
        "`write.table` of R",
        "refused",
        "r-write-table-tabs r-write-table",
    ),
    FormRow(
        "JSON Lines, also named `.json`",
        "pandas `lines=True`, polars, DuckDB, Hugging Face, Spark, Yelp, Prodigy",
        "read",
        "pandas-json-lines polars-ndjson duckdb-json hugging-face-json spark-json yelp prodigy news-categories",
    ),
    FormRow(
        "a JSON array of objects",
        'pandas `orient="records"`, polars, DuckDB, `sqlite3`, Label Studio (JSON-MIN)',
        "read",
        "pandas-json-records polars-json duckdb-json-array sqlite-json label-studio-json-min",
    ),
    FormRow(
        "one JSON object for all texts; an array of arrays",
        "pandas `to_json()`, CLINC150, Azure AI Language, spaCy",
        "refused with the fields and pandas' remedy",
        "pandas-json pandas-json-split pandas-json-index pandas-json-values clinc150 azure-language spacy",
    ),
    FormRow(
        "objects within objects",
        "Label Studio (JSON), chats for OpenAI, Vertex AI (JSONL)",
        "refused with the fields",
        "label-studio-json openai-chat vertex-jsonl",
    ),
    FormRow(
        "JSON Lines with other fields",
        "prompt and completion for OpenAI, choices of Prodigy, News Category",
        "refused with the fields; read with `label_column=completion` `text_column=prompt`",
        "openai-completions openai-completions-given prodigy-choices prodigy-choices-given news-categories-given",
    ),
    FormRow(
        "labels in a list",
        "doccano, Label Studio (CSV, several choices)",
        "read: several labels per text where some list holds several",
        "doccano-jsonl doccano-jsonl-two-labels label-studio-csv-choices",
    ),
    FormRow(
        "labels joined by bars in one cell",
        "Amazon Comprehend (multi-label)",
        "read as a class each, with a warning; read with `label_separator=|` as several labels",
        "comprehend-multi-label comprehend-multi-label-given",
    ),
    FormRow("rejected answers", "Prodigy", "refused: such a label does not hold", "prodigy-rejected"),
    FormRow(
        "manifest of a labelling job",
        "SageMaker Ground Truth",
        "read: `source` and the job's class names",
        "ground-truth ground-truth-named-jsonl",
    ),
    FormRow(
        "manifest of several jobs",
        "SageMaker Ground Truth, chained",
        "refused with the jobs; read with `label_column=letters`",
        "ground-truth-chained ground-truth-chained-given",
    ),
    FormRow(
        "manifest with several labels per text",
        "SageMaker Ground Truth",
        "read: the names in `class-map`",
        "ground-truth-multi-label",
    ),
    FormRow(
        "manifest of objects in S3",
        "SageMaker Ground Truth",
        "refused",
        "ground-truth-s3-objects",
    ),
    FormRow(
        "gzip, also under another name",
        "pandas, BigQuery, Snowflake",
        "read",
        "pandas-csv-gzip pandas-csv-gzip-named-csv bigquery-json snowflake-csv",
    ),
    FormRow(
        "`__label__` lines",
        "fastText, BlazingText",
        "read, whatever the name; also where a line has several labels",
        "fasttext blazingtext fasttext-named-csv fasttext-two-labels",
    ),
    FormRow(
        "Parquet, also under another name",
        "pandas, polars, DuckDB, Hugging Face (`ClassLabel` gives the names)",
        "read",
        "pandas-parquet polars-parquet duckdb-parquet hugging-face-parquet parquet-named-csv",
    ),
    FormRow(
        "workbooks, archives, pickles, databases, PDF, HTML, Arrow, ARFF",
        "Excel, Word, SQLite, Weka, failed downloads",
        "refused by what they are, whatever their name",
        "excel-workbook old-excel-workbook word-document zip bzip2 xz pickle sqlite-database pdf html html-table "
        "arrow-file weka-arff",
    ),
    FormRow(
        "one column; a file per text",
        "TREC, LIBSVM, `load_files` of scikit-learn",
        "refused",
        "trec libsvm scikit-learn-folders",
    ),
)


def forms_table() -> str:
    """Return the table as it stands in the document."""
    rows = (f"| {row.form} | {row.tools} | {row.outcome} |" for row in FORM_ROWS)
    return "\n".join(["| form | as written by | what happens |", "|---|---|---|", *rows])
