"""What fuzzing begins with, for each target: something good of every sort."""

from __future__ import annotations

import json

from instruments.protocol.codec import encode
from tests.controller.files.conftest import GOOD_CAMPAIGN, GOOD_LAB
from tests.fuzz.frames import MESSAGES

_BEGUN = {"event": "began", "attempt": "a", "action": "run", "arguments": {"x": 1.0}, "at": 1.0, "ends_at": 2.0, "values": {"y": 1}}

SEEDS: dict[str, list[bytes]] = {
    "codec": [encode(message) for message in MESSAGES],
    "campaign": [
        GOOD_CAMPAIGN.encode(), GOOD_LAB.encode(), b'{"campaign": "a", "seed": 1}', b"a: &a {b: *a}\n", b"? [a]\n: !x |\n  b\n",
    ],
    "table": [b"a,b\n1,2\n3,4\n", b'"a","b ""c"""\n"1\n2",3\n', b"\xef\xbb\xbfa;b\r\n1;2\r\n"],
    "expression": [b"a + 2 * (b - c) / 4 <= -1e3", b"a >= b", b"kg/m**3/h", b"1000@1.5@2.5", b"m**(1/2)", b"x == .5"],
    "notes": [
        b'{"address": "tcp://127.0.0.1:5000", "session": "s"}', b"1234",
        json.dumps(_BEGUN).encode() + b"\n" + json.dumps({"event": "ended", "attempt": "a", "at": 2.0}).encode() + b"\n",
    ],
}  # fmt: skip
