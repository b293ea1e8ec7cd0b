"""Whatever is sent to whichever route: an answer, never a failure of the server. Schemathesis reads the OpenAPI."""

from __future__ import annotations

import shutil
from contextlib import suppress

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode

from bowerbird.serving import ServingSettings, make_app
from bowerbird.workspace import Workspace

EXAMPLES = 6
"""Questions per route and kind: as the schema allows, and otherwise."""
DEAR = {"/v1/reload": 2, "/v1/users/{user_id}": 4}
"""Routes that load a release or look into every file."""


def fuzzed(api: schemathesis.BaseSchema) -> dict[str, int]:
    """Ask every route; how many questions each got."""
    asked: dict[str, int] = {}
    for found in api.get_all_operations():
        operation = found.ok()
        examples = DEAR.get(operation.path, EXAMPLES)
        for mode in GenerationMode.POSITIVE, GenerationMode.NEGATIVE:

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=examples,
                derandomize=True,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            def ask(case: Case) -> None:
                reply = case.call()
                asked[case.operation.label] = asked.get(case.operation.label, 0) + 1
                assert reply.status_code < 500, f"{case.as_curl_command()}: {reply.text}"
                if reply.status_code >= 400:
                    assert set(reply.json()) == {"error", "message"}, case.as_curl_command()

            with suppress(Unsatisfiable):  # a route that takes nothing cannot be asked wrongly
                ask()
    return asked


@pytest.mark.slow
def test_no_question_to_any_route_makes_the_server_fail(tiny_workspace, tmp_path):
    shutil.copytree(tiny_workspace.layout.root, tmp_path / "workspace")
    generous = ServingSettings(rate_per_s=1e6, rate_burst=10**6)
    app = make_app(Workspace.open(tmp_path / "workspace"), generous)
    asked = fuzzed(schemathesis.openapi.from_asgi("/openapi.json", app))
    assert len(asked) >= 29
    assert "POST /v1/events" in asked
