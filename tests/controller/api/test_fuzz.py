"""Whatever is asked, in whatever form, is answered as the description says: never with a server's error, never with a trace.

Made from the description itself by schemathesis. `LABWRIGHT_FUZZ` sets how many requests are made of each route (by default few).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from controller.api.app import make_api
from controller.domain.access import Role
from controller.store.audit import audit
from controller.store.reading import open_reader
from tests.controller.api.people import enter
from tests.controller.api.process import Served

EXAMPLES = int(os.environ.get("LABWRIGHT_FUZZ", "8"))
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance, unsupported_method,
    negative_data_rejection,
]  # fmt: skip
TOKENS = 12
"""So many people ask in turn, or the server would have to slow one down."""


@pytest.fixture(scope="module")
def asking(url: str) -> Iterator[str]:
    return itertools.cycle([enter(url, f"fuzz-{i}", Role.ADMINISTER) for i in range(TOKENS)])


DESCRIPTION = schemathesis.openapi.from_dict(make_api("0").openapi())


@pytest.mark.timeout(3600)
@DESCRIPTION.exclude(path="/v1/stream").parametrize()  # which does not end; see test_stream.py
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES <= 8, database=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_answers_are_those_that_the_description_promises(case: schemathesis.Case, asking: Iterator[str], api: Served) -> None:
    response = case.call(base_url=api.url, headers={"Authorization": f"Bearer {next(asking)}"})
    case.validate_response(response, checks=CHECKS)
    assert "Traceback" not in response.text


def test_after_all_that_the_books_balance_and_the_log_holds_no_trace(api: Served, url: str) -> None:
    with open_reader(url) as reader:
        assert audit(reader, "sample").differences == []
    assert "Traceback" not in api.said
    assert len(api.said) < 1_000_000
