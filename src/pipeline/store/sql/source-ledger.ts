import type { SqlTransaction } from "../../../db/client.ts";
import { countReadings } from "../../../db/sql/count-readings.ts";
import { upsertSourceDevices } from "../../../db/sql/upsert-source-devices.ts";
import type { IngestMessage } from "../telemetry-store.ts";
import { GpuKeys } from "./gpu-keys.ts";
import type { ObservedGpu } from "./observed-gpus.ts";

/** Until a device's last instant in the database is this old, it is not updated: the steady state writes nothing. */
const refreshMs = 300_000;
/** The cache is cleared above this size. As large as that of the states of GPUs. */
const maxDevices = 300_000;

type Message = Pick<IngestMessage, "source" | "batch">;

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

  /** Adds the message's reading and devices. It is the end of the transaction, because others of the same source wait for the row of
   *  the hour. */
  write(transaction: SqlTransaction, { source: { sourceId }, batch }: Message, gpus: readonly ObservedGpu[]): void {
    const { reading, rejected } = batch;
    if (reading === undefined) return;
    const devices = gpus
      .filter((gpu) => this.isNews(sourceId, gpu))
      .map(({ gpu, firstMs, lastMs }) => ({ gpuKey: this.keys.of(gpu.uuid), firstMs, lastMs }));
    upsertSourceDevices(transaction, sourceId, devices);
    countReadings(transaction, { sourceId, reading }, rejected.length);
  }

  /** Call it when the message's transaction is committed. */
  committed({ source: { sourceId }, batch: { reading } }: Message, gpus: readonly ObservedGpu[]): void {
    if (reading === undefined) return;
    if (this.written.size > maxDevices) this.clear();
    for (const observed of gpus) {
      if (!this.isNews(sourceId, observed)) continue;
      const key = keyOf(sourceId, observed);
      const { firstMs = Infinity, lastMs = -Infinity } = this.written.get(key) ?? {};
      this.written.set(key, {
        firstMs: Math.min(firstMs, observed.firstMs),
        lastMs: Math.max(lastMs, observed.lastMs),
      });
    }
  }

  private isNews(sourceId: string, observed: ObservedGpu): boolean {
    const known = this.written.get(keyOf(sourceId, observed));
    if (known === undefined) return true;
    return observed.firstMs < known.firstMs || observed.lastMs >= known.lastMs + refreshMs;
  }
}

function keyOf(sourceId: string, { gpu }: ObservedGpu): string {
  return `${gpu.uuid}\n${sourceId}`;
}
