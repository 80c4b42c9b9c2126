"""Pages of other web sites may call where the operator has said so, and nowhere else."""

from __future__ import annotations

from typing import Any

from tests.service.serving import BLANK, Gate, model_of, over_http, service

KEY = "first-key-3f1c"
CORS = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}


def opened(**settings: Any) -> Any:
    gate = Gate()
    gate.opened.set()
    return service(model_of(gate), **settings)


async def test_pages_of_other_sites_may_not_call_by_default() -> None:
    with opened() as running:
        async with over_http(running) as http:
            preflight = await http.options("/v1/poses", headers=CORS)
            answer = await http.get("/v1/models", headers=CORS)
            for one in (preflight, answer):
                assert not [name for name in one.headers if name.startswith("access-control")]


async def test_pages_of_a_chosen_site_may_call_with_a_key() -> None:
    asked = {**CORS, "Access-Control-Request-Headers": "authorization,x-request-timeout"}
    with opened(api_keys=(KEY,), cors_origins=("https://example.org",)) as running:
        async with over_http(running) as http:
            preflight = await http.options("/v1/poses", headers=asked)
            assert preflight.status_code == 200
            assert preflight.headers["access-control-allow-origin"] == "https://example.org"
            for key, status in ((KEY, 200), ("wrong", 401)):
                headers = {**CORS, "X-API-Key": key}
                answer = await http.post("/v1/poses", content=BLANK, headers=headers)
                assert answer.status_code == status
                assert answer.headers["access-control-allow-origin"] == "https://example.org"
                assert "access-control-allow-credentials" not in answer.headers


async def test_pages_of_another_site_than_the_chosen_one_may_not_call() -> None:
    with opened(cors_origins=("https://example.org",)) as running:
        async with over_http(running) as http:
            for other in ("https://example.org.evil.net", "http://example.org", "null"):
                answer = await http.options("/v1/poses", headers={**CORS, "Origin": other})
                assert answer.status_code == 400
                assert "access-control-allow-origin" not in answer.headers
