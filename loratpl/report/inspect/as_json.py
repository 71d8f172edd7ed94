"""An inspection as other programs read it."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from loratpl.report.inspect.inspection import Inspection

if TYPE_CHECKING:
    from loratpl.report.inspect.values import Values


def inspection_json(found: Inspection) -> dict[str, Any]:
    """Returns all that is known of a file; metadata is whole, however long."""
    description = found.description
    return {
        "path": str(found.path),
        "kind": found.kind,
        "is_whole": found.is_whole,
        "size_bytes": found.size_bytes,
        "header_bytes": found.header_bytes,
        "tensors": found.tensors,
        "parameters": found.parameters,
        "precisions": dict(found.precisions),
        "network": found.network,
        "naming": found.naming,
        "program": found.program,
        "base": {
            "families": list(found.guess.families),
            "title": found.guess.title,
            "said": found.guess.said or None,
            "modules_fitting": found.guess.matched,
            "modules_of_another_size": found.guess.differing,
        },
        "parts": [dataclasses.asdict(part) for part in found.parts],
        "blocks": [dataclasses.asdict(block) for block in found.blocks],
        "modules": [
            {
                "name": module.name,
                "part": module.place.part,
                "block": module.place.block_name,
                "method": module.method,
                "dim": module.dim,
                "alpha": module.alpha,
                "shape": list(module.shape) if module.shape is not None else None,
                "dora": module.is_dora,
            }
            for module in found.modules
        ],
        "untrained": list(found.untrained),
        "embeddings": list(found.embeddings),
        "others": list(found.others),
        "peft": dict(found.peft),
        "hash": dataclasses.asdict(found.hash),
        "folders": [dataclasses.asdict(folder) for folder in description.folders] if description else [],
        "buckets": [dataclasses.asdict(bucket) for bucket in description.buckets] if description else [],
        "tags": dict(description.tags) if description else {},
        "unknown": [key for key, _ in description.unknown] if description else [],
        "metadata": dict(found.metadata),
        "values": _values(found.values) if found.values is not None else None,
    }


def _values(values: Values) -> dict[str, Any]:
    norms = [dataclasses.asdict(norm) for norm in values.norms]
    return {
        "non_finite": dict(values.non_finite),
        "dead": list(values.dead),
        "norms": [{key: _finite(value) for key, value in norm.items()} for norm in norms],
        "unjudged": values.unjudged,
    }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
