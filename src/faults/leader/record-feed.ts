import type { Gpu } from "../../domain/gpu.ts";
import type { StoredRecord } from "../../domain/query.ts";
import type { Clock } from "../../kit/clock.ts";
import type { CoalescedRecords, HotChanges, HotFollower, NewestRecord } from "../../pipeline/hot/hot-tier.ts";

/** The most records of a device that wait. What is dropped is read from the store. */
const maxOfDevice = 8;

/** What has arrived. */
export interface ArrivedRecords {
  /** By their instants. */
  readonly records: StoredRecord[];
  /** By the device's uuid: what did not arrive, before the newest of its records here. The store has it. */
  readonly coalesced: ReadonlyMap<string, CoalescedRecords>;
}

/** Keeps the records that the hot tier has delivered until they are taken. */
export class RecordFeed implements HotFollower {
  private readonly gpus = new Map<string, Gpu>();
  private waiting = new Map<string, NewestRecord[]>();
  private coalesced = new Map<string, CoalescedRecords>();
  private sinceMs: number | undefined;
  private hasMissed = false;
  private interruption: Error | undefined;

  constructor(private readonly clock: Clock) {}

  /** Why no record is delivered; undefined if records are. */
  get interrupted(): Error | undefined {
    return this.interruption;
  }

  /** When the first of the waiting records arrived; undefined if none waits. */
  get waitingSinceMs(): number | undefined {
    return this.sinceMs;
  }

  onChanges({ gpus, records }: HotChanges): void {
    for (const { gpu } of gpus) this.gpus.set(gpu.uuid, gpu);
    for (const record of records) this.add(record);
  }

  onFollowing(afterGap: boolean): void {
    this.hasMissed ||= afterGap;
    this.interruption = undefined;
  }

  onInterrupted(error: Error): void {
    this.interruption = error;
  }

  /** True if records may have been missed since the last call. */
  takeMissed(): boolean {
    const { hasMissed } = this;
    this.hasMissed = false;
    return hasMissed;
  }

  /** The waiting records. */
  take(): ArrivedRecords {
    const { coalesced } = this;
    const records = [...this.waiting.values()].flat().map((record) => this.storedOf(record));
    this.waiting = new Map();
    this.coalesced = new Map();
    this.sinceMs = undefined;
    return { records: records.sort((a, b) => a.timeMs - b.timeMs), coalesced };
  }

  private add(record: NewestRecord): void {
    this.sinceMs ??= this.clock.nowMs();
    if (record.coalesced !== undefined) this.coalesce(record.uuid, record.coalesced);
    const ofDevice = this.waiting.get(record.uuid);
    if (ofDevice === undefined) this.waiting.set(record.uuid, [record]);
    // a record that has got another part comes again with both
    else if (ofDevice.at(-1)?.timeMs === record.timeMs) ofDevice[ofDevice.length - 1] = record;
    else if (ofDevice.push(record) > maxOfDevice) {
      const sinceMs = ofDevice.shift()?.timeMs;
      if (sinceMs !== undefined) this.coalesce(record.uuid, { sinceMs, records: 1 });
    }
  }

  private coalesce(uuid: string, { sinceMs, records }: CoalescedRecords): void {
    const known = this.coalesced.get(uuid) ?? { sinceMs: Infinity, records: 0 };
    this.coalesced.set(uuid, { sinceMs: Math.min(known.sinceMs, sinceMs), records: known.records + records });
  }

  private storedOf({ uuid, reported, timeMs, metrics, custom, occupants }: NewestRecord): StoredRecord {
    const known = this.gpus.get(uuid);
    const { clusterId, hostname, gpuId = known?.gpuId ?? 0 } = reported;
    const device = reported.device || (known?.device ?? "");
    const modelName = reported.modelName || (known?.modelName ?? "");
    const { driverVersion = "", properties = {} } = known ?? {};
    const gpu = { uuid, clusterId, hostname, gpuId, device, modelName, driverVersion, properties };
    return { gpu, timeMs, metrics, custom, occupants };
  }
}
