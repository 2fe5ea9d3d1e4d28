"""Environment variables that look like the server's settings and are none.

Standard library only.
"""

import difflib
from collections.abc import Iterable, Mapping

from bert_classifier.fields import nearest, shown

_OURS, _SAGEMAKERS = "SERVING_", "SAGEMAKER_"
_NEAR = 0.9  # likeness of two variables' names, ten letters of which are alike anyway


def unknown_variables(environ: Mapping[str, str], known: Iterable[str]) -> list[str]:
    """Return a sentence for each variable that begins like a setting of the server and is not `known`.

    An empty one counts as unset, as everywhere.
    """
    settings, found = [name.upper() for name in known], list[str]()
    for name in _given(environ, _OURS, settings):
        close = nearest(name, [setting.lower() for setting in settings])
        hint = f", did you mean {close.upper()}?" if close else ""
        found.append(f"unknown environment variable {shown(name)}{hint}")
    return found


def near_misses(environ: Mapping[str, str], known: Iterable[str]) -> list[str]:
    """Return a sentence for each SAGEMAKER_ variable whose name is nearly a known one.

    SageMaker itself sets many variables of that prefix, so that an unknown one is no mistake.
    """
    settings = [name.upper() for name in known if name.upper().startswith(_SAGEMAKERS)]
    others = _given(environ, _SAGEMAKERS, settings)
    close = {name: difflib.get_close_matches(name.upper(), settings, n=1, cutoff=_NEAR) for name in others}
    return [f"{shown(name)} sets nothing, did you mean {near[0]}?" for name, near in close.items() if near]


def _given(environ: Mapping[str, str], prefix: str, known: Iterable[str]) -> list[str]:
    return [n for n, value in environ.items() if value and n.upper().startswith(prefix) and n not in known]
