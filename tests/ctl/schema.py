# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks a document against a JSON Schema of docs/schema. Only what these use is known; anything else is an error.

Stricter than the standard: a member that the schema does not describe is an error, too, unless it has additionalProperties.
"""

import json
import pathlib
import re

SCHEMAS = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "schema"
KEYWORDS = {"$schema", "title", "description", "type", "properties", "required", "items", "anyOf", "$ref", "$defs", "default",
            "additionalProperties", "minProperties", "maxItems", "enum", "minimum", "maximum", "pattern"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
         "null": type(None)}


class Invalid(Exception):
    """The document is not as the schema says."""


def load(verb):
    return json.loads((SCHEMAS / f"{verb}.json").read_text())


def has_type(name, value):
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def check_any(schemas, value, root, path):
    errors = []
    for schema in schemas:
        try:
            check(schema, value, root, path)
            return
        except Invalid as error:
            errors.append(str(error))
    raise Invalid("; ".join(errors))


def is_number(value):
    return has_type("number", value)


def check_limits(schema, value, path):
    if "enum" in schema and not any(type(value) is type(word) and value == word for word in schema["enum"]):
        raise Invalid(f"{path} is {value!r}, not one of {schema['enum']}")
    if is_number(value) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        raise Invalid(f"{path} is {value!r}, out of range")
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value, re.ASCII):
        raise Invalid(f"{path} is {value!r}, which does not match {schema['pattern']}")
    if isinstance(value, list) and len(value) > schema.get("maxItems", len(value)):
        raise Invalid(f"{path} is too long")
    if isinstance(value, dict) and len(value) < schema.get("minProperties", 0):
        raise Invalid(f"{path} is empty")


def check(schema, value, root=None, path="$"):
    root = root or schema
    if not set(schema) <= KEYWORDS:
        raise ValueError(f"schema.py does not know {set(schema) - KEYWORDS}")
    if "$ref" in schema:
        check(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], value, root, path)
    if "anyOf" in schema:
        check_any(schema["anyOf"], value, root, path)
    types = schema.get("type", [])
    types = types if isinstance(types, list) else [types]
    if types and not any(has_type(name, value) for name in types):
        raise Invalid(f"{path} is {value!r}, not {' or '.join(types)}")
    check_limits(schema, value, path)
    if isinstance(value, list):
        for i, element in enumerate(value):
            check(schema.get("items", {}), element, root, f"{path}[{i}]")
    if isinstance(value, dict) and "properties" in schema:
        for name in schema.get("required", []):
            if name not in value:
                raise Invalid(f"{path} has no {name}")
        for name, member in value.items():
            if name not in schema["properties"]:
                if schema.get("additionalProperties"):
                    continue
                raise Invalid(f"{path}.{name} is not in the schema")
            check(schema["properties"][name], member, root, f"{path}.{name}")


def check_output(verb, text):
    """All documents in the output of the verb."""
    decoder = json.JSONDecoder()
    while text := text.strip():
        document, end = decoder.raw_decode(text)
        check(load(verb), document)
        text = text[end:]
