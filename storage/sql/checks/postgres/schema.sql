-- name: table_names
SELECT tablename FROM pg_tables WHERE schemaname = current_schema();

-- name: schema_objects
WITH here AS (
    SELECT oid, relname, relkind FROM pg_class WHERE relnamespace = $1::text::regnamespace
)
SELECT 'table ' || t.relname, string_agg(
        a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull || ' '
            || coalesce(pg_get_expr(d.adbin, d.adrelid), ''),
        ', ' ORDER BY a.attname
    )
FROM here AS t
JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef AS d ON d.adrelid = t.oid AND d.adnum = a.attnum
WHERE t.relkind = 'r'
GROUP BY t.relname
UNION ALL
SELECT 'constraint ' || t.relname || '.' || c.conname,
    replace(pg_get_constraintdef(c.oid), $1 || '.', '') || ' ' || c.convalidated
FROM here AS t
JOIN pg_constraint AS c ON c.conrelid = t.oid
UNION ALL
SELECT 'index ' || t.relname, replace(pg_get_indexdef(t.oid), $1 || '.', '') || ' ' || i.indisvalid
FROM here AS t
JOIN pg_index AS i ON i.indexrelid = t.oid
UNION ALL
SELECT 'trigger ' || t.relname || '.' || g.tgname, replace(pg_get_triggerdef(g.oid), $1 || '.', '') || ' ' || g.tgenabled::text
FROM here AS t
JOIN pg_trigger AS g ON g.tgrelid = t.oid AND NOT g.tgisinternal
UNION ALL
SELECT 'function ' || p.proname, p.prosrc
FROM pg_proc AS p
WHERE p.pronamespace = $1::text::regnamespace AND p.prolang = (SELECT oid FROM pg_language WHERE lanname = 'plpgsql');

-- name: references
SELECT c.conname, c.conrelid::regclass::text, c.confrelid::regclass::text,
    (SELECT array_agg(a.attname::text ORDER BY k.place)
        FROM unnest(c.conkey) WITH ORDINALITY AS k (number, place)
        JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.number),
    (SELECT array_agg(a.attname::text ORDER BY k.place)
        FROM unnest(c.confkey) WITH ORDINALITY AS k (number, place)
        JOIN pg_attribute AS a ON a.attrelid = c.confrelid AND a.attnum = k.number)
FROM pg_constraint AS c
WHERE c.contype = 'f' AND c.connamespace = current_schema()::regnamespace
ORDER BY c.conname;

-- name: amcheck_schema
SELECT n.nspname FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'amcheck';

-- name: own_tables_and_indexes
SELECT relname, relkind::text FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'i')
  AND (relkind = 'r' OR relam = (SELECT oid FROM pg_am WHERE amname = 'btree'))
ORDER BY relname;
