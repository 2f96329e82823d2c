"""Checks of the database as a database: its own test for damage, references, and the schema."""

from collections.abc import AsyncIterator

from server.operating.scene import NotApplicable, Scene
from storage.errors import StorageError
from storage.maintenance.schema import schema_differences


async def damage(scene: Scene) -> AsyncIterator[str]:
    """Ask SQLite's integrity_check, or PostgreSQL's extension amcheck."""
    if scene.link.dialect == "sqlite":
        for row in await scene.link.fetch(scene.statements["integrity"]):
            if row[0] != "ok":
                yield str(row[0])
        return
    found = await scene.link.fetch(scene.statements["amcheck_schema"])
    if not found:
        raise NotApplicable("the extension amcheck is not installed; run CREATE EXTENSION amcheck in the database")
    schema = str(found[0][0]).replace('"', '""')
    for name, kind in await scene.link.fetch(scene.statements["own_tables_and_indexes"]):
        async for subject in _amchecked(scene, schema, name, kind):
            yield subject


async def _amchecked(scene: Scene, schema: str, name: str, kind: str) -> AsyncIterator[str]:
    function = "bt_index_check($1::text::regclass, true)" if kind == "i" else "verify_heapam($1::text::regclass)"
    try:
        rows = await scene.link.fetch(f'SELECT * FROM "{schema}".{function}', f'"{name}"')  # noqa: S608 - names of the catalogue
    except StorageError as error:
        if "42501" in str(error):
            raise NotApplicable(
                "the database user may not run amcheck; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO it"
            ) from None
        yield f"{name}: {error}"
        return
    for row in rows if kind == "r" else ():
        yield f"{name}, block {row[0]}"


async def broken_references(scene: Scene) -> AsyncIterator[str]:
    """Find rows whose foreign keys lead nowhere, which only a switched off or damaged constraint lets in."""
    if scene.link.dialect == "sqlite":
        for row in await scene.link.fetch(scene.statements["foreign_keys"]):
            yield str(row[0])
        return
    for name, child, parent, columns, keys in await scene.link.fetch(scene.statements["references"]):
        joined = " AND ".join(f'p."{key}" = c."{column}"' for column, key in zip(columns, keys, strict=True))
        given = " AND ".join(f'c."{column}" IS NOT NULL' for column in columns)
        lost = f"NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE {joined})"  # noqa: S608 - names of the catalogue
        sql = f"SELECT count(*) FROM {child} AS c WHERE {given} AND {lost}"  # noqa: S608 - as above
        (row,) = await scene.link.fetch(sql)
        for _ in range(row[0]):
            yield f"{child} ({name})"


async def schema(scene: Scene) -> AsyncIterator[str]:
    """Compare the schema with what the migrations make."""
    try:
        differences = await schema_differences(scene.link)
    except StorageError as error:
        if "42501" in str(error):
            raise NotApplicable("the database user may not create a schema to compare with; grant it CREATE") from None
        raise
    for difference in differences:
        yield difference
