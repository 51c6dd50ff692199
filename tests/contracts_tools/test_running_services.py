"""Third-party tools against the running system: it matches the published contracts."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from confluent_kafka import Consumer, Message

from deploy.contracts.files import COMMANDS_FILE, QUERIES_FILE, TOPICS_FILE, published
from shared.contracts.events import EVENTS
from shared.contracts.shards import TOPICS
from tests.contracts_tools.tools import BIN, run
from tests.support.identity import EVERYTHING
from tests.support.shop import Shop
from tests.support.stack import Stack
from tests.support.topics import read_topic
from tests.support.waiting import until

FILES = {"query-service": QUERIES_FILE, "command-service": COMMANDS_FILE}
AGGREGATES = 6
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance,negative_data_rejection,"
    "unsupported_method,ignored_auth"
)


@dataclass(frozen=True, slots=True)
class PublishedEvents:
    """The ids of aggregates that still exist, by topic, and the number of records on the topics."""

    ids: Mapping[str, Sequence[str]]
    records: int


@pytest.fixture(scope="module")
async def published_events(stack: Stack) -> PublishedEvents:
    """One event of every type is published, and aggregates of each kind are left to read."""
    async with httpx.AsyncClient(headers=stack.identity.headers(), timeout=40) as client:
        shop = Shop(client, stack["command-service"].url, stack["query-service"].url)
        await _publish_every_type(shop)
        users = [await shop.user() for _ in range(AGGREGATES)]
        products = [await shop.product() for _ in range(AGGREGATES)]
        responses = [await shop.order(user, (products[0], 1)) for user in users for _ in range(2)]
        orders = [response.json()["id"] for response in responses]
        assert (await shop.query(f"/v1/orders/{orders[-1]}", Prefer="wait=30")).status_code == 200

    async def types() -> list[str]:
        topics = [await read_topic(stack.kafka.bootstrap_servers, topic) for topic in TOPICS]
        return [r.type for topic in topics for records in topic.values() for r in records]

    async def all_types_published() -> bool:
        return set(await types()) == set(EVENTS)

    await until(all_types_published, "every event type is published", seconds=60)
    ids = {"users": users, "products": products, "orders": orders}
    return PublishedEvents(ids, len(await types()))


async def _publish_every_type(shop: Shop) -> None:
    user, product = await shop.user(), await shop.product()
    await shop.send("PUT", f"/v1/users/{user}/name", {"name": "B"})
    await shop.send("PUT", f"/v1/users/{user}/email", {"email": "b@example.org"})
    price = {"price": {"amount": 500, "currency": "EUR"}}
    await shop.send("PUT", f"/v1/products/{product}/price", price)
    await shop.send("POST", f"/v1/products/{product}/restock", {"quantity": 1})
    first = (await shop.order(user, (product, 1))).json()["id"]
    second = (await shop.order(user, (product, 1))).json()["id"]
    label = {"carrier": "Post", "tracking_number": "X1"}
    await shop.send("POST", f"/v1/orders/{first}/pay", {"reference": "P1"})
    await shop.send("POST", f"/v1/orders/{first}/ship", label)
    await shop.send("POST", f"/v1/orders/{first}/deliver")
    await shop.send("POST", f"/v1/orders/{second}/pay", {"reference": "P2"})
    await shop.send("POST", f"/v1/orders/{second}/cancel", {"reason": "late"})
    await shop.send("POST", f"/v1/orders/{second}/refund", {"reference": "R2"})
    await shop.send("DELETE", f"/v1/products/{product}")
    await shop.send("DELETE", f"/v1/users/{user}")


def consumed(stack: Stack, count: int) -> list[Message]:
    """By confluent-kafka, with its default settings."""
    consumer = Consumer(
        {
            "bootstrap.servers": stack.kafka.bootstrap_servers,
            "group.id": "a-plain-consumer",
            "auto.offset.reset": "earliest",
        }
    )
    try:
        consumer.subscribe(list(TOPICS))
        found: list[Message] = []
        for _ in range(60):
            found += consumer.consume(1000, timeout=1)
            if len(found) >= count:
                return found
        raise TimeoutError(f"received {len(found)} of {count} records")
    finally:
        consumer.close()


def test_confluents_client_and_the_cloudevents_sdk_read_every_record(
    stack: Stack, published_events: PublishedEvents
) -> None:
    types = set()
    for message in consumed(stack, published_events.records):
        assert message.error() is None
        headers, key, value = message.headers(), message.key(), message.value()
        assert isinstance(headers, list)
        assert key is not None
        assert value is not None
        names = {name: text for name, text in headers if isinstance(text, bytes)}
        event = from_binary_event(KafkaMessage(headers=names, key=key, value=value))
        sent = {name: text.decode() for name, text in names.items()}
        assert event.get_specversion() == sent["ce_specversion"]
        assert event.get_id() == sent["ce_id"]
        assert event.get_source() == sent["ce_source"]
        assert event.get_dataschema() == sent["ce_dataschema"]
        assert event.get_subject() == sent["ce_subject"] == key.decode()
        data = event.get_data()
        assert isinstance(data, dict)
        assert data["id"] == key.decode()
        assert int(event.get_extension("position")) >= 1
        assert event.get_datacontenttype() == "application/json"
        types.add(event.get_type())
    assert types == set(EVENTS)


@pytest.mark.parametrize("service", FILES)
async def test_served_documents_are_the_committed_ones(stack: Stack, service: str) -> None:
    async with httpx.AsyncClient(base_url=stack[service].url) as client:
        served = await client.get("/openapi.json")
        assert served.json() == json.loads(published()[FILES[service]])
        page = await client.get("/docs")
        assert (page.status_code, b"//" in page.content.replace(b"</", b"")) == (200, False)


async def test_the_topics_document_is_served_by_the_command_service(stack: Stack) -> None:
    async with httpx.AsyncClient(base_url=stack["command-service"].url) as client:
        served = await client.get("/asyncapi.json")
        assert served.headers["content-type"] == "application/json"
        assert served.json() == json.loads(published()[TOPICS_FILE])


@pytest.mark.parametrize("service", FILES)
def test_schemathesis_finds_no_undocumented_response(
    stack: Stack, service: str, tmp_path: Path, published_events: PublishedEvents
) -> None:
    _write_config(tmp_path, published_events.ids)
    token = stack.identity.token(scope=EVERYTHING)
    _run_schemathesis(
        stack[service].url,
        tmp_path,
        *("--header", f"Authorization: Bearer {token}"),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", "12"),
    )
    succeeded, operations = _succeeded(tmp_path / "responses.har"), _operations(service)
    assert len(succeeded & operations) > len(operations) / 2, operations - succeeded


@pytest.mark.parametrize("service", FILES)
def test_schemathesis_finds_no_undocumented_response_without_a_token(
    stack: Stack, service: str, tmp_path: Path
) -> None:
    _run_schemathesis(stack[service].url, tmp_path, "--phases", "examples,fuzzing", "-n", "4")


def _write_config(directory: Path, ids: Mapping[str, Sequence[str]]) -> None:
    """Most ids in paths are those of existing aggregates."""
    lines = []
    for topic, existing in ids.items():
        lines += [f"[dictionaries.{topic}]", f"values = {json.dumps(existing)}"]
    for topic in ids:
        lines += ["[[operations]]", f'include-path-regex = "^/v1/{topic}/"']
        lines += [f'parameters = {{ "path.id" = {{ dictionary = "{topic}", probability = 0.7 }} }}']
    (directory / "schemathesis.toml").write_text("\n".join(lines))


def _run_schemathesis(url: str, directory: Path, *options: str) -> None:
    output = run(
        *(BIN / "st", "run", f"{url}/openapi.json"),
        *("--checks", CHECKS, "--max-failures", "20", "--no-shrink"),
        *("--generation-deterministic", "--no-color", "--warnings", "off"),
        *("--exclude-path-regex", "/stream$"),  # streams do not end
        *("--report", "har", "--report-har-path", directory / "responses.har"),
        *options,
        cwd=directory,
    )
    assert " passed" in output


def _succeeded(har: Path) -> set[str]:
    """The operations with a successful response, such as `GET /v1/users/{id}`."""
    entries = json.loads(har.read_text())["log"]["entries"]
    return {
        f"{entry['request']['method']} {_template(entry['request']['url'])}"
        for entry in entries
        if entry["response"]["status"] < 400
    }


def _template(url: str) -> str:
    return re.sub(r"(/v1/\w+)/[0-9a-f-]{36}", r"\1/{id}", urlsplit(url).path)


def _operations(service: str) -> set[str]:
    paths = json.loads(published()[FILES[service]])["paths"]
    return {
        f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method in methods
        if not path.endswith("/stream")
    }


def test_a_generated_client_places_an_order_and_reads_it_back(stack: Stack, tmp_path: Path) -> None:
    for service, path in FILES.items():
        source = tmp_path / f"{service}.json"
        source.write_text(published()[path])
        package = tmp_path / service.replace("-", "_client_").replace("_client_service", "_client")
        run(
            BIN / "openapi-python-client",
            *("generate", "--path", source, "--output-path", package, "--meta", "none"),
        )
    output = run(
        sys.executable,
        Path(__file__).with_name("generated_client.py"),
        env={
            "PYTHONPATH": str(tmp_path),
            "COMMAND_URL": stack["command-service"].url,
            "QUERY_URL": stack["query-service"].url,
            "TOKEN": stack.identity.token(),
        },
    )
    assert output.splitlines()[-1] == "placed 2 x Green tea, total 900 EUR"
