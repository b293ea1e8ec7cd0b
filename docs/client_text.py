"""Writes the typed client from the OpenAPI document: ``python docs/client_text.py WORKSPACE``.

A test holds the files in ``src/bowerbird/client`` against what this makes of the server's own description, so
a route that changes takes the client with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "src" / "bowerbird" / "client"
LEFT_OUT = ("_by_query", "metrics", "item_image")
"""Operations without a method: the same question as a query string, and what is no JSON."""
PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def python_type(schema: dict[str, Any]) -> str:
    """A JSON schema as a Python annotation."""
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(python_type(one) for one in schema["anyOf"]))
    kind = schema.get("type")
    if kind == "array":
        return f"list[{python_type(schema.get('items', {}))}]"
    if kind == "object":
        more = schema.get("additionalProperties")
        return f"dict[str, {python_type(more) if isinstance(more, dict) else 'Any'}]"
    return PLAIN.get(kind or "", "Any")


def types_text(document: dict[str, Any]) -> str:
    """The module of typed dictionaries."""
    parts = [
        '"""What the server takes and answers, as typed dictionaries. Written by docs/client_text.py."""\n',
        "from __future__ import annotations\n",
        "from typing import Any, NotRequired, TypedDict\n",
    ]
    for name, schema in sorted(document["components"]["schemas"].items()):
        if name in ("HTTPValidationError", "ValidationError"):
            continue
        lines = [f"class {name}(TypedDict):", f'    """{_sentence(schema.get("description", name))}"""\n']
        required = set(schema.get("required", ()))
        for field, one in schema.get("properties", {}).items():
            kind = python_type(one)
            lines.append(f"    {field}: {kind if field in required else f'NotRequired[{kind}]'}")
            if one.get("description"):
                lines.append(f'    """{_sentence(one["description"])}"""')
        parts.append("\n".join(lines) + "\n")
    return "\n\n".join(parts)


def calls_text(document: dict[str, Any]) -> str:
    """The module with a method for each operation."""
    schemas = document["components"]["schemas"]
    methods, named = [], set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if not operation["operationId"].endswith(LEFT_OUT):
                text, used = _method(path, method, operation, schemas)
                methods.append(text)
                named |= used
    imports = ", ".join(sorted(named & set(schemas)))
    return (
        '"""One method for each route of the server. Written by docs/client_text.py."""\n\n'
        "from __future__ import annotations\n\nfrom typing import Any, Unpack\n\n"
        "from bowerbird.client.connection import Connection\n"
        f"from bowerbird.client.types import {imports}\n\n\n"
        "class Client:\n"
        '    """A client of a Bowerbird server. Every method raises ``bowerbird.errors`` for what the server refuses.\n\n'
        "    Args:\n        connection: how the server is reached.\n"
        '    """\n\n'
        "    def __init__(self, connection: Connection) -> None:\n        self._connection = connection\n\n"
        '    def close(self) -> None:\n        """Close the connections; asking again opens new ones."""\n'
        "        self._connection.close()\n\n" + "\n".join(methods)
    )


def _method(
    path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]
) -> tuple[str, set[str]]:
    parameters = operation.get("parameters", [])
    inside = [one["name"] for one in parameters if one["in"] == "path"]
    arguments = ["self", *(f"{name}: str" for name in inside)]
    asked = [(one["name"], one["schema"]) for one in parameters if one["in"] == "query"]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    sent: list[tuple[str, dict[str, Any]]] = []
    required: set[str] = set()
    if content is not None:
        body = schemas[content["schema"]["$ref"].rpartition("/")[2]]
        sent, required = list(body["properties"].items()), set(body.get("required", ()))
    named = [(name, schema, name in required) for name, schema in [*asked, *sent]]
    whole = {name for name, _, _ in named} == set(schemas["Question"]["properties"])
    if whole:
        arguments.append("**question: Unpack[Question]")
    elif named:
        arguments.append("*")
        arguments += [
            f"{name}: {python_type(schema)}" if needed else f"{name}: {_optional(schema)} = None"
            for name, schema, needed in named
        ]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    reply = python_type(schema)
    place = path
    for name in inside:
        place = place.replace(f"{{{name}}}", f"{{quoted({name})}}")
    address = f'f"{place}"' if inside else f'"{place}"'
    if whole:
        query, body_text = ("question", "None") if asked else ("None", "named(question)")
    else:
        query = _literal(asked) if asked else "None"
        body_text = _literal(sent) if content is not None else "None"
    text = (
        f"    def {operation['operationId']}({', '.join(arguments)}) -> {reply}:\n"
        f'        """{_sentence(operation["summary"])}"""\n'
        f"        return self._connection.ask({method.upper()!r}, {address}, {query}, {body_text})\n"
    )
    words = " ".join([reply, "Question", *(python_type(schema) for _, schema, _ in named)])
    return text, set(words.replace("[", " ").replace("]", " ").replace(",", " ").split())


def _literal(fields: list[tuple[str, dict[str, Any]]]) -> str:
    values = {name: "named_events(events)" if name == "events" else name for name, _ in fields}
    return f"{{{', '.join(f'{name!r}: {value}' for name, value in values.items())}}}"


def _optional(schema: dict[str, Any]) -> str:
    kind = python_type(schema)
    return kind if kind.endswith("None") or kind == "Any" else f"{kind} | None"


def _sentence(text: str) -> str:
    line = " ".join(text.split("\n\n", maxsplit=1)[0].split()).replace('"', "'")
    return line if line.endswith((".", "!", "?")) else f"{line}."


def texts(document: dict[str, Any]) -> dict[str, str]:
    """The files of the client, formatted, by name."""
    made = {"types.py": types_text(document), "calls.py": calls_text(document)}
    if "quoted(" in made["calls.py"]:
        names = "import Connection, named, named_events, quoted\n"
        made["calls.py"] = made["calls.py"].replace("import Connection\n", names)
    return {name: _formatted(text) for name, text in made.items()}


def _formatted(text: str) -> str:
    """As ``make format`` leaves it."""
    for command in (["check", "--quiet", "--fix", "--select", "I,F401", "-"], ["format", "--quiet", "-"]):
        ended = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(FOLDER / "calls.py")],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        )
        text = ended.stdout
    return text


def main() -> None:
    """Write the files."""
    from bowerbird.serving import make_app
    from bowerbird.workspace import Workspace

    document = json.loads(json.dumps(make_app(Workspace.open(sys.argv[1])).openapi()))
    for name, text in texts(document).items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
