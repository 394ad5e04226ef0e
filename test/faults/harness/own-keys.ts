import { createHash } from "node:crypto";
import type { PostgresClient } from "../../../src/db/postgres-client.ts";
import { shortened } from "./invariants.ts";
import type { Ledger } from "./ledger.ts";

/** I10: every stored record is under the key of its own GPU, which follows from the GPU's uuid, and has the source's values for
 *  that GPU and instant. Records may be missing: after a failover, the database lacks some messages. */
export async function checkOwnKeys(ledger: Pick<Ledger, "records">, database: PostgresClient): Promise<string[]> {
  const metrics = [...new Set([...ledger.records.values()].flatMap((record) => Object.keys(record)))];
  const rows = await database.query<Row>(
    `select t.gpu_key::text as key, g.uuid, (extract(epoch from t.time) * 1000)::bigint::text as "timeMs",
       ${metrics.join(", ")}
     from telemetry_all t left join gpus g using (gpu_key)`,
  );
  const wrong: string[] = [];
  for (const { key, uuid, timeMs, ...values } of rows) {
    const record = ledger.records.get(`${uuid} ${timeMs}`);
    if (uuid === null) wrong.push(`I10: the record of ${timeMs} is under the key ${key}, which no GPU has`);
    else if (key !== keyOf(uuid)) wrong.push(`I10: ${uuid} has the key ${key} instead of ${keyOf(uuid)}`);
    else if (record === undefined) wrong.push(`I10: ${uuid} ${timeMs} is stored, but not in the source`);
    for (const metric of metrics) {
      const value = values[metric] ?? undefined;
      if (value === undefined || value === record?.[metric]) continue;
      wrong.push(`I10: ${uuid} ${timeMs} ${metric} is ${value}, the source has ${record?.[metric]}`);
    }
  }
  return shortened(wrong);
}

type Row = { readonly key: string; readonly uuid: string | null; readonly timeMs: string } & Record<
  string,
  string | number | null
>;

/** The key by its definition, calculated independently of the program. */
function keyOf(uuid: string): string {
  const digest = createHash("sha256").update(uuid).digest("hex");
  return (2n ** 52n + BigInt(`0x${digest.slice(0, 13)}`)).toString();
}
