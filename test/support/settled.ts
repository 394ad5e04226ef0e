import type { SqlClient } from "../../src/db/client.ts";
import { holdHours, hoursOf } from "../../src/db/sql/hour-locks.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { Settler } from "../../src/pipeline/store/sql/settler.ts";
import { unsettle } from "../../src/pipeline/store/sql/unsettle.ts";
import type { IngestMessage, TelemetryStore } from "../../src/pipeline/store/telemetry-store.ts";

/** How much of the history is in blocks. Half: of every second GPU-hour. */
export const settledStates = ["nothing", "half", "everything"] as const;
export type SettledState = (typeof settledStates)[number];

/** Settles what is in rows, and makes rows again of what is to be in rows. */
export async function settleTo(client: SqlClient, state: SettledState): Promise<void> {
  if (state === "nothing") return unsettleAll(client);
  await new Settler(client).settle(Infinity);
  if (state === "half") await unsettleAll(client, "where (gpu_key + extract(epoch from from_at)::int8 / 3600) % 2 = 0");
}

/** Makes rows of all blocks.
 *  @param where of these only */
export async function unsettleAll(client: SqlClient, where = ""): Promise<void> {
  const blocks = await client.query<{ gpuKey: number; fromMs: number }>(
    `select gpu_key::float8 as "gpuKey", extract(epoch from from_at)::float8 * 1000 as "fromMs" from blocks ${where}`,
  );
  if (blocks.length === 0) return;
  const timesMs = blocks.map(({ fromMs }) => fromMs);
  await client.transaction(async (transaction) => {
    holdHours(transaction, hoursOf([timesMs]));
    await unsettle(transaction, hoursOf([timesMs]), {
      records: [{ gpuKeys: blocks.map(({ gpuKey }) => gpuKey), timesMs }],
      recordsMax: Infinity,
    });
  });
}

/** The number of hours of GPUs that are both in rows and in blocks. */
export async function gpuHoursInBoth(client: SqlClient): Promise<number> {
  const [row] = await client.query<{ count: number }>(
    `select count(*)::float8 as count from (
      select gpu_key, date_bin('1 hour', time, timestamptz '2000-01-01 00:00:00Z') from telemetry
      intersect select gpu_key, date_bin('1 hour', from_at, timestamptz '2000-01-01 00:00:00Z') from blocks) hours`,
  );
  return row?.count ?? NaN;
}

/** Opens stores that settle their history before each question, so that it is answered from blocks, or from rows and blocks. */
export function settledStores(open: () => Promise<OpenStore>, state: SettledState): () => Promise<OpenStore> {
  return async () => {
    const opened = await open();
    let isSettled = true;
    const settleNew = async (): Promise<void> => {
      if (isSettled) return;
      isSettled = true;
      await settleTo(opened.client, state);
    };
    const store: TelemetryStore = Object.assign(Object.create(opened.store) as TelemetryStore, {
      ingest: (message: IngestMessage) => {
        isSettled = false;
        return opened.store.ingest(message);
      },
    });
    return {
      ...opened,
      store,
      queries: settledFirst(opened.queries, settleNew),
      inventory: settledFirst(opened.inventory, settleNew),
    };
  };
}

/** The same interface, whose methods wait for `settle` first. */
function settledFirst<T extends object>(target: T, settle: () => Promise<void>): T {
  return new Proxy(target, {
    get: (of, name) => {
      const member: unknown = Reflect.get(of, name, of);
      if (typeof member === "function")
        return async (...args: unknown[]) => {
          await settle();
          return (member as (...given: unknown[]) => unknown).apply(of, args);
        };
      return typeof member === "object" && member !== null ? settledFirst(member, settle) : member;
    },
  });
}
