"""What a page must say of the limits of a field."""

from typing import Any

Schema = dict[str, Any]


def bounds(schema: Schema) -> list[Any]:
    """The numbers and words that a row must name; lengths that belong to a type (a digest's) count as well."""
    item = schema.get("items", schema.get("additionalProperties", {}))
    wanted = [schema[key] for key in ("minimum", "maximum", "maxItems", "maxProperties") if key in schema]
    wanted += [part["maxLength"] for part in (schema, item) if "maxLength" in part]
    wanted += schema.get("enum", []) + item.get("enum", [])
    quantity = schema.get("x-kubernetes-int-or-string", False)
    return [bound for bound in wanted if not (quantity and bound == 0)]
