"""Looking for secrets wherever a server leaves bytes, in each form in which they could have been written by mistake."""

import base64
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from postgres_server import PostgresServer, programs

LEAST = 6
"""A shorter form is found by chance."""


def forms(secret: bytes) -> dict[str, bytes]:
    """How a secret could be written."""
    text = secret.hex()
    found = {"as it is": secret, "hex": text.encode(), "HEX": text.upper().encode(), "reversed": secret[::-1]}
    for place in range(3):
        # In the middle of a longer text, Base64 begins at any of three places; its ends depend on the neighbours.
        inner = base64.b64encode(b"\0" * place + secret)[4 * ((place + 2) // 3) :].rstrip(b"=")[:-1]
        found[f"base64 at {place}"] = inner
        found[f"base64 of the web at {place}"] = inner.replace(b"+", b"-").replace(b"/", b"_")
    try:
        words = secret.decode()
    except UnicodeDecodeError:
        return found
    found["in a URL"] = quote(words, safe="").encode()
    found["in JSON"] = json.dumps(words)[1:-1].encode()
    found["UTF-16"] = words.encode("utf-16-le")
    if "-" in words:
        found["without hyphens"] = words.replace("-", "").encode()
        found["in small letters"] = words.lower().encode()
    return {name: form for name, form in found.items() if len(form) >= LEAST}


def search(secrets: Mapping[str, bytes], places: Mapping[str, bytes]) -> list[tuple[str, str, str]]:
    """Every secret that stands somewhere: what, in which form, where."""
    return [
        (what, form, place)
        for what, secret in secrets.items()
        for form, text in forms(secret).items()
        for place, content in places.items()
        if text in content
    ]


def sqlite_places(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The file of the database, its log and its index, as they are while the server runs."""
    for file in folder.glob("opendepot.sqlite3*"):
        yield f"database {file.name}", file.read_bytes()


def postgres_places(server: PostgresServer, database: str) -> Iterator[tuple[str, bytes]]:
    """The data folder of the database, the log of its changes, what the server says, and a dump of it as text."""
    server.run("CHECKPOINT", database=database)
    ((number,),) = server.run("SELECT oid::text FROM pg_database WHERE datname = current_database()", database=database)
    for folder in (server.data / "base" / str(number), server.data / "pg_wal", server.data / "global"):
        for file in folder.rglob("*"):
            if file.is_file():
                yield f"database {file.relative_to(server.data)}", file.read_bytes()
    yield "log of PostgreSQL", (server.folder / "log").read_bytes()
    yield "dump", _said("pg_dump", "-h", str(server.folder), "-U", "depot", database)


def backup_places(backup: Path) -> Iterator[tuple[str, bytes]]:
    """The files of a backup; what PostgreSQL has compressed is written as text."""
    for file in [backup] if backup.is_file() else sorted(backup.rglob("*")):
        if file.is_file():
            content = file.read_bytes()
            yield f"backup {file.name}", content
            if content.startswith(b"PGDMP"):
                yield f"backup {file.name} as text", _said("pg_restore", "-f", "-", str(file))


def _said(program: str, *words: str) -> bytes:
    done = subprocess.run([programs() / program, *words], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
