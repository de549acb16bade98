"""The gob reader: types by name whatever their ids, split envelopes, unknown fields, and what it refuses."""

from __future__ import annotations

import pytest

from tests.calico_wire.gob_bytes import (
    ENVELOPE,
    ENVELOPE_TYPE,
    INTERFACE,
    common,
    envelope,
    gob,
    head,
    other_type,
    struct_type,
    tail,
    text,
    text_in_interface,
)
from tests.calico_wire.recordings import from_agent, read_all
from typha.calico_wire import agent
from typha.calico_wire.errors import BadGobError, PeerError, TooLargeError, TooManyError, UnexpectedMessageError
from typha.calico_wire.gob import encode_int, encode_uint
from typha.calico_wire.messages import Ack, ClientHello, KVs, Pong, SerializedUpdate
from typha.calico_wire.reader import agent_messages, server_messages

HELLO = "MsgClientHello"
OLD_HELLO = gob(struct_type(90, HELLO, ("Version", 6), ("Hostname", 6)))


def hello_with(*definitions: bytes, fields: list[tuple[str, int]], value: bytes) -> bytes:
    """A hello of any fields."""
    parts = [ENVELOPE_TYPE, gob(struct_type(90, HELLO, *fields)), *map(gob, definitions), envelope(HELLO, 90, value)]
    return b"".join(parts)


def refused(data: bytes, kind: type[PeerError], match: str) -> None:
    reader = agent_messages()
    with pytest.raises(kind, match=match):
        read_all(reader, data)
    assert reader.buffered_bytes == 0
    reader.receive_data(b"more")
    assert reader.buffered_bytes == 0
    with pytest.raises(kind, match=match):
        reader.next_message()


def test_fields_are_found_by_name_and_missing_ones_are_zero() -> None:
    data = ENVELOPE_TYPE + OLD_HELLO + envelope(HELLO, 90, b"\x01" + text("v1") + b"\x01" + text("node-a") + b"\x00")
    assert read_all(agent_messages(), data) == [ClientHello("node-a", version="v1")]


def test_an_envelope_may_go_on_behind_each_definition() -> None:
    first = gob(head(HELLO) + struct_type(90, HELLO, ("SupportedCompressionAlgorithms", 91), ("Hostname", 6)))
    second = gob(other_type(91, 2, 6))
    third = gob(tail(90, b"\x01\x02" + text("snappy") + text("") + b"\x01" + text("h") + b"\x00"))
    again = envelope(HELLO, 90, b"\x02" + text("h") + b"\x00")
    data = ENVELOPE_TYPE + first + second + third + again
    wanted = [ClientHello("h", compression_algorithms=("snappy", "")), ClientHello("h")]
    for piece_bytes in (None, 1, 3):
        assert read_all(agent_messages(), data, piece_bytes) == wanted


def test_a_definition_may_stand_in_a_message_with_the_value_behind_it() -> None:
    """How a Go encoder writes a type that it meets inside another interface: the rest has a length of its own."""
    rest = tail(90, b"\x01" + text("v2") + b"\x00")
    inside = head(HELLO) + struct_type(90, HELLO, ("Version", 6)) + encode_uint(len(rest)) + rest
    assert read_all(agent_messages(), ENVELOPE_TYPE + gob(inside)) == [ClientHello(version="v2")]


@pytest.mark.parametrize(
    ("definitions", "type_id", "value"),
    [
        ([], 1, b"\x01"),
        ([], 2, encode_int(-300)),
        ([], 4, encode_uint(2**63)),
        ([], 5, text("bytes")),
        ([], 7, b"\x01\xfe\x03\xe8"),
        ([], 8, b"\x00"),
        ([], 8, text_in_interface("in an interface")),
        ([other_type(91, 1, 3, 4)], 91, b"\x04\x01\x02\x03\x04"),
        ([other_type(91, 2, 6)], 91, b"\x02" + text("a") + text("b")),
        ([other_type(91, 4, 6, 2)], 91, b"\x01" + text("key") + b"\x04"),
        ([other_type(91, 5)], 91, text("opaque")),
        ([other_type(91, 6)], 91, text("opaque")),
        ([other_type(91, 7)], 91, text("opaque")),
        ([struct_type(91, "S", ("A", 6), ("B", 91))], 91, b"\x01" + text("a") + b"\x01\x01" + text("b") + b"\x00\x00"),
        ([struct_type(91, "S")], 91, b"\x00"),
    ],
)
def test_unknown_fields_are_skipped_whatever_their_type(definitions: list[bytes], type_id: int, value: bytes) -> None:
    fields = [("Hostname", 6), ("Invented", type_id), ("Version", 6)]
    whole = b"\x01" + text("h") + b"\x01" + value + b"\x01" + text("v") + b"\x00"
    assert read_all(agent_messages(), hello_with(*definitions, fields=fields, value=whole)) == [
        ClientHello("h", version="v")
    ]


def test_unknown_fields_of_the_envelope_are_skipped() -> None:
    wide = gob(struct_type(ENVELOPE, "Envelope", ("Before", 6), ("Message", INTERFACE), ("After", 2)))
    before = encode_int(ENVELOPE) + b"\x01" + text("x") + b"\x01"
    name, after = head("MsgACK")[len(encode_int(ENVELOPE)) + 1 :], b"\x01\x02\x00"
    ack = gob(before + name + tail(90, b"\x00")[:-1] + after)
    data = wide + gob(struct_type(90, "MsgACK")) + ack + ack
    assert read_all(agent_messages(), data) == [Ack(), Ack()]


def test_an_update_whose_revision_is_no_string() -> None:
    update = struct_type(92, "SerializedUpdate", ("Key", 6), ("Revision", INTERFACE), ("TTL", 2))
    definitions = ENVELOPE_TYPE + gob(struct_type(90, "MsgKVs", ("KVs", 91))) + gob(other_type(91, 2, 92)) + gob(update)
    for revision, wanted in (
        (text_in_interface("307"), "307"),
        (text_in_interface(""), ""),
        (text("int") + encode_int(2) + b"\x02\x00\x0e", None),
        (b"\x00", None),
    ):
        element = b"\x01" + text("/k") + b"\x01" + revision + b"\x01" + encode_int(-5) + b"\x00"
        data = definitions + envelope("MsgKVs", 90, b"\x01\x02" + element + b"\x00" + b"\x00")
        found = read_all(server_messages(), data)
        assert found == [KVs((SerializedUpdate("/k", revision=wanted, ttl_ns=-5), SerializedUpdate()))]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"\x00", "ends inside"),
        (b"\xf0" + b"\x01" * 16, "length of 16 bytes"),
        (gob(b"\xf7" + b"\x01" * 9), "number of 9 bytes"),
        (gob(b"\xfe\x01"), "ends inside a number"),
        (gob(encode_int(0)), "definition of type 0"),
        (gob(struct_type(63, "S")), "definition of type 63"),
        (gob(struct_type(2**31, "S")), "definition of type 2147483648"),
        (gob(encode_int(-70) + b"\x00"), "defines nothing"),
        (gob(encode_int(-70) + b"\x08\x00"), "field that gob does not have"),
        (gob(encode_int(-70) + b"\x05\x02\x00\x00"), "field that gob does not have"),
        (gob(other_type(70, 5)[:-1] + b"\x01\x00\x00"), "two forms"),
        (gob(struct_type(70, "S") + b"\x00"), "behind a type definition"),
        (ENVELOPE_TYPE + ENVELOPE_TYPE, "defined twice"),
        (gob(encode_int(70) + b"\x00"), "where an envelope belongs"),
        (gob(other_type(70, 5)) + gob(encode_int(70) + b"\x00"), "where an envelope belongs"),
        (ENVELOPE_TYPE + gob(encode_int(70) + b"\x02\x00"), "field 1 that its definition lacks"),
        (gob(struct_type(70, "Envelope", ("Message", 6))) + gob(head(HELLO) + b"\x00"), "not one interface"),
        (ENVELOPE_TYPE + envelope(HELLO, 90, b"\x00"), "no defined struct"),
        (ENVELOPE_TYPE + OLD_HELLO + envelope(HELLO, 90, b"\x03\x00"), "field 2 that its definition lacks"),
        (ENVELOPE_TYPE + OLD_HELLO + gob(head(HELLO) + encode_int(90) + b"\x02\x00\x00\x00"), "not as long as it says"),
        (ENVELOPE_TYPE + OLD_HELLO + gob(head(HELLO) + encode_int(90) + b"\x09\x00\x00"), "9 announced"),
        (ENVELOPE_TYPE + OLD_HELLO + gob(head(HELLO) + tail(90, b"\x00") + b"\x00"), "behind an envelope"),
        (ENVELOPE_TYPE + OLD_HELLO + envelope(HELLO, 90, b"\x01\x02\xff\xfe\x00"), "not UTF-8"),
        (hello_with(fields=[("Hostname", 2)], value=b"\x00"), "MsgClientHello.Hostname is type 2; wanted is text"),
        (hello_with(fields=[("Hostname", 99)], value=b"\x00"), "Hostname is type 99"),
        (hello_with(fields=[("SupportedCompressionAlgorithms", 99)], value=b"\x00"), "wanted is texts"),
        (
            hello_with(other_type(91, 2, 2), fields=[("SupportedCompressionAlgorithms", 91)], value=b"\x00"),
            "is 'T'; wanted is texts",
        ),
        (hello_with(fields=[("Version", 6), ("Version", 6)], value=b"\x00"), "two fields of one name"),
        (hello_with(fields=[("X", 99)], value=b"\x01\x00\x00"), "type 99, which is not defined"),
    ],
)
def test_bytes_that_are_no_gob_of_ours(data: bytes, match: str) -> None:
    refused(data, BadGobError, match)


def test_nothing_but_an_envelope_goes_on_in_the_next_message() -> None:
    definitions = ENVELOPE_TYPE + gob(struct_type(90, HELLO, ("X", INTERFACE)))
    inside = b"\x01" + text("S") + struct_type(99, "S")
    cut = gob(head(HELLO) + encode_int(90) + encode_uint(len(inside)) + inside)
    refused(definitions + cut, BadGobError, "ends inside an interface value")


def test_a_string_in_an_interface_stands_behind_a_zero_and_its_length() -> None:
    update = struct_type(92, "SerializedUpdate", ("Revision", INTERFACE))
    definitions = ENVELOPE_TYPE + gob(struct_type(90, "MsgKVs", ("KVs", 91))) + gob(other_type(91, 2, 92)) + gob(update)
    good = text_in_interface("307")
    for bad, match in (
        (good.replace(b"\x05\x00\x03", b"\x05\x01\x03"), "does not start with 0"),
        (good.replace(b"\x05\x00\x03", b"\x04\x00\x03"), "not as long as it says"),
    ):
        reader = server_messages()
        with pytest.raises(BadGobError, match=match):
            read_all(reader, definitions + envelope("MsgKVs", 90, b"\x01\x01\x01" + bad + b"\x00\x00"))


def test_times_that_go_does_not_write() -> None:
    definitions = ENVELOPE_TYPE + gob(struct_type(90, "MsgPong", ("PingTimestamp", 91))) + gob(other_type(91, 5))
    good = bytes.fromhex("010000000edce5e80000000005ffff")
    read = read_all(agent_messages(), definitions + envelope("MsgPong", 90, b"\x01\x0f" + good + b"\x00"))
    assert read == [Pong((0xEDCE5E800 - 62135596800) * 10**9 + 5)]
    with_seconds = b"\x02" + good[1:] + b"\x1e"
    again = read_all(agent_messages(), definitions + envelope("MsgPong", 90, b"\x01\x10" + with_seconds + b"\x00"))
    assert again == read
    zero = b"\x01" + bytes(12) + b"\xff\xff"
    nothing = read_all(agent_messages(), definitions + envelope("MsgPong", 90, b"\x01\x0f" + zero + b"\x00"))
    assert nothing == [Pong(None)]
    for bad in (b"", good[:-1], b"\x03" + good[1:], good[:9] + b"\xff" * 4 + good[13:]):
        value = b"\x01" + encode_uint(len(bad)) + bad + b"\x00"
        refused(definitions + envelope("MsgPong", 90, value), BadGobError, "a time")


@pytest.mark.parametrize("name", ["MsgServerHello", "MsgKVs", "MsgInvented", "x" * 70])
def test_messages_that_no_agent_sends(name: str) -> None:
    refused(ENVELOPE_TYPE + gob(head(name)), UnexpectedMessageError, name)


def test_an_envelope_without_message() -> None:
    refused(ENVELOPE_TYPE + gob(encode_int(ENVELOPE) + b"\x00"), UnexpectedMessageError, "without message")
    refused(ENVELOPE_TYPE + gob(encode_int(ENVELOPE) + b"\x01\x00\x00"), UnexpectedMessageError, "without message")


def test_a_message_beyond_1_mib_is_refused_by_its_length_alone() -> None:
    refused(encode_uint(1024 * 1024 + 1), TooLargeError, "1048577 bytes")
    refused(encode_uint(2**64 - 1), TooLargeError, "message of 18446744073709551615 bytes")
    reader = agent_messages()
    reader.receive_data(encode_uint(1024 * 1024))
    assert reader.next_message() is None


def test_names_and_texts_have_limits() -> None:
    refused(ENVELOPE_TYPE + gob(struct_type(90, "n" * 129)), TooLargeError, "name of a type")
    refused(ENVELOPE_TYPE + gob(struct_type(90, "S", ("f" * 129, 6))), TooLargeError, "name of a field")
    refused(ENVELOPE_TYPE + gob(head("n" * 100)), TooLargeError, "name of a message")
    long = b"\x01" + text("v" * 4097) + b"\x00"
    refused(ENVELOPE_TYPE + OLD_HELLO + envelope(HELLO, 90, long), TooLargeError, "text of 4097 bytes")
    inside = b"\x01" + text("t" * 129) + b"\x00"
    refused(hello_with(fields=[("X", 8)], value=inside), TooLargeError, "name of a concrete type")


def test_definitions_and_fields_are_counted() -> None:
    many = b"".join(gob(struct_type(number, "S")) for number in range(64, 64 + 33))
    refused(many, TooManyError, "33 type definitions")
    refused(gob(struct_type(64, "S", *[("F", 6)] * 33)), TooManyError, "33 fields")
    lying = encode_int(-64) + b"\x03\x02" + encode_uint(2**40)
    refused(gob(lying), BadGobError, "announced")


def test_an_envelope_cannot_be_split_for_ever() -> None:
    parts = [head(HELLO) + struct_type(100, "S"), *[struct_type(number, "S") for number in range(101, 200)]]
    refused(ENVELOPE_TYPE + b"".join(map(gob, parts)), TooManyError, "33 type definitions")


def test_elements_of_a_slice_are_counted() -> None:
    fields = [("SupportedCompressionAlgorithms", 91)]
    value = b"\x01\x41" + b"\x00" * 65 + b"\x00"
    refused(hello_with(other_type(91, 2, 6), fields=fields, value=value), TooManyError, "65 elements")
    lying = b"\x01" + encode_uint(2**40) + b"\x00"
    refused(hello_with(other_type(91, 2, 6), fields=fields, value=lying), BadGobError, "announced")


def test_what_is_skipped_is_counted_and_not_deep() -> None:
    nested = struct_type(91, "Nest", ("Inner", 91))
    value = b"\x01" * 40 + b"\x00" * 40
    refused(hello_with(nested, fields=[("X", 91)], value=value), TooManyError, "17 levels")
    for form in (other_type(91, 2, 91), other_type(91, 4, 2, 91)):
        pairs = b"\x01" * 80
        refused(hello_with(form, fields=[("X", 91)], value=b"\x01" + pairs + b"\x00"), TooManyError, "17 levels")
    wide = b"\x01" + encode_uint(1_000_000) + bytes(1_000_000) + b"\x00"
    refused(hello_with(other_type(91, 2, 2), fields=[("X", 91)], value=wide), TooManyError, "1025 values")


def test_the_count_of_skipped_values_is_one_envelopes() -> None:
    value = b"\x01" + encode_uint(900) + bytes(900) + b"\x00"
    data = hello_with(other_type(91, 2, 2), fields=[("X", 91)], value=value) + envelope(HELLO, 90, value)
    assert read_all(agent_messages(), data) == [ClientHello(), ClientHello()]


def test_good_messages_before_a_bad_one_come_out() -> None:
    reader = agent_messages()
    reader.receive_data(from_agent(1) + b"\x00")
    assert isinstance(reader.next_message(), ClientHello)
    with pytest.raises(BadGobError):
        reader.next_message()


def test_what_stands_behind_the_last_message_can_be_taken() -> None:
    reader = agent_messages()
    reader.receive_data(agent.PREAMBLE + agent.encode_agent_message(Ack()) + b"rest")
    assert reader.next_message() == Ack()
    assert reader.take_rest() == b"rest"
    assert reader.buffered_bytes == 0


def test_common_types_lie_about_nothing_that_matters() -> None:
    """Go's decoder goes by the id of the definition, not by the one inside its CommonType."""
    odd = encode_int(-90) + b"\x03\x01" + common("Other", 64) + b"\x01\x01" + common("Version", 6) + b"\x00\x00"
    data = ENVELOPE_TYPE + gob(odd) + envelope(HELLO, 90, b"\x01" + text("v") + b"\x00")
    assert read_all(agent_messages(), data) == [ClientHello(version="v")]
