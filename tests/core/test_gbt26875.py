"""The codec of GB/T 26875.3 against vectors of others, and against bytes that nobody should send."""

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeep_core import vocabulary
from watchkeep_core.gbt26875 import (
    ACK,
    CONTROL,
    REFUSE,
    SEND,
    Dialect,
    Frame,
    FrameError,
    FrameReader,
    Object,
    Place,
    Refused,
    Unit,
    address_from,
    address_text,
    decode_unit,
    encode_unit,
    place_from,
)
from watchkeep_core.gbt26875.dialect import CHINA
from watchkeep_core.gbt26875.frames import MAX_FRAME
from watchkeep_core.gbt26875.objects import object_bytes
from watchkeep_core.gbt26875.times import decode_time, encode_time

PLAIN = Dialect()
FIRE = vocabulary.load().fire
PROFILES = [Dialect.of(profile) for profile in FIRE.profiles.values()]

GOLDEN = bytes.fromhex(
    "40 40 01 00 02 03 35 12 0F 0F 06 15 15 27 08 20 20 FE 00 00 00 00 00 01 30 00 02"
    "02 01 81 03 11 15 27 08 20 02 00 B0 A1 A9 96" + "00" * 27 + "35 12 0F 0F 06 15 49 23 23"
)
"""DOMAIN §4.1 [S57]."""

SMOKE_10_2 = bytes.fromhex(
    "40 40 01 00 01 01 20 3A 09 1A 09 0C 79 03 00 00 00 00 38 5B 01 00 00 00 30 00 02 02 01 01 01 28 0A 00 02 00 02 00"
    + "20" * 30
    + "00 02 3A 09 1A 09 0C 46 23 23"
)
"""A second implementation's example: device 889, zone 10 part 2, smoke detector, fire alarm, 2012-09-26 09:58:02."""


def one(raw: bytes, dialect: Dialect = PLAIN) -> Frame:
    (found,) = FrameReader(dialect).feed(raw)
    assert isinstance(found, Frame)
    return found


def local(year: int, *parts: int) -> datetime:
    month, day, hour, minute, second = parts
    return datetime(year, month, day, hour, minute, second, tzinfo=CHINA).astimezone(UTC)


def test_golden_vector():
    frame = one(GOLDEN)
    assert (frame.serial, frame.version, frame.command) == (1, (2, 3), SEND)
    assert (address_text(frame.source), address_text(frame.destination)) == ("1527082020fe", "000000000001")
    assert frame.at == local(2021, 6, 15, 15, 18, 53)
    unit = decode_unit(frame.unit, PLAIN)
    (found,) = unit.objects
    assert unit.type == 2
    assert (found.system, found.address, found.component) == (0x81, 3, 17)
    assert found.place.hex == "15270820"
    assert found.status == 0b10
    assert found.text == "啊〇"
    assert found.at == frame.at
    assert replace(frame, unit=encode_unit(unit, PLAIN)).encode(PLAIN) == GOLDEN


def test_component_address_is_zone_and_part():
    (found,) = decode_unit(one(SMOKE_10_2).unit, PLAIN).objects
    assert (found.place, found.component, found.text, found.status) == (Place(10, 2), 40, "", 2)
    assert str(found.place) == "10-2"


@pytest.mark.parametrize(
    ("raw", "kind", "expected"),
    [
        ("15 01 08 02 3A 09 1A 09 0C", 21, Object(status=8, at=local(2012, 9, 26, 9, 58, 2))),
        ("18 01 20 01 02 3A 09 1A 09 0C", 24, Object(status=0x20, number=1, at=local(2012, 9, 26, 9, 58, 2))),
        ("19 01 01 01", 25, Object(version=(1, 1))),
        ("1C 01 02 3A 09 1A 09 0C", 28, Object(at=local(2012, 9, 26, 9, 58, 2))),
        ("5A 01 02 3A 09 1A 09 0C", 90, Object(at=local(2012, 9, 26, 9, 58, 2))),
        ("5B 01 0A", 91, Object(number=10)),
        (
            "03 01 01 01 5C 01 00 02 00 05 BC 02 02 3A 09 1A 09 0C",
            3,
            Object(1, 1, 92, Place(1, 2), number=5, value=700, at=local(2012, 9, 26, 9, 58, 2)),
        ),
        ("01 01 01 00 01 03 02 3A 09 1A 09 0C", 1, Object(1, 0, status=0x301, at=local(2012, 9, 26, 9, 58, 2))),
        ("04 01 01 01 01 07 02 3A 09 1A 09 0C", 4, Object(1, 1, status=1, number=7, at=local(2012, 9, 26, 9, 58, 2))),
        ("05 01 01 01 02 09", 5, Object(1, 1, version=(2, 9))),
        ("06 01 01 01 04 C5 E4 D6 C3", 6, Object(1, 1, text="配置")),
        ("07 01 01 01 28 0A 00 02 00 C5 E4 D6 C3" + "00" * 27, 7, Object(1, 1, 40, Place(10, 2), text="配置")),
        ("08 01 01 01 02 3A 09 1A 09 0C", 8, Object(1, 1, at=local(2012, 9, 26, 9, 58, 2))),
        ("1A 01 04 C5 E4 D6 C3", 26, Object(text="配置")),
    ],
)
def test_units_of_every_type(raw, kind, expected):
    assert decode_unit(bytes.fromhex(raw), PLAIN) == Unit(kind, (expected,))
    assert encode_unit(Unit(kind, (expected,)), PLAIN) == bytes.fromhex(raw)


def test_every_upload_type_of_the_vocabulary_is_known_with_its_size():
    for kind, row in FIRE.upload_types.items():
        assert object_bytes(kind, PLAIN) == row.object_bytes, row.en


def test_an_answer_repeats_the_serial_and_turns_the_addresses():
    answer = one(SMOKE_10_2).answer(ACK, local(2012, 9, 26, 9, 58, 35))
    assert answer.encode(PLAIN) == bytes.fromhex(
        "40 40 01 00 01 01 23 3A 09 1A 09 0C 38 5B 01 00 00 00 79 03 00 00 00 00 00 00 03 AB 23 23"
    )
    refusal = one(SMOKE_10_2).answer(REFUSE, local(2012, 9, 26, 9, 58, 35))
    assert refusal.encode(PLAIN)[-4:].hex() == "06ae2323"


def test_profiles_differ_as_the_vocabulary_says():
    swapped = Dialect.of(FIRE.profiles["gbt26875_part_zone"])
    compact = Dialect.of(FIRE.profiles["gbt26875_compact_14"])
    assert object_bytes(2, compact) == 14
    (found,) = decode_unit(one(SMOKE_10_2).unit, swapped).objects
    assert found.place == Place(2, 10)
    raw = bytes.fromhex("02 01 01 01 28 02 00 0A 00 02 02 3A 09 1A 09 0C")
    (found,) = decode_unit(raw, compact).objects
    assert (found.place, found.status, found.component) == (Place(10, 2), 2, 40)
    assert found.at == local(2012, 9, 26, 9, 58, 2)
    with pytest.raises(FrameError, match="1 objects of type 2 in 14 bytes; each has 40, or 46"):
        decode_unit(raw, PLAIN)


@pytest.mark.parametrize(
    ("profile", "status", "test"),
    [
        ("gbt26875_2011", 0, True),
        ("gbt26875_2011", 1, False),
        ("gbt26875_2011", 0b10, False),
        ("gbt26875_bit0_test", 0, False),
        ("gbt26875_bit0_test", 1, True),
        ("gbt26875_bit0_test", 0b11, False),
        ("gbt26875_bit0_unused", 0, False),
        ("gbt26875_bit0_unused", 1, False),
    ],
)
def test_an_alarm_is_never_taken_for_a_test(profile, status, test):
    assert Dialect.of(FIRE.profiles[profile]).in_test(status) is test


def test_times_may_be_bcd():
    label = bytes.fromhex("02 58 09 26 09 12")
    assert decode_time(label, CHINA, bcd=True) == local(2012, 9, 26, 9, 58, 2)
    assert encode_time(local(2012, 9, 26, 9, 58, 2), CHINA, bcd=True) == label
    assert decode_time(bytes.fromhex("0A 58 09 26 09 12"), CHINA, bcd=True) is None


@pytest.mark.parametrize("label", [bytes(6), b"\xff" * 6, bytes((60, 0, 0, 1, 1, 20)), bytes((0, 0, 0, 30, 2, 20))])
def test_a_time_that_is_no_date_is_none(label):
    assert decode_time(label, CHINA) is None


def test_year_1999_and_2100_cannot_be_told():
    for year in (1999, 2100):
        with pytest.raises(ValueError, match=str(year)):
            encode_time(datetime(year, 6, 1, tzinfo=UTC), CHINA)


@pytest.mark.parametrize(
    ("text", "place"),
    [("10-2", Place(10, 2)), ("10.2", Place(10, 2)), ("0A 00 02 00", Place(10, 2)), ("0a000200", Place(10, 2)),
     ("131082", Place(10, 2)), ("10", Place(10, 0)), ("65535-65535", Place(65535, 65535))],
)  # fmt: skip
def test_places_are_read_as_makers_print_them(text, place):
    assert place_from(text) == place
    assert place_from(place.hex) == place_from(str(place)) == place


@pytest.mark.parametrize("text", ["", "x-1", "65536-1", "4294967296", "-1", "1-", "0A 00 02", "１-２"])
def test_what_is_no_place_is_refused(text):
    with pytest.raises(ValueError, match=r"zone and part|no ZONE-PART"):
        place_from(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [("889", 889), ("79 03 00 00 00 00", 889), ("79030000000a", 0x0A0000000379), ("152708202000", 152708202000)],
)
def test_device_addresses(text, address):
    assert address_from(text) == address
    assert address_from(address_text(address) if "a" in address_text(address) else str(address)) == address


@pytest.mark.parametrize("text", ["", "zz", "281474976710656", "79 03", "-1", "7903 00 00 00 0g"])
def test_bad_device_addresses_are_refused(text):
    with pytest.raises(ValueError, match="is no number below"):
        address_from(text)


def test_description_is_cut_at_a_whole_character_and_at_the_first_nul():
    unit = Unit(7, (Object(text="消防控制室二层走廊东侧感烟探测器"),))
    (found,) = decode_unit(encode_unit(unit, PLAIN), PLAIN).objects
    assert found.text == "消防控制室二层走廊东侧感烟探测"
    raw = bytearray(encode_unit(unit, PLAIN))
    raw[-31:] = b"1\xba\xc5\x00rubbish".ljust(31, b"\xf8")
    (found,) = decode_unit(bytes(raw), PLAIN).objects
    assert found.text == "1号"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "bad_size"),
        ("02", "bad_size"),
        ("02 00", "bad_size"),
        ("02 01 00", "bad_size"),
        ("03 02" + "00" * 16, "bad_size"),
        ("06 01 01 01 05 41", "bad_size"),
        ("06 02 01 01 01 41", "bad_size"),
        ("06 01 01", "bad_size"),
        ("1A 01 01 41 41", "bad_size"),
        ("09 01 00", "unknown_type"),
        ("FF 01 00", "unknown_type"),
        ("1C 01", "bad_size"),
    ],
)
def test_broken_units_are_refused(raw, reason):
    with pytest.raises(FrameError) as caught:
        decode_unit(bytes.fromhex(raw), PLAIN)
    assert caught.value.reason == reason


def test_what_does_not_fit_is_refused_when_encoded():
    for unit in (Unit(1, (Object(system=256),)), Unit(3, (Object(value=40_000),)), Unit(6, (Object(address=300),))):
        with pytest.raises(ValueError, match=r"system|required|format"):
            encode_unit(unit, PLAIN)
    most = 22  # as 8.3.1.2 says
    assert len(encode_unit(Unit(2, (Object(),) * most), PLAIN)) == 2 + 22 * 46
    with pytest.raises(FrameError, match="too_large"):
        encode_unit(Unit(2, (Object(),) * (most + 1)), PLAIN)
    with pytest.raises(FrameError, match="unknown_type"):
        encode_unit(Unit(9, ()), PLAIN)
    with pytest.raises(FrameError, match="too_large"):
        Frame(1, SEND, 1, 2, bytes(1025)).encode(PLAIN)
    for frame in (Frame(65536, SEND, 1, 2), Frame(1, SEND, 2**48, 2)):
        with pytest.raises(ValueError, match=r"format|big"):
            frame.encode(PLAIN)


moments = st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0)
)
byte, word = st.integers(0, 255), st.integers(0, 65535)
texts = st.text(st.characters(codec="gb18030", categories=("L", "N")), max_size=7)
units = st.one_of(
    st.builds(Object, byte, byte, status=word, at=moments).map(lambda found: (1, found)),
    st.builds(Object, byte, byte, byte, st.builds(Place, word, word), status=byte, at=moments).map(
        lambda found: (2, found)
    ),
    st.builds(
        Object,
        byte,
        byte,
        byte,
        st.builds(Place, word, word),
        number=byte,
        value=st.integers(-32768, 32767),
        at=moments,
    ).map(lambda found: (3, found)),
    st.builds(Object, byte, byte, status=byte, number=byte, at=moments).map(lambda found: (4, found)),
    st.builds(Object, byte, byte, version=st.tuples(byte, byte)).map(lambda found: (5, found)),
    st.builds(Object, byte, byte, text=texts).map(lambda found: (6, found)),
    st.builds(Object, byte, byte, byte, st.builds(Place, word, word), text=texts).map(lambda found: (7, found)),
    st.builds(Object, status=byte, at=moments).map(lambda found: (21, found)),
    st.builds(Object, text=texts).map(lambda found: (26, found)),
    st.builds(Object, number=byte).map(lambda found: (91, found)),
)


@given(units, st.sampled_from(PROFILES), st.integers(1, 5))
def test_units_survive_the_round_trip(found, dialect, count):
    kind, thing = found
    unit = Unit(kind, (thing,) * count)
    assert decode_unit(encode_unit(unit, dialect), dialect) == unit


frames = st.builds(
    Frame,
    word,
    st.sampled_from([CONTROL, SEND, ACK, 4, 5, REFUSE, 128, 255]),
    st.integers(0, 2**48 - 1),
    st.integers(0, 2**48 - 1),
    st.binary(max_size=100).filter(lambda unit: b"@" not in unit),
    st.one_of(st.none(), moments),
    st.tuples(byte, byte),
)


@given(st.lists(frames, max_size=6), st.data(), st.sampled_from(PROFILES))
def test_frames_survive_any_split(sent, data, dialect):
    stream = b"".join(frame.encode(dialect) for frame in sent)
    reader, got, at = FrameReader(dialect), list[Frame | Refused](), 0
    while at < len(stream):
        step = data.draw(st.integers(1, len(stream) - at))
        got += reader.feed(stream[at : at + step])
        at += step
    assert got == sent
    assert reader.waiting == 0


GOOD = Frame(7, SEND, 889, 1, bytes.fromhex("15 01 08 02 3A 09 1A 09 0C"), local(2026, 11, 22, 12, 0, 0))


def read_all(stream: bytes, steps: int = 1) -> list[Frame | Refused]:
    reader, got = FrameReader(PLAIN), []
    size = -(-len(stream) // steps) or 1
    for at in range(0, len(stream), size):
        got += list(reader.feed(stream[at : at + size]))
    while reader.waiting:
        before = reader.waiting
        got += list(reader.give_up())
        assert reader.waiting < before
    return got


@given(st.integers(0, len(GOOD.encode(PLAIN)) - 1), st.integers(1, 255), st.integers(1, 3))
def test_a_broken_frame_never_loses_the_next_one(at, flip, steps):
    raw = GOOD.encode(PLAIN)
    broken = raw[:at] + bytes((raw[at] ^ flip,)) + raw[at + 1 :]
    got = read_all(broken + raw, steps)
    assert got[-1] == GOOD
    refused = [found for found in got if isinstance(found, Refused)]
    assert b"".join(found.raw for found in refused) == broken, "what was refused is kept, once"


@given(st.binary(max_size=3000), st.integers(1, 4))
def test_no_bytes_raise_and_a_good_frame_behind_them_is_found(rubbish, steps):
    got = read_all(rubbish + GOOD.encode(PLAIN), steps)
    assert GOOD in got
    for found in got:
        if isinstance(found, Frame):
            with contextlib.suppress(FrameError):
                decode_unit(found.unit, PLAIN)


@given(st.binary(max_size=1024), st.sampled_from(PROFILES))
def test_no_unit_raises_anything_but_a_frame_error(raw, dialect):
    with contextlib.suppress(FrameError):
        assert len(decode_unit(raw, dialect).objects) == raw[1]


@given(st.lists(st.binary(min_size=1, max_size=500), max_size=40))
def test_what_waits_is_bounded(chunks):
    reader = FrameReader(PLAIN)
    for chunk in chunks:
        list(reader.feed(chunk))
        assert reader.waiting < MAX_FRAME


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({-3: 0}, "bad_checksum"),
        ({-1: 0}, "bad_end"),
        ({24: 0xFF, 25: 0xFF}, "bad_length"),
    ],
)
def test_what_is_refused_tells_why_and_can_be_answered(change, reason):
    raw = bytearray(GOOD.encode(PLAIN))
    for at, value in change.items():
        raw[at] = value
    first, *_ = read_all(bytes(raw))
    assert isinstance(first, Refused)
    assert (first.error.reason, first.frame and first.frame.serial) == (reason, 7)


def test_a_reserved_command_is_refused_and_a_maker_s_own_is_not():
    for command, kind in ((0, Refused), (7, Refused), (127, Refused), (128, Frame)):
        (found,) = read_all(Frame(1, command, 1, 2).encode(PLAIN))
        assert isinstance(found, kind)


def test_a_length_that_never_comes_is_given_up():
    raw = bytearray(GOOD.encode(PLAIN))
    raw[24] = 0xF0
    reader = FrameReader(PLAIN)
    assert list(reader.feed(bytes(raw) + GOOD.encode(PLAIN))) == []
    refused, good = reader.give_up()
    assert isinstance(refused, Refused)
    assert refused.error.reason == "bad_length"
    assert good == GOOD


def test_device_clock_at_another_zone():
    india = Dialect(zone=timezone(timedelta(hours=5, minutes=30)))
    frame = one(GOOD.encode(india), PLAIN)
    assert frame.at == GOOD.at - timedelta(hours=2, minutes=30)  # type: ignore[operator]  # it has one
