import type { components } from "../../../../clients/typescript/src/generated/schema.ts";
import { usageHours, type UsageState } from "../../model/usage-state.ts";
import { nowMs } from "../clock.ts";
import { dataOf } from "./answer-data.ts";
import { msOf, read } from "./gateway-api.ts";

type Schemas = components["schemas"];
export type Usage = Schemas["Usage"];
export type JobUsage = Schemas["JobUsage"];

/** The most rows of an answer. */
const pageSize = 10_000;

/** Whose usage is asked for, and in which time. */
export type UsageChoice = Pick<UsageState, "time" | "holder">;

/** Where the API has the usage of a choice. */
export function usagePath({ by, ...choice }: UsageChoice & Pick<UsageState, "by">): string {
  return `/api/v1/usage?${new URLSearchParams({ group_by: by, ...queryOf(choice) }).toString()}`;
}

/** Who used GPUs, and for how long: every row, so that the time of all GPUs is in them. */
export const readUsage = ({ by, ...choice }: UsageChoice & Pick<UsageState, "by">): Promise<Usage[]> =>
  readPages<Usage>("/api/v1/usage", { group_by: by, ...queryOf(choice) });

/** The pods and jobs that held a GPU in the time and have ended, the newest end first. */
export async function readEndedJobs(choice: UsageChoice): Promise<JobUsage[]> {
  const jobs = await readPages<JobUsage>("/api/v1/usage/jobs", { ended: "yes", ...queryOf(choice) });
  return jobs.sort((a, b) => msOf(b.end_time) - msOf(a.end_time));
}

/** Since when devices are held and not used, by their uuids: as the rule held.idle has found. */
export async function readIdleSince(): Promise<ReadonlyMap<string, number>> {
  const query = { name: "held.idle", limit: String(pageSize) };
  const faults = await dataOf<readonly Schemas["Fault"][]>("/api/v1/faults", query);
  return new Map(faults.flatMap(({ uuid, started_at: at }) => (uuid === undefined ? [] : [[uuid, msOf(at)]])));
}

async function readPages<Row>(path: string, query: Readonly<Record<string, string>>): Promise<Row[]> {
  const rows: Row[] = [];
  let cursor = {};
  for (;;) {
    const page = await read<{ readonly data: readonly Row[]; readonly next_cursor?: string }>(path, {
      ...{ ...query, limit: String(pageSize) },
      ...cursor,
    });
    for (const row of page.data) rows.push(row);
    if (page.next_cursor === undefined) return rows;
    cursor = { cursor: page.next_cursor };
  }
}

function queryOf({ time, holder }: UsageChoice): Readonly<Record<string, string>> {
  const { fromMs, toMs } = usageHours(time, nowMs());
  return {
    start_time: new Date(fromMs).toISOString(),
    ...(toMs === undefined ? {} : { end_time: new Date(toMs).toISOString() }),
    ...holder,
  };
}
