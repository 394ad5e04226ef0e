import type { SqlExecutor } from "../../../../db/client.ts";
import { QueryTooCostly } from "../../../../domain/errors.ts";
import { dayOf, hourOf } from "../../../../domain/time-range.ts";
import {
  type HeldSpan,
  type HoldersFilter,
  type JobFilter,
  type JobUsage,
  type UsageField,
  usageGroupFields,
  type UsageRow,
  type UsageSumFilter,
} from "../../../../domain/usage/usage.ts";
import { deviceOf } from "../../../../domain/usage/device-day.ts";
import type { UsageWhere, UsageWho } from "../../../../domain/usage/usage-day.ts";
import type { UsageSettings } from "../../../../domain/usage/usage-hour.ts";
import type { UsageQueries } from "../../telemetry-queries.ts";
import { heldSpans } from "./held-spans.ts";
import { JobSums } from "./job-sums.ts";
import { placeAt } from "./usage-fleet.ts";
import { type HeldShare, heldShares, selectsHolder, UsageSums } from "./usage-sums.ts";
import { usageParts } from "./usage-parts.ts";
import type { DeviceShare } from "./usage-time.ts";

/** A row that is being added up. */
type OpenRow = Pick<UsageRow, "timeMs" | "group"> & { readonly sums: UsageSums };

/** Answers queries about usage from the ledger, and from the records of hours that it does not have yet. */
export class SqlUsageQueries implements UsageQueries {
  /** @param reads gives each question an executor, with its time limit */
  constructor(
    private readonly reads: () => SqlExecutor,
    private readonly settings: UsageSettings,
  ) {}

  async sums(filter: UsageSumFilter): Promise<UsageRow[]> {
    const { groupBy, step, range, rowsMax } = filter;
    const fields = usageGroupFields[groupBy];
    const groups = new Map<string, OpenRow>();
    const sumsOf = (atMs: number, group: readonly string[]): UsageSums => {
      const timeMs = step === "total" ? range.fromMs : step === "day" ? dayOf(atMs) : atMs;
      const key = keyOf(timeMs, group);
      let found = groups.get(key);
      if (found === undefined) {
        groups.set(key, (found = { timeMs, group, sums: new UsageSums(this.settings.prices) }));
        if (groups.size > rowsMax) throw tooMany(rowsMax);
      }
      return found.sums;
    };
    const detail = step === "hour" ? "hours" : groupBy === "device" ? "devices" : "days";
    for await (const part of usageParts(this.reads(), filter, { thresholds: this.settings, detail })) {
      if ("shares" in part) {
        for (const held of inTurn(part.shares)) {
          if (!selectsHolder(filter.holder, held)) continue;
          const { device, segment } = held.share;
          const where = placeAt(device, segment.atMs);
          const group = fields.map((field) => valueOf(field, held, { ...where, uuid: device.uuid }));
          sumsOf(part.hour, group).add(held);
        }
      } else {
        for (const entry of part.entries) {
          const { who, where } = entry;
          if (!selectsHolder(filter.holder, who)) continue;
          const uuid = part.uuidOf(deviceOf(entry));
          const group = fields.map((field) => valueOf(field, who, { ...where, uuid }));
          sumsOf(part.day, group).addDay(entry, part.uuidOf);
        }
      }
    }
    return [...groups.values()]
      .map(({ timeMs, group, sums }) => ({ timeMs, group, ...sums.sum() }))
      .sort((a, b) => a.timeMs - b.timeMs || byTexts(a.group, b.group));
  }

  async jobs(filter: JobFilter): Promise<JobUsage[]> {
    const jobs = new JobSums(filter, this.settings.prices);
    for await (const part of usageParts(this.reads(), filter, { thresholds: this.settings, detail: "days" })) {
      if ("shares" in part) {
        for (const held of inTurn(part.shares)) if (selectsHolder(filter.holder, held)) jobs.add(held);
      } else {
        for (const entry of part.entries) if (selectsHolder(filter.holder, entry.who)) jobs.addDay(entry, part.uuidOf);
      }
      if (jobs.size > filter.rowsMax) throw tooMany(filter.rowsMax);
    }
    return jobs.rows();
  }

  async holders({ uuid, within, range }: HoldersFilter): Promise<HeldSpan[]> {
    const hours = { fromMs: hourOf(range.fromMs), toMs: range.toMs };
    const gpus = { uuids: [uuid], ...(within === undefined ? {} : { within }) };
    const spans: HeldSpan[] = [];
    const options = { thresholds: this.settings, detail: "hours" } as const;
    for await (const part of usageParts(this.reads(), { gpus, range: hours }, options)) {
      if ("shares" in part) heldSpans(spans, part.shares, range);
    }
    return spans;
  }
}

/** What each holder had of some shares. */
function* inTurn(shares: readonly DeviceShare[]): Generator<HeldShare, void> {
  for (const share of shares) yield* heldShares(share);
}

/** Tells groups apart, quickly where they have one name. */
const keyOf = (timeMs: number, group: readonly string[]): string =>
  group.length === 1 ? `${timeMs} ${group[0]}` : JSON.stringify([timeMs, ...group]);

const tooMany = (rowsMax: number): QueryTooCostly =>
  new QueryTooCostly(`more than ${rowsMax} rows: ask for a shorter range, fewer groups or a longer step`);

function valueOf(
  field: UsageField,
  { workload, job, user }: UsageWho,
  { uuid, clusterId, hostname, modelName }: UsageWhere & { readonly uuid: string },
): string {
  switch (field) {
    case "namespace":
      return workload.namespace;
    case "pod":
      return workload.pod;
    case "container":
      return workload.container;
    case "job":
      return job;
    case "user":
      return user;
    case "uuid":
      return uuid;
    case "cluster_id":
      return clusterId;
    case "hostname":
      return hostname;
    case "model_name":
      return modelName;
  }
}

/** Orders texts by UTF-16 code units, the first ones first. */
function byTexts(a: readonly string[], b: readonly string[]): number {
  for (const [index, text] of a.entries()) {
    const other = b[index] ?? "";
    if (text !== other) return text < other ? -1 : 1;
  }
  return 0;
}
