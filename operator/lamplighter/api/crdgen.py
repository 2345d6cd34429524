"""Writes ``crds/``: the pydantic models as CustomResourceDefinitions with structural schemas.

``python -m lamplighter.api.crdgen crds`` writes the files; ``--check`` only checks that they are up to date.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from lamplighter.api import GROUP, VERSION
from lamplighter.api.common import rule
from lamplighter.api.kinds import KINDS, Kind

Schema = dict[str, Any]

HEADER = "# Generated from operator/lamplighter/api by `make crds`; edit the models, not this file.\n"
_NOT_IN_CRDS = frozenset({"$defs", "title", "const", "propertyNames"})
_FIRST = ("description", "type", "enum", "default")
_LAST = ("required", "properties", "items", "additionalProperties", "x-kubernetes-validations")


def structural(schema: Schema, definitions: Schema | None = None) -> Schema:
    """A pydantic JSON schema in the form that the API server accepts: references inlined, one type everywhere, no null.

    A field that may be None in Python may be left out in the schema: the API has no null.
    """
    definitions = definitions or schema.get("$defs", {})
    schema = _resolve(schema, definitions)
    result = {key: value for key, value in schema.items() if key not in _NOT_IN_CRDS}
    if "const" in schema:
        result["enum"] = [schema["const"]]
    if schema.get("default", ...) is None:
        del result["default"]
    if "description" in schema:
        result["description"] = " ".join(schema["description"].split())
    if schema.get("x-kubernetes-int-or-string"):
        del result["type"]
        result["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if "properties" in schema:
        result["properties"] = _properties(schema, definitions)
    if "items" in schema:
        result["items"] = structural(schema["items"], definitions)
    if isinstance(schema.get("additionalProperties"), dict):
        result["additionalProperties"] = structural(schema["additionalProperties"], definitions)
    else:
        result.pop("additionalProperties", None)
    return _ordered(_with_key_rule(result, schema.get("propertyNames", {})))


def _ordered(schema: Schema) -> Schema:
    """Put what a reader of the YAML looks for first, and long parts last."""
    between = sorted(schema.keys() - {*_FIRST, *_LAST})
    return {key: schema[key] for key in (*_FIRST, *between, *_LAST) if key in schema}


def _resolve(schema: Schema, definitions: Schema) -> Schema:
    """Replace ``$ref`` and ``anyOf [X, null]`` by what they stand for; keywords beside them win."""
    while "$ref" in schema or "anyOf" in schema:
        if "$ref" in schema:
            target = definitions[schema["$ref"].rsplit("/", 1)[1]]
        else:
            variants = [variant for variant in schema["anyOf"] if variant.get("type") != "null"]
            if len(variants) != 1:
                raise ValueError(f"a structural schema has one type for each field; {schema} has {len(variants)}")
            target = variants[0]
        schema = {**target, **{key: value for key, value in schema.items() if key not in {"$ref", "anyOf"}}}
    return schema


def _properties(schema: Schema, definitions: Schema) -> Schema:
    """The fields of an object. An optional one with defaults inside gets ``default: {}``, which makes them visible."""
    properties = {name: structural(field, definitions) for name, field in schema["properties"].items()}
    for name, field in properties.items():
        optional = name not in schema.get("required", []) and "default" not in schema["properties"][name]
        if optional and any("default" in inner for inner in field.get("properties", {}).values()):
            field["default"] = {}
    return properties


def _with_key_rule(schema: Schema, names: Schema) -> Schema:
    """Bound the length of a map's keys with a CEL rule, because CRDs have no ``propertyNames``."""
    if unknown := names.keys() - {"maxLength"}:
        raise ValueError(f"say in a rule with a sentence what the keys of a map must be, instead of by {unknown}")
    if names:
        longest = names["maxLength"]
        bound = rule(f"self.all(key, size(key) <= {longest})", f"a key has at most {longest} characters")
        schema["x-kubernetes-validations"] = [*schema.get("x-kubernetes-validations", []), bound]
    return schema


def _without_defaults(schema: Schema) -> Schema:
    """Drop all defaults: a status holds only what the operator wrote, which shows whether it must write again."""
    result = {key: value for key, value in schema.items() if key != "default"}
    for key in ("items", "additionalProperties"):
        if key in result:
            result[key] = _without_defaults(result[key])
    if "properties" in result:
        result["properties"] = {name: _without_defaults(field) for name, field in result["properties"].items()}
    return result


def root_schema(kind: Kind) -> Schema:
    """The schema of a whole object: the model, and the fields that every Kubernetes object has."""
    schema = structural(kind.model.model_json_schema(by_alias=True))
    fields = schema.pop("properties")
    return {
        **schema,
        "properties": {
            "apiVersion": {"type": "string", "maxLength": 253},
            "kind": {"type": "string", "maxLength": 63},
            "metadata": {"type": "object"},
            "spec": fields["spec"],
            "status": _without_defaults(fields["status"]),
        },
    }


def definition(kind: Kind) -> Schema:
    """The CustomResourceDefinition of a kind."""
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": list(kind.columns),
        "subresources": kind.subresources,
        "schema": {"openAPIV3Schema": root_schema(kind)},
    }
    names = {
        "kind": kind.name,
        "listKind": f"{kind.name}List",
        "plural": kind.plural,
        "singular": kind.name.lower(),
        "shortNames": [kind.short_name],
        "categories": ["lamplighter", "ml"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }


class _Dumper(yaml.SafeDumper):
    """YAML for people to read in a diff: no anchors."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Repeat what occurs twice."""
        return True


def files() -> Iterator[tuple[str, str]]:
    """Name and text of each file of ``crds/``."""
    for kind in KINDS:
        text = yaml.dump(definition(kind), Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
        yield f"{GROUP}_{kind.plural}.yaml", HEADER + text


def outdated(folder: Path) -> list[str]:
    """The names of the files that differ from the models."""
    return [name for name, text in files() if not (folder / name).is_file() or (folder / name).read_text() != text]


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or with ``--check`` return 1 when they are out of date."""
    parser = argparse.ArgumentParser(prog="python -m lamplighter.api.crdgen", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the files are")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is out of date")
    options = parser.parse_args(arguments)
    stale = outdated(options.folder)
    if options.check:
        if stale:
            sys.stderr.write(f"{', '.join(stale)} in {options.folder} differ from the models: run `make crds`\n")
        return 1 if stale else 0
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, text in files():
        (options.folder / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
