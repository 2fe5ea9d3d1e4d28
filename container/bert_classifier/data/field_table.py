"""Tables whose records name their fields: JSON Lines, a JSON array, Parquet, fastText; Ground Truth's manifests.

Standard library only.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bert_classifier.data.record_sources import Record, source_of
from bert_classifier.data.records import RowError
from bert_classifier.data.shapes import SAMPLE_ROWS
from bert_classifier.data.table_base import Table
from bert_classifier.errors import UserError
from bert_classifier.job.settings import shown

_METADATA = "-metadata"  # Ground Truth describes field `job` in `job-metadata`
_NOT_ACCEPTED = ("reject", "ignore")  # answers to a proposed label in Prodigy
_MOST_FIELDS = 8  # named in one message


class FieldTable(Table):
    """A file of records; the places of JSON arrays and Parquet are numbers of records."""

    def __init__(self, *args: Any, needs_label: bool) -> None:
        super().__init__(*args)
        self.unit = "line" if self.form.kind in ("JSON Lines", "fastText") else "record"
        self._source = source_of(self.form.kind, needs_label=needs_label)(self.path, self.name, self.form)
        self.notes += self._source.notes
        first = [record for _, record in itertools.islice(self._source.records(), SAMPLE_ROWS)]
        records = [record for record in first if not isinstance(record, RowError)]
        if len(first) == 1 and records:
            self._refuse_columns(records[0])
        self._job = self._ground_truth_job(records, needs_label=needs_label)
        records = [self._labelled(record) for record in records]
        self.names = list(dict.fromkeys(name for record in records for name in record))
        if records:
            self._set_roles([self._in_order(record) for record in records], needs_label=needs_label)
        elif first:
            wrong = next(row for row in first if isinstance(row, RowError))
            raise self.at(
                RowError(wrong.line, wrong.cause, f"{wrong.remedy} If it is CSV, name it .csv.".lstrip())
            )

    def _refuse_columns(self, record: Record) -> None:
        """Refuse a file that is one object of whole columns, splits or the like."""
        if record and all(isinstance(value, list | dict | None) for value in record.values()):
            fields = ", ".join(shown(name) for name in list(record)[:_MOST_FIELDS])
            raise UserError(
                f"{self.name} is one JSON object for all texts, with the fields {fields}.",
                'Write one object per text, {"label": …, "text": …}:'
                " pandas does so with to_json(orient='records', lines=True).",
            )

    def _ground_truth_job(self, records: Sequence[Record], *, needs_label: bool) -> str:
        """Return the field that a labelling job of SageMaker Ground Truth wrote; "" for other files."""
        jobs = {
            name.removesuffix(_METADATA): metadata
            for record in records
            for name, metadata in record.items()
            if name.endswith(_METADATA)
            and isinstance(metadata, dict)
            and name.removesuffix(_METADATA) in record
        }
        self._maps = {job for job, metadata in jobs.items() if "class-map" in metadata}
        named = [job for job, metadata in jobs.items() if "class-name" in metadata or job in self._maps]
        told = self.settings.label_column
        if len(named) > 1 and told not in named and needs_label:
            raise UserError(
                f"{self.name} has the labels of {len(named)} labelling jobs: {', '.join(map(shown, named))}.",
                f"Set label_column to one of them, such as label_column={named[-1]}.",
            )
        if named and all("source" not in record for record in records) and "source-ref" in records[0]:
            raise UserError(
                f"{self.name} refers to files in S3 (source-ref) instead of holding the texts.",
                "Write each text into the field source, as labelling jobs for texts do.",
            )
        job = told if told in named else (named or [""])[0]
        if job:
            what = "class-map" if job in self._maps else "class-name"
            self.notes.append(f"it is a manifest of Ground Truth: labels are the {what} of job {shown(job)}")
            self.settings = dataclasses.replace(self.settings, label_column=job)
            self.is_multi |= job in self._maps and self.settings.task == "auto"
        return job

    def _labelled(self, record: Record) -> Record:
        """Return a record of a manifest with its class name as the label; any other record as it is."""
        if not self._job:
            return record
        metadata = record.get(self._job + _METADATA)
        about = metadata if isinstance(metadata, Mapping) else {}
        kept = {field: value for field, value in record.items() if not field.endswith(_METADATA)}
        if self._job in self._maps:
            return {**kept, self._job: _named(record.get(self._job), about.get("class-map"))}
        return {**kept, self._job: about.get("class-name")}

    def _in_order(self, record: Record) -> list[Any]:
        return [record.get(name) for name in self.names]

    def _values(self, *, is_every: bool = False) -> Iterator[tuple[int, Sequence[Any] | RowError]]:
        text = self.names[self.roles.text] if self.names else ""
        title = "" if self.roles.title is None else self.names[self.roles.title]
        for place, record in self._source.records():
            if isinstance(record, RowError):
                yield place, record
            elif not is_every and record.get("answer") in _NOT_ACCEPTED and "_task_hash" in record:
                cause = (
                    f"its answer is {record['answer']}, so its label does not hold; keep what was accepted"
                )
                yield place, RowError(place, cause)
            elif text not in record and title not in record:
                fields = ", ".join(shown(name) for name in list(record)[:_MOST_FIELDS])
                yield place, RowError(place, f"it has no field {shown(text)}; its fields are {fields}")
            else:
                yield place, self._in_order(self._labelled(record))


def _named(numbers: Any, names: Any) -> Any:
    """Return the names of a list of classes' numbers; anything else as it is."""
    if not isinstance(numbers, list) or not isinstance(names, Mapping):
        return numbers
    return [names.get(str(number)) for number in numbers]
