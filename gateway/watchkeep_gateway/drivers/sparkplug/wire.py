"""The Sparkplug B payload as protobuf messages; numbers of fields are those of the specification (3.0, chapter 6).

Built here instead of generated: thirty rows are easier to read and to keep than a generated module that must match
the installed runtime. What we do not read (metadata, data sets, extensions) is left out: protobuf skips it.
"""

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto

_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "Payload": {
        "timestamp": (1, "uint64"),
        "metrics": (2, "*Metric"),
        "seq": (3, "uint64"),
        "uuid": (4, "string"),
        "body": (5, "bytes"),
    },
    "Metric": {
        "name": (1, "string"),
        "alias": (2, "uint64"),
        "timestamp": (3, "uint64"),
        "datatype": (4, "uint32"),
        "is_historical": (5, "bool"),
        "is_transient": (6, "bool"),
        "is_null": (7, "bool"),
        "properties": (9, "PropertySet"),
        "int_value": (10, "value uint32"),
        "long_value": (11, "value uint64"),
        "float_value": (12, "value float"),
        "double_value": (13, "value double"),
        "boolean_value": (14, "value bool"),
        "string_value": (15, "value string"),
        "bytes_value": (16, "value bytes"),
        "template_value": (18, "value Template"),
    },
    "Template": {
        "version": (1, "string"),
        "metrics": (2, "*Metric"),
        "template_ref": (4, "string"),
        "is_definition": (5, "bool"),
    },
    "PropertySet": {"keys": (1, "*string"), "values": (2, "*PropertyValue")},
    "PropertyValue": {
        "type": (1, "uint32"),
        "is_null": (2, "bool"),
        "int_value": (3, "value uint32"),
        "long_value": (4, "value uint64"),
        "string_value": (8, "value string"),
    },
}
"""Message → field → (number, [oneof] type); `*` = repeated."""


@cache
def payload_class() -> Any:
    """The class `Payload`, made on first use."""
    file = descriptor_pb2.FileDescriptorProto(name="watchkeep_sparkplug_b.proto", package="watchkeep.sparkplug")
    file.syntax = "proto2"
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, (number, kind) in fields.items():
            _add_field(described, name, number, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("watchkeep.sparkplug.Payload"))


def _add_field(message: Any, name: str, number: int, kind: str) -> None:
    repeated = kind.startswith("*")
    oneof, _, kind = kind.lstrip("*").rpartition(" ")
    field = message.field.add(name=name, number=number)
    field.label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    if kind in _MESSAGES:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".watchkeep.sparkplug.{kind}"
    else:
        field.type = _Field.Type.Value(f"TYPE_{kind.upper()}")
    if oneof:
        if not message.oneof_decl:
            message.oneof_decl.add(name=oneof)
        field.oneof_index = 0
