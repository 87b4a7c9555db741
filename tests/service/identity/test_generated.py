"""Requests that a generator makes out of the OpenAPI document: no server error, no answer that the document does not
describe, nothing done for whoever did not say who they are."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.service.identity.conftest import SMS_INBOX_SECRET, Acme, register
from tests.service.identity.sound import FOR_PRODUCTS

# They end the session that asks, and with it the rest of the run; each is asked for by itself.
EXAMPLES = 100 if os.environ.get("STAFFGATE_LONG") else 5
ENDING = ("log_out", "set_security")
# What is not acceptable for what stands in the database can't be seen in a document: positive_data_acceptance is left out.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "use_after_free",
    "ensure_resource_availability",
    "ignored_auth",
)


async def generated(url: str, token: str, folder: Path, examples: int, *filters: str) -> str:
    """What the generator found, or nothing."""
    command = [
        str(Path(sys.executable).with_name("st")), "run", f"{url}/openapi.json",
        "--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS),
        "--phases", "examples,coverage,fuzzing", "--max-examples", str(examples), "--continue-on-failure",
        "--generation-database", "none", "--seed", "1", "--no-color", "--workers", "1", "--warnings", "off",
        *filters,
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return "" if process.returncode == 0 else said.decode()


@pytest.mark.checklist("L01", "L02")
async def test_generated_requests_find_nothing(acme: Acme, tmp_path: Path) -> None:
    without = [argument for name in (*ENDING, *FOR_PRODUCTS) for argument in ("--exclude-operation-id", name)]
    found = await generated(acme.identity.url, acme.ray, tmp_path, EXAMPLES, *without)
    assert not found, found
    for name in ENDING:
        token = (await register(acme.identity, "Other Crates")).ray
        found = await generated(acme.identity.url, token, tmp_path, 1, "--include-operation-id", name)
        assert not found, found


@pytest.mark.checklist("L02")
async def test_generated_requests_of_products_find_nothing(acme: Acme, tmp_path: Path) -> None:
    form = {"grant_type": "client_credentials", "client_id": "sms-inbox", "client_secret": SMS_INBOX_SECRET}
    product = (await acme.identity.ask("POST", "/oauth/token", data=form)).json["access_token"]
    only = [argument for name in sorted(FOR_PRODUCTS) for argument in ("--include-operation-id", name)]
    found = await generated(acme.identity.url, product, tmp_path, EXAMPLES, *only)
    assert not found, found
