import { BatchBuilder } from "../../../domain/batch-builder.ts";
import type { RecordBatch } from "../../../domain/batch.ts";
import type { Clock } from "../../../kit/clock.ts";
import { metricIndexOf } from "../../../domain/metrics.ts";
import type { Position } from "../../../domain/range.ts";
import type { SimulatedGpu } from "./simulated-gpu.ts";
import { SimulatedFleet, type SimulatedFleetOptions } from "./simulated-fleet.ts";
import { simulatedMetrics } from "./simulated-metrics.ts";
import type { ReadRange, Source, SourceBatch, SourceCut } from "../source.ts";

export interface SimulatedSourceOptions extends SimulatedFleetOptions {
  readonly clock: Clock;
  /** Most samples that a batch carries, 5,000 unless told; a GPU's record is never cut. */
  readonly batchSize?: number;
}

const defaultBatchSize = 5000;
const metricIndexes = simulatedMetrics.map((metric) => [metric, metricIndexOf(metric) as number] as const);

/** A simulated fleet that is read live: never ends, stamps the present.
 *
 *  Every interval the whole fleet is read, in parts of at most `batchSize` samples, part by part the same GPUs.
 *  A position's offset is `tick * GPUs + GPUs read in the tick`; ticks count intervals since the epoch, so that another
 *  process can go on where this one stopped, whatever its `batchSize` (320,000 GPUs every 100 ms: below 2^53 until 2059).
 *  A reader that comes late skips the ticks it missed: the fleet stands still meanwhile, and the next batch's range spans
 *  them. What was not read in its time cannot be read again. */
export class SimulatedSource implements Source {
  readonly sourceId: string;
  readonly description: string;
  readonly start: Position;
  readonly endOffset = undefined;
  private readonly fleet: SimulatedFleet;
  private readonly gpusPerBatch: number;

  constructor(private readonly options: SimulatedSourceOptions) {
    const { hosts, gpusPerHost, seed, intervalMs, clusterId, batchSize = defaultBatchSize } = options;
    this.sourceId = `sim:${clusterId}:${hosts}x${gpusPerHost}:${intervalMs}ms:${seed}`;
    this.description = `simulated fleet of ${hosts} hosts x ${gpusPerHost} GPUs`;
    this.fleet = new SimulatedFleet(options);
    this.gpusPerBatch = Math.max(1, Math.floor(batchSize / simulatedMetrics.length));
    this.start = { offset: this.latestTick() * this.fleet.gpus.length, line: 0 };
  }

  async *cut(from: Position): AsyncIterable<SourceCut> {
    yield await Promise.resolve({ from, to: undefined });
  }

  async *read({ from, toOffset = Infinity }: ReadRange, signal: AbortSignal): AsyncIterable<SourceBatch> {
    const { sourceId, options, fleet, gpusPerBatch } = this;
    const count = fleet.gpus.length;
    let next = from;
    for (let tick = this.tickFrom(Math.floor(from.offset / count)); tick * count < toOffset;) {
      await options.clock.sleep(Math.max(0, this.timeMsOf(tick) - options.clock.nowMs()), signal);
      if (signal.aborted) return;
      fleet.advance();
      const stop = Math.min(count, toOffset - tick * count);
      for (let first = Math.max(0, from.offset - tick * count); first < stop; first += gpusPerBatch) {
        if (signal.aborted) return;
        const last = Math.min(first + gpusPerBatch, stop);
        const to = { offset: tick * count + last, line: 0 };
        yield {
          range: { sourceId, from: next, to },
          batch: batchOf(fleet.gpus.slice(first, last), this.timeMsOf(tick)),
        };
        next = to;
      }
      tick = this.tickFrom(tick + 1);
    }
  }

  /** The tick itself, or the latest where that has passed it. */
  private tickFrom(tick: number): number {
    return Math.max(tick, this.latestTick());
  }

  private timeMsOf(tick: number): number {
    return tick * this.options.intervalMs;
  }

  private latestTick(): number {
    return Math.floor(this.options.clock.nowMs() / this.options.intervalMs);
  }
}

/** One record a GPU that is not silent. */
function batchOf(gpus: readonly SimulatedGpu[], timeMs: number): RecordBatch {
  const builder = new BatchBuilder();
  for (const gpu of gpus) {
    if (gpu.isSilent) continue;
    const row = builder.row(builder.gpuIndex(gpu.gpu), timeMs, builder.workloadIndex(gpu.workload));
    const readings = gpu.readings();
    for (const [metric, index] of metricIndexes) builder.set(row, index, readings[metric]);
    builder.count("rows", metricIndexes.length);
  }
  return builder.build();
}
