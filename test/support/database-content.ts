import { withClient } from "./postgres-database.ts";

/** Everything of the schemas `public` and `drizzle` that a backup must restore: the columns of tables and views, and a checksum
 *  over the bits of their rows; the constraints and indexes of tables; the positions of sequences; TimescaleDB's chunks. */
export function contentOf(url: string): Promise<Record<string, unknown>> {
  return withClient(url, async (client) => {
    const relations = await client.query<{ name: string; isSequence: boolean }>(
      `select format('%I.%I', nspname, relname) as name, relkind = 'S' as "isSequence"
       from pg_class join pg_namespace n on n.oid = relnamespace
       where nspname in ('public', 'drizzle') and relkind in ('r', 'p', 'v', 'm', 'S')
         and not exists (select from pg_depend where objid = pg_class.oid and deptype = 'e') order by 1`,
    );
    const content: Record<string, unknown> = {};
    for (const { name, isSequence } of relations) {
      const [found] = await client.query(isSequence ? `select last_value, is_called from ${name}` : checksumOf(name));
      content[name] = found;
    }
    const facts = Object.entries({ columns, constraints, indexes, hypertables: await chunkQueryFor(url) });
    for (const [what, text] of facts) content[what] = text === undefined ? text : await client.query(text);
    return content;
  });
}

/** `record_send` gives the binary format, in which doubles are exact. */
const checksumOf = (name: string): string =>
  `select count(*)::int as rows, md5(string_agg(md5(record_send(each)), '' order by md5(record_send(each)))) as bits
   from ${name} as each`;

const columns = `
select table_schema, table_name, column_name, data_type, is_nullable, column_default, is_identity
from information_schema.columns where table_schema in ('public', 'drizzle') order by 1, 2, ordinal_position`;

const constraints = `
select conrelid::regclass::text as table, conname::text as name, pg_get_constraintdef(oid) as definition from pg_constraint
where connamespace::regnamespace::text in ('public', 'drizzle') order by 1, 2`;

const indexes = `
select tablename::text as table, indexdef as definition from pg_indexes where schemaname in ('public', 'drizzle') order by 1, 2`;

const chunks = `
select hypertable_name::text as hypertable, count(*)::int as chunks, min(range_start)::text as first, max(range_end)::text as last
from timescaledb_information.chunks group by 1 order by 1`;

/** Undefined if the database has no TimescaleDB. */
async function chunkQueryFor(url: string): Promise<string | undefined> {
  const extensions = await withClient(url, (client) =>
    client.query("select from pg_extension where extname = 'timescaledb'"),
  );
  return extensions.length === 0 ? undefined : chunks;
}
