import type { RecordBatch } from "../../../domain/batch.ts";
import { offTimeMs } from "../exposition/added-samples.ts";

/** Series that change from one collection to the next while a GPU works: each has at least three decimals, or counts. */
const fastMetrics = [
  ...["power_draw", "total_energy_mj", "gr_engine_active", "sm_active", "sm_occupancy", "tensor_active", "dram_active"],
  ...["fp64_active", "fp32_active", "fp16_active", "pcie_tx_bytes", "pcie_rx_bytes", "nvlink_bandwidth_total"],
] as const;
/** A single series may really stay the same, such as the power of a GPU at its limit in whole watts. */
const fewestSeries = 2;
/** Exporters collect every 30 s by default, often less often than they are scraped: some equal readings are usual. */
const frozenAfterScrapes = 5;
const frozenAfterMs = 60_000;

interface Unchanged {
  readonly values: Float64Array;
  readonly sinceMs: number;
  readonly scrapes: number;
}

/** Recognises a target that repeats old readings: for 5 scrapes and 60 s, all fast series of a busy device are equal, to the bit, or
 *  all samples of a device carry one old time. */
export class FrozenReadings {
  private devices = new Map<string, Unchanged>();

  /** Compares a scrape with those before it.
   *  @returns the uuids of the devices with frozen readings */
  observe(batch: RecordBatch, timeMs: number): string[] {
    const seen = new Map<string, Unchanged>();
    for (const [uuid, record] of newestRecords(batch)) {
      const values = oldTime(batch, record, timeMs) ?? fastValues(batch, record);
      if (values === undefined) continue;
      const before = this.devices.get(uuid);
      const isSame = before !== undefined && equalValues(before.values, values);
      seen.set(uuid, isSame ? { ...before, scrapes: before.scrapes + 1 } : { values, sinceMs: timeMs, scrapes: 1 });
    }
    this.devices = seen;
    return Array.from(seen).flatMap(([uuid, { scrapes, sinceMs }]) =>
      scrapes >= frozenAfterScrapes && timeMs - sinceMs >= frozenAfterMs ? [uuid] : [],
    );
  }
}

/** The newest record of each device. */
function newestRecords({ recordCount, gpus, gpuIndexes, timesMs }: RecordBatch): ReadonlyMap<string, number> {
  const newest = new Map<string, number>();
  for (let record = 0; record < recordCount; record += 1) {
    const uuid = gpus[gpuIndexes[record] as number]?.uuid ?? "";
    const other = newest.get(uuid);
    if (other === undefined || (timesMs[record] as number) > (timesMs[other] as number)) newest.set(uuid, record);
  }
  return newest;
}

/** The own time of a record if it is old. A clock that is merely wrong advances. */
function oldTime({ timesMs }: RecordBatch, record: number, timeMs: number): Float64Array | undefined {
  const ownMs = timesMs[record] as number;
  return timeMs - ownMs > offTimeMs ? Float64Array.of(ownMs) : undefined;
}

/** The values of a busy device; undefined if the device is idle or has too few fast series. */
function fastValues({ columns }: RecordBatch, record: number): Float64Array | undefined {
  const valueOf = (metric: string): number => columns.get(metric)?.[record] ?? NaN;
  const isBusy = valueOf("gpu_utilization") > 0 || valueOf("gr_engine_active") > 0;
  if (!isBusy) return undefined;
  const values = Float64Array.from(fastMetrics, valueOf);
  return values.filter((value) => !Number.isNaN(value)).length < fewestSeries ? undefined : values;
}

function equalValues(a: Float64Array, b: Float64Array): boolean {
  return a.length === b.length && a.every((value, index) => Object.is(value, b[index]));
}
