"""Fields of a JSON file that join a request: `REQUEST=extra.json`, for whatever no setting has a name for."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from botocore import xform_name
from botocore.model import ServiceModel

from bert_classifier.errors import UserError
from bert_classifier.job.settings import shown
from launcher.aws.api_model import mistakes

Fields = Mapping[str, Any]
_LONGEST_LIST = 5  # mistakes in one message


def read(path: str, operations: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the fields that a file has for each operation.

    Args:
        path: of a file such as {"CreateTrainingJob": {…}}, as DRY_RUN prints it; "" for none. Where there is one
            operation only, its fields may stand in the file without its name.
    Raises:
        UserError: when the file cannot be read, or has fields for none of the operations.
    """
    if not path:
        return {}
    try:
        content = json.loads(Path(path).expanduser().read_text(encoding="utf-8"), object_pairs_hook=_once)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"REQUEST: cannot read {path}: {reason.rstrip('.')}.",
            f'Give a file of JSON: {{"{operations[0]}": {{…}}}}.',
        ) from error
    if isinstance(content, dict) and content and all(name in operations for name in content):
        return dict(content)
    if isinstance(content, dict) and len(operations) == 1:
        return {operations[0]: content}
    raise UserError(
        f"REQUEST: {path} is not an object whose names are requests.",
        f"Name what the fields belong to: {' or '.join(operations)}.",
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for index, (name, _) in enumerate(pairs) if name in dict(pairs[:index]))
        raise ValueError(f"{twice} stands there twice")
    return found


def refuse_extra(
    model: ServiceModel, operation: str, fields: Fields, extra: Fields, settings: Mapping[str, str]
) -> None:
    """Refuse fields of a file that cannot join a request.

    Args:
        model: botocore's, of the service: `client.meta.service_model`.
        operation: such as CreateTrainingJob.
        fields: those of the settings.
        extra: those of the file.
        settings: the setting by the path of each field that belongs to one, such as
            {"ResourceConfig.InstanceCount": "INSTANCE_COUNT"}; a path stands for all below it.
    Raises:
        UserError: for names, types and values that the API does not have, and for fields that belong to a setting.
    """
    wrong = list(mistakes(model.operation_model(operation).input_shape, extra, whole=False))
    if wrong:
        more = [f"and {len(wrong) - _LONGEST_LIST} more"] if len(wrong) > _LONGEST_LIST else []
        raise UserError(
            f"REQUEST: {'; '.join([*wrong[:_LONGEST_LIST], *more])}.",
            f"Correct it; `aws sagemaker {xform_name(operation, '-')} help` lists the fields.",
        )
    clashes = {path: _clash(fields, extra, path, setting) for path, setting in settings.items()}
    owned = {path: clash for path, clash in clashes.items() if clash}
    if owned:
        # What is no setting is fixed by the launcher.
        are_settings = any(settings[path].split()[0].isupper() for path in owned)
        instead = "Give the setting instead, and leave" if are_settings else "Leave"
        raise UserError(f"REQUEST: {'; '.join(owned.values())}.", f"{instead} the field out.")


def joined(fields: Fields, extra: Fields) -> dict[str, Any]:
    """Return a request's fields joined by those of a file: objects field by field, lists one behind the other.

    What is in a list already stays there once.
    """
    whole = dict(fields)
    for name, value in extra.items():
        now = whole.get(name)
        if isinstance(now, Mapping) and isinstance(value, Mapping):
            whole[name] = joined(now, value)
        elif isinstance(now, list) and isinstance(value, list):
            whole[name] = [*now, *(one for one in value if one not in now)]
        else:
            whole[name] = value
    return whole


def wrong_fields(
    model: ServiceModel, operation: str, fields: Fields, settings: Mapping[str, str]
) -> Iterator[str]:
    """Yield what the API would refuse in a whole request, with the setting that it comes from."""
    for wrong in mistakes(model.operation_model(operation).input_shape, fields):
        setting = next((name for path, name in settings.items() if path in wrong), "")
        yield f"{wrong} (from {setting})" if setting else wrong


def _clash(fields: Fields, extra: Fields, path: str, setting: str) -> str:
    """Return how a file contradicts what belongs to a setting; "" when it does not."""
    given = at(extra, path)
    if given is None or given == at(fields, path):
        return ""
    now = at(fields, path)
    return f"{path} belongs to {setting}" + (f", which gives {shown(now)}" if now is not None else "")


def at(fields: Fields, path: str) -> Any:
    """Return what is at a path of a request, such as ResourceConfig.InstanceCount; None where it is not."""
    for name in path.split("."):
        fields = fields.get(name) if isinstance(fields, Mapping) else None  # type: ignore[assignment]
    return fields
