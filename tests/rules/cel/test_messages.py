"""Plain CEL knows the protobuf messages that whoever embeds it has registered."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from reconciler.rules.cel import Environment

FIELD = descriptor_pb2.FieldDescriptorProto


@pytest.fixture(scope="module")
def message() -> Any:
    """A class of messages with a number, texts, a wrapper and an enumeration."""
    file = descriptor_pb2.FileDescriptorProto(name="box.proto", package="wayside.test", syntax="proto3")
    file.dependency.append("google/protobuf/wrappers.proto")
    box = file.message_type.add(name="Box")
    box.field.add(name="number", number=1, label=FIELD.LABEL_OPTIONAL, type=FIELD.TYPE_INT32)
    box.field.add(name="texts", number=2, label=FIELD.LABEL_REPEATED, type=FIELD.TYPE_STRING)
    wrapped = box.field.add(name="wrapped", number=3, label=FIELD.LABEL_OPTIONAL, type=FIELD.TYPE_MESSAGE)
    wrapped.type_name = ".google.protobuf.Int64Value"
    kinds = box.enum_type.add(name="Kind")
    kinds.value.add(name="NONE", number=0)
    kinds.value.add(name="SOME", number=1)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(
        descriptor_pool.Default().FindMessageTypeByName("wayside.test.Box")
    )


CASES = [
    ("wayside.test.Box{number: 5}.number", 5),
    ("wayside.test.Box{texts: ['a', 'b']}.texts", ["a", "b"]),
    ("wayside.test.Box{wrapped: 3}.wrapped == 3", True),
    ("wayside.test.Box{}.wrapped == null", True),
    ("has(wayside.test.Box{}.number)", False),
    ("wayside.test.Box.Kind.SOME", 1),
    ("box.number + 1", 5),
    ("open.number + 1", 5),
    ("type(box)", "wayside.test.Box"),
]


@pytest.mark.parametrize(("text", "value"), CASES, ids=[text for text, _ in CASES])
def test_a_message_is_a_value(message: Any, text: str, value: Any) -> None:
    environment = Environment(kubernetes=None, variables={"box": "wayside.test.Box", "open": "dyn"})
    box = message(number=4)
    assert environment.compile(text).evaluate({"box": box, "open": box}) == value


def test_a_message_comes_back_as_it_is(message: Any) -> None:
    environment = Environment(kubernetes=None)
    assert environment.compile("wayside.test.Box{number: 5}").evaluate({}) == message(number=5)
