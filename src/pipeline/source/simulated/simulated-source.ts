import type { Clock } from "../../../kit/clock.ts";
import { type DeviceShares, noShares } from "./devices/device-shares.ts";
import { batchOf } from "./simulated-batch.ts";
import { SimulatedFleet, type SimulatedFleetOptions } from "./simulated-fleet.ts";
import { simulatedMetrics } from "./simulated-metrics.ts";
import type { SourceReading } from "../../../domain/reading.ts";
import { BatchBuilder } from "../../../domain/batch-builder.ts";
import { causeOf, freeTime } from "../scheduled-readings.ts";
import type { LiveBatch, LiveSource } from "../source.ts";

export interface SimulatedSourceOptions extends SimulatedFleetOptions {
  readonly clock: Clock;
  /** Maximum number of samples in a batch; a GPU's records are never split. GPUs with MIG instances, series or several users count
   *  as many of their samples as such a GPU usually has. */
  readonly batchMaxSamples: number;
}

/** The samples of a GPU that has more than one row for a metric. The number varies; the batches must not, because their keys name
 *  their GPUs. */
const usualSamplesOfExportedGpu = 100;

/** Why the fleet was not read. */
const skippedFor = {
  "no streamer": { reason: "no_streamer", message: "no streamer simulated the fleet" },
  "held up": { reason: "no_streamer", message: "the streamer was held up" },
  "memory full": { reason: "memory_full", message: "the readings before were not published in time" },
} as const;

/** A simulated fleet that is read live.
 *
 *  In every interval, the fleet is read, in one batch or several. The time of each batch is the beginning of the interval.
 *  Intervals are counted from the epoch, so that the readings of all processes have the same times. A late reader skips the
 *  intervals that it missed: the fleet does not advance in them, and they are one batch without records, with its reading. */
export class SimulatedSource implements LiveSource {
  readonly sourceId: string;
  readonly description: string;
  private readonly fleet: SimulatedFleet;
  /** The GPUs of each batch: from one index up to another one, which is not included. */
  private readonly parts: readonly (readonly [first: number, end: number])[];

  constructor(private readonly options: SimulatedSourceOptions) {
    const {
      hosts,
      gpusPerHost,
      seed,
      intervalMs,
      clusterId,
      batchMaxSamples,
      shares = noShares,
      chosenFaults: faults,
    } = options;
    this.sourceId = `simulated:${clusterId}:${hosts}x${gpusPerHost}:${intervalMs}ms:${seed}${sharesText(shares)}${faultsText(faults)}`;
    this.description = `simulated fleet of ${hosts} hosts x ${gpusPerHost} GPUs`;
    this.fleet = new SimulatedFleet(options);
    this.parts = partsOf(this.fleet, batchMaxSamples);
  }

  async *read(afterMs: number, signal: AbortSignal, takenUntilMs?: number): AsyncIterable<LiveBatch> {
    const { clock, intervalMs } = this.options;
    const first = Math.floor(afterMs / intervalMs) + 1;
    let waitedMs = 0;
    for (let due = first; ; due += 1) {
      const tick = this.tickFrom(due);
      if (tick > due && due !== -Infinity) {
        const { cause } = causeOf(due === first, waitedMs, (tick - due) * intervalMs);
        yield this.missed(tick - 1, tick - due, cause);
      }
      due = tick;
      await clock.sleep(Math.max(0, tick * intervalMs - clock.nowMs()), signal);
      if (signal.aborted) return;
      this.fleet.advance();
      waitedMs = 0;
      for (const batch of this.batchesAt(freeTime(tick * intervalMs, takenUntilMs))) {
        const yieldedMs = clock.nowMs();
        yield batch;
        waitedMs += clock.nowMs() - yieldedMs;
        if (signal.aborted) return;
      }
    }
  }

  private missed(lastTick: number, count: number, cause: keyof typeof skippedFor): LiveBatch {
    const { intervalMs } = this.options;
    const timeMs = lastTick * intervalMs;
    const reading: SourceReading = {
      ...{ timeMs, intervalMs, count, outcome: "missed" },
      ...skippedFor[cause],
    };
    return { timeMs, idempotencyKey: `${this.sourceId}:${timeMs}:missed`, batch: new BatchBuilder().build(), reading };
  }

  /** The first batch counts the reading. A batch whose GPUs are all silent is there, too: it shows that their series have ended. */
  private *batchesAt(timeMs: number): Iterable<LiveBatch> {
    const { gpus, exported } = this.fleet;
    const { intervalMs } = this.options;
    for (const [first, end] of this.parts) {
      const part = `${first}-${end}`;
      const idempotencyKey = `${this.sourceId}:${timeMs}:${part}`;
      const batch = batchOf(gpus.slice(first, end), exported, timeMs);
      const count = first === 0 ? 1 : 0;
      const reading: SourceReading = { timeMs, intervalMs, outcome: "read", count };
      yield { timeMs, idempotencyKey, batch, part, reading };
    }
  }

  /** Returns the given tick, or the current tick if it is later. */
  private tickFrom(tick: number): number {
    const { clock, intervalMs } = this.options;
    return Math.max(tick, Math.floor(clock.nowMs() / intervalMs));
  }
}

/** Divides a fleet into parts of at most `maxSamples` samples, and of at least one GPU. */
function partsOf({ gpus, exported }: SimulatedFleet, maxSamples: number): (readonly [number, number])[] {
  const parts: (readonly [number, number])[] = [];
  let first = 0;
  let samples = 0;
  for (const [index, gpu] of gpus.entries()) {
    const ofGpu = exported.has(gpu) ? usualSamplesOfExportedGpu : simulatedMetrics.length;
    if (index > first && samples + ofGpu > maxSamples) {
      parts.push([first, index]);
      [first, samples] = [index, 0];
    }
    samples += ofGpu;
  }
  return [...parts, [first, gpus.length]];
}

/** The chosen faults, for the name of the source. */
function faultsText(faults: SimulatedFleetOptions["chosenFaults"]): string {
  if (faults === undefined) return "";
  return `:faults=${faults.map(({ name, fromSeconds, toSeconds }) => `${name}@${fromSeconds}-${toSeconds}`).join("+")}`;
}

/** The shares that are not 0, for the name of the source: a fleet of other devices is another source. */
function sharesText(shares: DeviceShares): string {
  return Object.entries(shares)
    .flatMap(([name, share]) => (share === 0 ? [] : [`:${name}=${share}`]))
    .join("");
}
