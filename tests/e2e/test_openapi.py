"""schemathesis against the OpenAPI document of a real server, at small size."""

from __future__ import annotations

import re

import httpx

from tests.e2e.server import Server
from tests.load.openapi import check


def test_no_answer_departs_from_the_document_and_none_is_a_fault(served: Server) -> None:
    done = check(served.http, examples=5, phases="examples,coverage,fuzzing")
    assert done.returncode == 0, done.stdout + done.stderr
    selected = re.search(r"Selected: (\d+)/(\d+)\s+Tested: (\d+)", done.stdout)
    assert selected is not None
    assert len(set(selected.groups())) == 1, "not every operation was called"


def test_every_operation_tells_of_the_errors_it_may_answer(http: httpx.Client) -> None:
    paths = http.get("/openapi.json").json()["paths"]
    for path, name, statuses in (
        ("/v1/poses", "ErrorAnswer", "400 401 404 413 415 422 429 500 503 504"),
        ("/v2/models/{name}/infer", "Refusal", "400 401 404 413 415 422 429 500 503 504"),
        ("/v1/models/{name}", "ErrorAnswer", "401 404 415 429 500 503"),
        ("/v2/health/ready", "Refusal", "503"),
    ):
        (operation,) = paths[path].values()
        errors = {
            status: told for status, told in operation["responses"].items() if status != "200"
        }
        assert sorted(errors) == statuses.split(), path
        for told in errors.values():
            schema = told["content"]["application/json"]["schema"]
            assert schema == {"$ref": f"#/components/schemas/{name}"}
    assert paths["/metrics"]["get"]["responses"]["200"]["content"].keys() == {"text/plain"}
    assert paths["/readyz"]["get"]["responses"].keys() == {"200", "503"}
