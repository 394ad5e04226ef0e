import type { SqlTransaction } from "../../../db/client.ts";
import { countFrozen } from "../../../db/sql/count-frozen.ts";
import { countReadings } from "../../../db/sql/count-readings.ts";
import { endSource } from "../../../db/sql/end-source.ts";
import { lastAtRefreshMs, type ReportedDevice, upsertSourceDevices } from "../../../db/sql/upsert-source-devices.ts";
import type { RecordBatch } from "../../../domain/batch.ts";
import type { SourceReading } from "../../../domain/reading.ts";
import type { IngestMessage } from "../telemetry-store.ts";
import { GpuKeys } from "./gpu-keys.ts";
import type { ObservedGpu } from "./observed-gpus.ts";

/** The cache is cleared above this size. As large as that of the states of GPUs. */
const maxDevices = 300_000;

/** A message, with the GPUs of its batch. */
interface Told extends Pick<IngestMessage, "source" | "batch"> {
  readonly gpus: readonly ObservedGpu[];
}

/** A source, with the reading of the message if it has a schedule. */
interface Reporter {
  readonly sourceId: string;
  readonly reading: RecordBatch["reading"] | undefined;
}

/** Writes what became of the readings of live sources, and which devices the sources report. */
export class SourceLedger {
  private readonly keys = new GpuKeys();
  /** Source and uuid -> the instants that the database has. */
  private written = new Map<string, { firstMs: number; lastMs: number }>();
  private incarnation = "";

  /** Forgets what another database has. */
  enter(incarnation: string): void {
    if (incarnation !== this.incarnation) this.clear();
    this.incarnation = incarnation;
  }

  clear(): void {
    this.written = new Map();
  }

  /** Adds the readings and devices of messages. It is the end of the transaction, because others of the same source wait for the row
   *  of the hour. All transactions lock the rows in the order of sources, those of devices first. */
  write(transaction: SqlTransaction, messages: readonly Told[]): void {
    const bySource = Map.groupBy(messages, ({ source }) => source.sourceId);
    const sources = [...bySource].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [sourceId, told] of sources) {
      const [scheduled, others] = [told.filter(hasSchedule), told.filter((message) => !hasSchedule(message))];
      upsertSourceDevices(transaction, { sourceId, table: "source_devices" }, this.devicesOf(scheduled));
      upsertSourceDevices(transaction, { sourceId, table: "unscheduled_devices" }, this.devicesOf(others));
    }
    for (const [, told] of sources) {
      const inOrder = told.sort((a, b) => (a.batch.reading?.timeMs ?? 0) - (b.batch.reading?.timeMs ?? 0));
      for (const message of inOrder) this.writeReading(transaction, message);
    }
  }

  /** The devices that the messages of one source tell news of, each once. */
  private devicesOf(messages: readonly Told[]): ReportedDevice[] {
    const devices = new Map<string, ReportedDevice>();
    for (const { source, batch, gpus } of messages) {
      for (const observed of gpus) {
        if (!this.isNews({ sourceId: source.sourceId, reading: batch.reading }, observed)) continue;
        const { uuid } = observed.gpu;
        const { firstMs, lastMs } = devices.get(uuid) ?? observed;
        devices.set(uuid, {
          gpuKey: this.keys.of(uuid),
          firstMs: Math.min(firstMs, observed.firstMs),
          lastMs: Math.max(lastMs, observed.lastMs),
        });
      }
    }
    return [...devices.values()];
  }

  private writeReading(transaction: SqlTransaction, { source: { sourceId }, batch, gpus }: Told): void {
    const { reading, rejected } = batch;
    if (reading === undefined) return;
    const named = this.frozenKeys(reading, gpus);
    const frozen = named?.length ?? (reading.count === 0 ? 0 : (reading.frozen ?? 0));
    countReadings(transaction, { sourceId, reading }, { quarantined: rejected.length, frozen });
    countFrozen(transaction, { sourceId, timeMs: reading.timeMs }, named ?? []);
    if (reading.ended === true) endSource(transaction, sourceId, reading.timeMs);
  }

  /** The keys of the frozen devices of the message; undefined if the reading does not name them. */
  private frozenKeys({ frozenDevices }: SourceReading, gpus: readonly ObservedGpu[]): number[] | undefined {
    if (frozenDevices === undefined) return undefined;
    const frozen = new Set(frozenDevices);
    return gpus.flatMap(({ gpu }) => (frozen.has(gpu.uuid) ? [this.keys.of(gpu.uuid)] : []));
  }

  /** Call it when the message's transaction is committed. */
  committed({ source: { sourceId }, batch: { reading }, gpus }: Told): void {
    if (this.written.size > maxDevices) this.clear();
    for (const observed of gpus) {
      if (!this.isNews({ sourceId, reading }, observed)) continue;
      const key = keyOf(sourceId, observed);
      const { firstMs = Infinity, lastMs = -Infinity } = this.written.get(key) ?? {};
      this.written.set(key, {
        firstMs: Math.min(firstMs, observed.firstMs),
        lastMs: Math.max(lastMs, observed.lastMs),
      });
    }
  }

  private isNews({ sourceId, reading }: Reporter, observed: ObservedGpu): boolean {
    const known = this.written.get(keyOf(sourceId, observed));
    if (known === undefined) return true;
    const table = reading === undefined ? "unscheduled_devices" : "source_devices";
    return observed.firstMs < known.firstMs || observed.lastMs >= known.lastMs + lastAtRefreshMs[table];
  }
}

function hasSchedule({ batch: { reading } }: Told): boolean {
  return reading !== undefined;
}

function keyOf(sourceId: string, { gpu }: ObservedGpu): string {
  return `${gpu.uuid}\n${sourceId}`;
}
