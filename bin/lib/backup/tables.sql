-- One line per table: its name, its number of rows, a hash of them that does not depend on their order. Tables of extensions
-- are left out: another release of PostGIS brings other rows. So are sequences: they move outside of transactions.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
SET extra_float_digits = 1;
SET bytea_output = 'hex';
SET search_path = public;
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
\if :{?snapshot}
SET TRANSACTION SNAPSHOT :'snapshot';
\endif
SELECT format(
    'SELECT %L, count(*), lpad(to_hex(mod(sum(left_half), 9223372036854775807)::bigint), 16, ''0'')'
    ' || lpad(to_hex(mod(sum(right_half), 9223372036854775807)::bigint), 16, ''0'') FROM (SELECT'
    ' (''x0'' || substr(digest, 1, 15))::bit(64)::bigint::numeric AS left_half,'
    ' (''x0'' || substr(digest, 16, 15))::bit(64)::bigint::numeric AS right_half'
    ' FROM (SELECT md5("the whole row"::text) AS digest FROM ONLY %I.%I AS "the whole row") AS digests) AS halves',
    namespace.nspname || '.' || class.relname, namespace.nspname, class.relname)
FROM pg_class AS class
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE class.relkind = 'r'
    AND class.relpersistence <> 't'
    AND namespace.nspname NOT LIKE 'pg\_%'
    AND namespace.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = class.oid AND classid = 'pg_class'::regclass AND deptype = 'e')
ORDER BY namespace.nspname COLLATE "C", class.relname COLLATE "C"
\gexec
COMMIT;
