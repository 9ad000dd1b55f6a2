"""Frames: what is written is read again, and nothing else is ever read or raises anything unexpected."""

from __future__ import annotations

import json
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instruments.errors import FrameTooLargeError, MalformedFrameError, ProtocolError
from instruments.protocol.capabilities import ActionDescription, ArgumentDescription, Capabilities
from instruments.protocol.codec import (
    MAX_FRAME,
    decode_from_controller,
    decode_from_driver,
    encode,
    protocol_of_hello,
)
from instruments.protocol.messages import (
    Command,
    Finished,
    Heartbeat,
    Hello,
    Inquire,
    Ping,
    Progress,
    Rejected,
    Report,
    Stop,
    message_types,
)
from instruments.protocol.values import FaultCode, Faulted, MeasuredValue, Succeeded, shorten

names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
ids = st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
finite = st.floats(allow_nan=False, allow_infinity=False)
moments = st.floats(min_value=0, max_value=1e11)
scalars = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), finite, texts)
measured = st.builds(
    MeasuredValue,
    value=scalars,
    unit=st.none() | st.sampled_from(["degC", "percent"]),
    sem=st.none() | st.floats(min_value=0, max_value=1e300),
)
outcomes = st.one_of(
    st.builds(Succeeded, values=st.dictionaries(names, measured, max_size=5), started_at=moments, finished_at=moments),
    st.builds(Faulted, code=st.sampled_from(FaultCode), message=texts, retryable=st.booleans()),
)
from_driver = st.one_of(
    st.builds(Finished, attempt=ids, outcome=outcomes),
    st.builds(Report, attempt=ids, status=st.sampled_from(["running", "finished"]), outcome=st.none() | outcomes),
    st.builds(Rejected, attempt=ids, code=st.just("busy"), message=texts),
    st.builds(Progress, attempt=ids, fraction=st.floats(0, 1), note=texts),
    st.builds(
        Heartbeat,
        state=st.just("busy"),
        running=st.lists(ids, max_size=5).map(tuple),
        uptime_s=st.floats(0, 1e9),
        echo=st.none() | finite,
    ),
)
from_controller = st.one_of(
    st.builds(
        Command,
        attempt=ids,
        action=names,
        arguments=st.dictionaries(names, scalars, max_size=5),
        units=st.dictionaries(names, st.just("bar"), max_size=5),
        deadline_s=st.none() | st.floats(1e-3, 1e9),
    ),
    st.builds(Inquire, attempts=st.lists(ids, max_size=20).map(tuple)),
    st.builds(Ping, sent_at=finite),
    st.builds(Stop, request=ids, mode=st.sampled_from(["now", "finish"])),
)


@given(from_driver)
def test_message_of_a_driver_comes_back_as_it_was(message: Finished) -> None:
    assert decode_from_driver(encode(message)) == message


@given(from_controller)
def test_message_of_a_controller_comes_back_with_the_same_types(message: Command) -> None:
    back = decode_from_controller(encode(message))
    assert back == message
    if isinstance(back, Command):
        kinds = {name: type(value) for name, value in message.arguments.items()}
        assert {name: type(value) for name, value in back.arguments.items()} == kinds


@given(
    st.one_of(st.binary(max_size=300), st.recursive(scalars, st.lists, max_leaves=8).map(json.dumps).map(str.encode))
)
def test_arbitrary_bytes_raise_protocol_errors_only(frame: bytes) -> None:
    for decode in (decode_from_driver, decode_from_controller):
        try:
            message = decode(frame)
        except ProtocolError:
            continue
        assert decode(encode(message)) == message  # by chance these bytes say something
    protocol_of_hello(frame)


@settings(max_examples=120)
@given(st.one_of(from_driver, from_controller), st.data())
def test_damaged_frame_is_read_as_a_message_or_refused(message: Command, data: st.DataObject) -> None:
    frame = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    for decode in (decode_from_driver, decode_from_controller):
        try:
            back = decode(bytes(frame))
        except ProtocolError:
            continue
        assert isinstance(back, message_types())
        assert len(encode(back)) <= 2 * len(frame) + 200


def test_frame_above_the_limit_is_refused_both_ways() -> None:
    values = {f"v{i}": MeasuredValue(value="x" * 2000) for i in range(600)}
    outcome = Succeeded(values=values, started_at=0.0, finished_at=1.0)
    with pytest.raises(FrameTooLargeError, match="send fewer values"):
        encode(Finished(attempt="a", outcome=outcome))
    with pytest.raises(FrameTooLargeError):
        decode_from_driver(b" " * (MAX_FRAME + 1))


@pytest.mark.parametrize(
    "frame",
    [
        b'{"type":"ping","sent_at":NaN}',
        b'{"type":"ping","sent_at":Infinity}',
        b'{"type":"ping","sent_at":1e999}',
        b'{"type":"ping","sent_at":true}',
        b'{"type":"ping","sent_at":"1"}',
        b'{"type":"ping","sent_at":1,"more":2}',
        b'{"type":"cancel","attempt":"../../etc"}',
        b'{"type":"cancel","attempt":"a\\n"}',
        b'{"type":"finished","attempt":"a","outcome":{}}',
        b"[" * 10_000,
        b"",
    ],
    ids=lambda frame: frame[:40].decode(),
)
def test_frame_that_breaks_a_rule_is_refused(frame: bytes) -> None:
    with pytest.raises(MalformedFrameError):
        decode_from_controller(frame)


def test_hello_of_another_version_is_recognised() -> None:
    assert protocol_of_hello(b'{"type":"hello","protocol":7,"colour":"red"}') == 7
    assert protocol_of_hello(b'{"type":"ping","protocol":7}') is None


def test_long_and_broken_texts_are_made_to_fit() -> None:
    fitted = shorten("\udcff" + "x" * 5000)
    assert len(fitted) == 2000
    assert Rejected(attempt="a", code="busy", message=fitted).message.endswith("…")


ONE_MIB_AT_MOST = MAX_FRAME - 200
BOMBS = {
    "lists": b'{"type":"hello","state":[' + b"[]," * (ONE_MIB_AT_MOST // 3) + b"[]]}",
    "keys": b'{"type":"heartbeat",' + b",".join(b'"%d":1' % i for i in range(90_000)) + b"}",
    "actions": b'{"type":"hello","capabilities":{"actions":{' + b",".join(b'"%d":1' % i for i in range(80_000)) + b"}}}",
    "ids": b'{"type":"heartbeat","running":[' + b"1," * (ONE_MIB_AT_MOST // 2) + b"1]}",
    "deep": b'{"type":"hello","x":' + b"[" * ONE_MIB_AT_MOST,
    "digits": b'{"type":"hello","protocol":' + b"9" * ONE_MIB_AT_MOST + b"}",
    "texts": b'{"type":"hello","state":[' + b'"",' * (ONE_MIB_AT_MOST // 3) + b'""]}',
    "quotes": b'{"type":"farewell","reason":"' + b'\\"' * (ONE_MIB_AT_MOST // 2),
    "text": b'{"type":"farewell","reason":"' + b"\\u00e9" * (ONE_MIB_AT_MOST // 6) + b'"}',
    "tag": b'{"type":"' + b"a" * ONE_MIB_AT_MOST + b'"}',
    "zeros": bytes(ONE_MIB_AT_MOST),
    "commas": b'","' * (ONE_MIB_AT_MOST // 3),
    "faults": b'{"type":"finished","attempt":"a","outcome":{"kind":"succeeded","values":{'
    + b",".join(b'"%d":{}' % i for i in range(19_000 // 2)) + b"}}}",
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_frame_made_to_be_costly_is_refused_in_bounded_time_and_memory(name: str) -> None:
    frame = BOMBS[name]
    assert len(frame) <= MAX_FRAME
    for decode in (decode_from_driver, decode_from_controller, protocol_of_hello):
        tracemalloc.start()
        begun = time.process_time()
        told: object = None
        try:
            told = decode(frame)
        except ProtocolError as error:
            told = error if len(str(error)) > 300 else None
        assert told is None
        seconds, peak = time.process_time() - begun, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # An honest frame of a mebibyte takes some 20 ms; before entries were counted, these took up to 3 s.
        assert seconds < 0.5
        assert peak < 40 * MAX_FRAME


def test_long_texts_full_of_commas_are_no_entries() -> None:
    texts = {f"v{i}": MeasuredValue(value='",[{\\' * 300) for i in range(300)}
    message = Finished(attempt="a", outcome=Succeeded(values=texts, started_at=0.0, finished_at=1.0))
    assert decode_from_driver(encode(message)) == message


def test_message_of_too_many_entries_is_refused_where_it_is_made() -> None:
    argument = ArgumentDescription(kind="str", choices=tuple(map(str, range(1000))))
    action = ActionDescription(
        arguments={f"a{i}": argument for i in range(30)}, returns={}, duration_s=(0.0, 0.0), consequence="safe"
    )
    hello = Hello(
        instrument="x", driver="x", version="1", boot_id="b", journal_id="j", simulated=True, lease_s=1.0,
        capabilities=Capabilities(actions={"act": action}), state="ready",
    )  # fmt: skip
    with pytest.raises(FrameTooLargeError, match="hello: the wire takes 20000 entries"):
        encode(hello)
