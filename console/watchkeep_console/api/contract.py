"""The OpenAPI document: what all operations have in common is written here once, and each gets an example."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from watchkeep_console import once
from watchkeep_console.api import permits
from watchkeep_console.api.access import COOKIE, CSRF_HEADER
from watchkeep_console.api.files import TYPES
from watchkeep_console.api.problems import MEDIA_TYPE

PREFIX = "/api/v1"
_REFUSALS = {
    400: "The request cannot be read.",
    401: "Not logged in, or the session or token has ended.",
    403: "Not allowed, or the CSRF token is missing.",
    404: "Unknown, or outside one's scope.",
    405: "No such method here.",
    409: "Somebody was faster, or it is not possible in this state.",
    412: "`If-Match`: no longer the one that was read.",
    413: "The body is too large.",
    415: "Not a media type that is read here.",
    422: "A field cannot be accepted; `field` names it.",
    429: "Too often; `Retry-After` says when again.",
    503: "The database does not answer; try again.",
}


class Problem(BaseModel):
    """RFC 9457. `code` is a stable word for programs, `field` what was wrong, `version` the present one after a 409."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    field: str | None = None
    version: int | None = None


_EXAMPLES: dict[str, object] = {
    "community_id": "sunshine", "community": "阳光花园", "equipment_id": "lift-1", "equipment": "1 号楼客梯",
    "area_id": "street-1",
    "gateway_id": "gw-01", "org_id": "prop", "property_org_id": "prop", "kind": "elevator", "metric": "outlet_pressure",
    "unit": "kPa", "condition": "entrapment", "state": "dispatched", "class": "A", "proposed_class": "A",
    "login": "wang.min", "name": "阳光花园", "name_en": "Sunshine Garden", "title_zh": "电梯困人",
    "title_en": "Passengers trapped", "timezone": "Asia/Shanghai",
    "role": "duty_officer", "scope_kind": "community", "scope_id": "sunshine", "longitude": 123.43, "latitude": 41.8,
    "language": "zh", "version": 3, "action": "accept", "person_id": "7f4f6f0e-3a51-4a58-9d57-0c5b1c3a9f10",
}  # fmt: skip


def contract(app: FastAPI) -> dict[str, Any]:
    """Built once; the app keeps it."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema()
        document["components"]["securitySchemes"] = {
            "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            "token": {"type": "http", "scheme": "bearer"},
        }
        for method, path, operation in _operations(document):
            _common(method, path.removeprefix(PREFIX), operation)
            _exemplify(operation, schemas)
        app.openapi_schema = document
    return app.openapi_schema


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _common(method: str, path: str, operation: dict[str, Any]) -> None:
    """Refusals, who may, and the parameters that every route of its kind understands."""
    refusal = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, text in _REFUSALS.items():
        operation["responses"][str(status)] = {"description": text, "content": refusal}
    needed = permits.needed(method, path)
    operation["security"] = [] if needed == permits.PUBLIC else [{"session": []}, {"token": []}]
    operation["x-permission"] = needed
    parameters = operation.setdefault("parameters", [])
    named = {parameter["name"] for parameter in parameters}
    if method != "GET" and needed != permits.PUBLIC:
        parameters.append(_parameter("header", CSRF_HEADER, "with a session: its `csrf_token`", {"type": "string"}))
    if method == "POST" and needed != permits.PUBLIC and once.HEADER not in named:
        kind = {"type": "string", "minLength": 1, "maxLength": once.MAX_KEY}
        parameters.append(_parameter("header", once.HEADER, "a repeated request gets the first answer", kind))
    if method == "GET" and "200" in operation["responses"]:
        content = operation["responses"]["200"].get("content", {})
        if "format" not in named and _is_list(content.get("application/json", {}).get("schema", {})):
            kind = {"type": "string", "enum": ["json", "csv", "xlsx"]}
            parameters.append(_parameter("query", "format", "the list as a file; also by `Accept`", kind))
            for media in TYPES.values():
                content[media.partition(";")[0]] = {"schema": {"type": "string", "format": "binary"}}
        operation["responses"]["304"] = {"description": "`If-None-Match`: it is still the one you have."}


def _parameter(place: str, name: str, text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"in": place, "name": name, "required": False, "description": text, "schema": schema}


def _is_list(schema: dict[str, Any]) -> bool:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return schema.get("type") == "array" or name.startswith("Page_") or name == "Items"


def _exemplify(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    bodies = [operation.get("requestBody", {})]
    bodies += [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    for body in bodies:
        media = body.get("content", {}).get("application/json")
        if media is not None and "example" not in media:
            media["example"] = example(media.get("schema", {}), schemas)


def example(schema: dict[str, Any], schemas: dict[str, Any], name: str = "", depth: int = 0) -> Any:
    """A value that fits a schema; by the field's name where it has a usual one. Pure."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if "example" in schema:
        return schema["example"]
    if name in _EXAMPLES and "enum" not in schema and schema.get("type") not in ("array", "object"):
        return _EXAMPLES[name]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return example(schema[key][0], schemas, name, depth)
    if "default" in schema or "const" in schema:
        return schema.get("const", schema.get("default"))
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        fields = schema.get("properties", {}) if depth < 5 else {}
        return {key: example(inner, schemas, key, depth + 1) for key, inner in fields.items()}
    if kind == "array":
        return [example(schema.get("items", {}), schemas, name.removesuffix("s"), depth + 1)] if depth < 5 else []
    return _scalar(kind, schema)


def _scalar(kind: str | None, schema: dict[str, Any]) -> Any:
    if kind in ("integer", "number"):
        return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
    if kind == "boolean":
        return True
    formats = {
        "date-time": "2026-11-22T08:30:00Z",
        "date": "2026-11-22",
        "uuid": "7f4f6f0e-3a51-4a58-9d57-0c5b1c3a9f10",
    }
    text = formats.get(schema.get("format", ""), "…")
    return text.ljust(schema.get("minLength", 0), "…") if kind in ("string", None) else None
