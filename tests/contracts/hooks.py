"""What schemathesis has to know of this application beyond its document."""

import json
import os

import schemathesis


@schemathesis.serializer("application/offset+octet-stream")
def write_part(_, value):
    """Bytes of an upload go as they are."""
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.hook
def filter_query(_, query):
    """A form sends fields that nobody filled in: an empty value is a value left out, whatever its type."""
    return not any(value == "" for value in (query or {}).values())


@schemathesis.hook
def after_call(_, case, response):
    """Notes which answers an operation gave, so that one which never succeeded is told."""
    with open(os.environ["CONTRACTS_ANSWERS"], "a", encoding="utf-8") as answers:
        answers.write(json.dumps([case.operation.label, response.status_code]) + "\n")
