import { InvalidConfig } from "../domain/errors.ts";
import type { PostgresClient } from "./postgres-client.ts";
import { identifier, sessionSettings } from "./session-settings.ts";

interface ServerRow {
  readonly encoding: string;
  readonly database: string;
  readonly schema: string | null;
  readonly seqscan: string;
  readonly settings: Readonly<Record<string, string>>;
}

const names = Object.keys(sessionSettings);

/** Checks what a database must have before anything is stored there, and whether its sessions have the settings that they ask for.
 *  @param client one that writes
 *  @throws InvalidConfig if an administrator has to change something; StoreUnavailable */
export async function checkServer(client: PostgresClient): Promise<void> {
  const settings = names.map((name) => `'${name}', current_setting('${name}')`).join(", ");
  const [row] = await client.query<ServerRow>(
    `select current_setting('server_encoding') as encoding, current_database() as database, current_schema() as schema,
      current_setting('enable_seqscan') as seqscan, jsonb_build_object(${settings}) as settings`,
  );
  const problem = row && problemOf(row, client);
  if (problem !== undefined) throw new InvalidConfig([`${client.description} ${problem}`]);
}

function problemOf(row: ServerRow, { isPooled, schema, user }: PostgresClient): string | undefined {
  const database = identifier(row.database);
  if (row.encoding !== "UTF8") {
    return (
      `has the encoding ${row.encoding}, and texts of any language need UTF8: give DATABASE_URL a database that was made with ` +
      "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
    );
  }
  // every session of this client switches it off
  if (!isPooled && row.seqscan !== "off") {
    return "does not get the settings of its sessions: a pooler (pgbouncer) drops them. Add ?prepare=false to DATABASE_URL";
  }
  const different = Object.entries(sessionSettings).find(([name, value]) => row.settings[name] !== value);
  if (different !== undefined) {
    const [name, value] = different;
    return (
      `has ${name} = ${row.settings[name]}, and a pooler that runs each transaction in another session cannot change that: ` +
      `ALTER DATABASE ${database} SET ${name} = '${value}', also for the role if it has its own`
    );
  }
  return schemaProblem(row, { isPooled, schema, user });
}

function schemaProblem(
  { schema: found }: ServerRow,
  { isPooled, schema, user }: Pick<PostgresClient, "isPooled" | "schema" | "user">,
): string | undefined {
  if (found === null && schema === undefined) {
    return "has none of the schemas in search_path: correct that, or name a schema that exists, with ?schema=NAME in DATABASE_URL";
  }
  if (schema === undefined || found === schema) return undefined;
  const [name, role] = [identifier(schema), identifier(user)];
  return isPooled
    ? `is behind a pooler, where a schema cannot be chosen: ALTER ROLE ${role} SET search_path = ${name}`
    : `has no schema ${name} that ${role} may use: CREATE SCHEMA ${name} AUTHORIZATION ${role}`;
}
