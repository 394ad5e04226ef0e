import { monotonicFactory } from "ulid";
import { defaultClusterId } from "../../src/domain/default-names.ts";
import { decodeNumbers, encodeNumbers } from "../../src/domain/block/number-column.ts";
import { instantRange } from "../../src/domain/range.ts";
import { type Clock, systemClock } from "../../src/kit/clock.ts";
import { SimulatedSource } from "../../src/pipeline/source/simulated/simulated-source.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { Settler } from "../../src/pipeline/store/sql/settler.ts";

const hourMs = 3_600_000;
const gpusPerHost = 8;

/** The fleet, and how much of its history is made up. */
export interface PastHours {
  readonly hosts: number;
  readonly intervalMs: number;
  /** The number of hours before the current one. */
  readonly pastHours: number;
}

/** Stores hours of the fleet's history before the current hour, settled, as if the fleet had reported them. The last one is stored as
 *  records and settled; the hours before have its values. */
export async function storePastHours(opened: OpenStore, { hosts, intervalMs, pastHours }: PastHours): Promise<void> {
  const fromMs = Math.floor(Date.now() / hourMs) * hourMs - hourMs;
  await storeHour(opened, { hosts, intervalMs, fromMs });
  await new Settler(opened.client).settle(fromMs + hourMs);
  for (let before = 1; before < pastHours; before += 1) {
    await copyHour(opened, "blocks", { fromMs, before });
    await copyHour(opened, "rollups", { fromMs, before });
  }
}

async function storeHour(
  { store }: OpenStore,
  { hosts, intervalMs, fromMs }: Omit<PastHours, "pastHours"> & { readonly fromMs: number },
): Promise<void> {
  const clock = jumpingClock(fromMs);
  const fleet = { hosts, gpusPerHost, seed: 1, clusterId: defaultClusterId };
  const simulated = new SimulatedSource({ ...fleet, intervalMs, clock, batchMaxSamples: 20_000 });
  const nextId = monotonicFactory();
  const end = new AbortController();
  let together: Promise<unknown>[] = [];
  for await (const { timeMs, idempotencyKey, batch } of simulated.read(fromMs - 1, end.signal)) {
    if (timeMs >= fromMs + hourMs) break;
    const source = instantRange(simulated.sourceId, timeMs);
    together.push(store.ingest({ messageId: nextId(), idempotencyKey, source, batch }));
    if (together.length < 64) continue;
    await Promise.all(together);
    together = [];
  }
  await Promise.all(together);
}

/** Time passes only while somebody waits for it. */
function jumpingClock(startMs: number): Clock {
  let nowMs = startMs;
  return {
    nowMs: () => nowMs,
    sleep: (ms) => {
      nowMs += ms;
      return Promise.resolve();
    },
    after: systemClock.after,
  };
}

/** What was stored of an hour, some hours earlier. */
interface EarlierHour {
  readonly fromMs: number;
  readonly before: number;
}

async function copyHour({ client }: OpenStore, table: "blocks" | "rollups", earlier: EarlierHour): Promise<void> {
  const { fromMs, before } = earlier;
  const columns = await client.query<{ name: string }>(
    `select attname as name from pg_attribute where attrelid = '${table}'::regclass and attnum > 0 and not attisdropped`,
  );
  const names = columns.map(({ name }) => `"${name}"`);
  const values = columns.map(({ name }) => {
    if (name === "from_at" || name === "to_at") return `"${name}" - interval '${before} hours'`;
    return name === "times" ? "moved.times" : `"${name}"`;
  });
  const hour = `from_at >= to_timestamp($1::float8 / 1000) and from_at < to_timestamp($1::float8 / 1000) + interval '1 hour'`;
  if (table === "rollups") {
    await client.query(`insert into rollups (${names.join()}) select ${values.join()} from rollups where ${hour}`, [
      fromMs,
    ]);
    return;
  }
  const blocks = await client.query<{ key: string; records: number; times: Uint8Array }>(
    `select gpu_key::text as key, records, times from blocks where ${hour}`,
    [fromMs],
  );
  const moved = blocks.map(({ key, records, times }) => {
    const timesMs = decodeNumbers(times, records).map((timeMs) => timeMs - before * hourMs);
    return { key, hex: Buffer.from(encodeNumbers(timesMs)).toString("hex") };
  });
  await client.query(
    `insert into blocks (${names.join()}) select ${values.join()} from blocks
      join (select gpu, decode(hex, 'hex') from unnest($2::text::int8[], $3::text::text[]) as u(gpu, hex)) as moved(gpu, times) on gpu = gpu_key
      where ${hour}`,
    [fromMs, `{${moved.map(({ key }) => key).join()}}`, `{${moved.map(({ hex }) => hex).join()}}`],
  );
}
