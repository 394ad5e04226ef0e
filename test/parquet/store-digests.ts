import type { PostgresClient } from "../../src/db/postgres-client.ts";
import { hourMs } from "../../src/domain/time-range.ts";
import { columns, type Digests, digestsOf } from "./columns.ts";
import type { Part } from "./fleet.ts";

const special: Readonly<Record<string, string>> = {
  timestamp: "(extract(epoch from t.time) * 1000)::float8",
  uuid: "g.uuid",
  gpu_id: "a.gpu_id::text",
  ...Object.fromEntries(["device", "model_name", "hostname", "cluster_id"].map((name) => [name, `a.${name}`])),
  ...Object.fromEntries(["container", "pod", "namespace"].map((name) => [name, `nullif(t.${name}, '')`])),
  parent_uuid: "case when g.uuid like '%:mig:%' then split_part(g.uuid, ':mig:', 1) end",
  mig_instance_id: "case when g.uuid like '%:mig:%' then split_part(split_part(g.uuid, ':mig:', 2), ':', 1) end",
  mig_profile: "case when g.uuid like '%:mig:%' then split_part(split_part(g.uuid, ':mig:', 2), ':', 2) end",
  driver_version: "nullif(a.driver_version, '')",
  properties: "nullif(a.properties, '{}')::text",
  custom: "nullif(t.custom, '{}')::text",
  occupants: "t.occupants::text",
};

const selected = columns.map(({ name }) => `${special[name] ?? `t.${name}`} as "${name}"`).join(", ");
const statement = `select ${selected}
from telemetry t join gpus g using (gpu_key)
cross join lateral (
  select * from gpu_attributes a where a.gpu_key = t.gpu_key and a.valid_from <= t.time order by a.valid_from desc limit 1) a
where t.time >= $1::timestamptz and t.time < $2::timestamptz and a.cluster_id = $3
order by g.uuid collate "C", t.time`;

/** The digests of a part of the store, read by a statement of its own: not as the archive reads it. Its rows must not be settled. */
export async function storeDigests(client: PostgresClient, { hour, clusterId }: Part): Promise<Digests> {
  const parameters = [new Date(hour).toISOString(), new Date(hour + hourMs).toISOString(), clusterId];
  const rows = await client.query<Record<string, unknown>>(statement, parameters);
  return digestsOf(Object.fromEntries(columns.map(({ name }) => [name, rows.map((row) => row[name])])), columns);
}
