import { BatchBuilder } from "../../../domain/batch-builder.ts";
import type { RecordBatch } from "../../../domain/batch.ts";
import type { Clock } from "../../../kit/clock.ts";
import { metricIndexOf } from "../../../domain/metrics.ts";
import type { SimulatedGpu } from "./simulated-gpu.ts";
import { SimulatedFleet, type SimulatedFleetOptions } from "./simulated-fleet.ts";
import { simulatedMetrics } from "./simulated-metrics.ts";
import type { LiveBatch, LiveSource } from "../source.ts";

export interface SimulatedSourceOptions extends SimulatedFleetOptions {
  readonly clock: Clock;
  /** Maximum number of samples in a batch; a GPU's record is never split. */
  readonly batchMaxSamples: number;
}

const metricIndexes = simulatedMetrics.map((metric) => [metric, metricIndexOf(metric) as number] as const);

/** A simulated fleet that is read live.
 *
 *  In every interval, the fleet is read, in one batch or several. The time of each batch is the beginning of the interval.
 *  Intervals are counted from the epoch, so that the readings of all processes have the same times. A late reader skips the
 *  intervals that it missed: the fleet does not advance in them. */
export class SimulatedSource implements LiveSource {
  readonly sourceId: string;
  readonly description: string;
  private readonly fleet: SimulatedFleet;
  private readonly gpusPerBatch: number;

  constructor(private readonly options: SimulatedSourceOptions) {
    const { hosts, gpusPerHost, seed, intervalMs, clusterId, batchMaxSamples } = options;
    this.sourceId = `simulated:${clusterId}:${hosts}x${gpusPerHost}:${intervalMs}ms:${seed}`;
    this.description = `simulated fleet of ${hosts} hosts x ${gpusPerHost} GPUs`;
    this.fleet = new SimulatedFleet(options);
    this.gpusPerBatch = Math.max(1, Math.floor(batchMaxSamples / simulatedMetrics.length));
  }

  async *read(afterMs: number, signal: AbortSignal): AsyncIterable<LiveBatch> {
    const { clock, intervalMs } = this.options;
    for (let tick = this.tickFrom(Math.floor(afterMs / intervalMs) + 1); ; tick = this.tickFrom(tick + 1)) {
      const timeMs = tick * intervalMs;
      await clock.sleep(Math.max(0, timeMs - clock.nowMs()), signal);
      if (signal.aborted) return;
      this.fleet.advance();
      for (const batch of this.batchesAt(timeMs)) {
        yield batch;
        if (signal.aborted) return;
      }
    }
  }

  private *batchesAt(timeMs: number): Iterable<LiveBatch> {
    const { gpus } = this.fleet;
    for (let first = 0; first < gpus.length; first += this.gpusPerBatch) {
      const part = gpus.slice(first, first + this.gpusPerBatch);
      const idempotencyKey = `${this.sourceId}:${timeMs}:${first}-${first + part.length}`;
      const batch = batchOf(part, timeMs);
      if (batch.recordCount > 0) yield { timeMs, idempotencyKey, batch };
    }
  }

  /** Returns the given tick, or the current tick if it is later. */
  private tickFrom(tick: number): number {
    const { clock, intervalMs } = this.options;
    return Math.max(tick, Math.floor(clock.nowMs() / intervalMs));
  }
}

/** A batch with one record for each GPU that is not silent. */
function batchOf(gpus: readonly SimulatedGpu[], timeMs: number): RecordBatch {
  const builder = new BatchBuilder();
  for (const gpu of gpus) {
    if (gpu.isSilent) continue;
    const record = builder.record(builder.gpuIndex(gpu.gpu), timeMs, builder.workloadIndex(gpu.workload));
    const readings = gpu.readings();
    for (const [metric, index] of metricIndexes) builder.set(record, index, readings[metric]);
    builder.count("rows", metricIndexes.length);
  }
  return builder.build();
}
