import type { StateSpan } from "../../src/domain/inventory.ts";
import type { StoredRecord } from "../../src/domain/query.ts";
import { FaultEvaluator } from "../../src/faults/evaluator/evaluator.ts";
import type { FaultChange } from "../../src/faults/fault.ts";
import type { Clock } from "../../src/kit/clock.ts";
import { newestOfBatch } from "../../src/pipeline/hot/newest-of-batch.ts";
import { SimulatedSource, type SimulatedSourceOptions } from "../../src/pipeline/source/simulated/simulated-source.ts";
import { catalogue, rules, startMs } from "./scripted-fleet.ts";

/** A clock whose time passes as soon as it is waited for. */
class FastClock implements Clock {
  private timeMs = startMs;

  nowMs(): number {
    return this.timeMs;
  }

  sleep(ms: number): Promise<void> {
    this.timeMs += ms;
    return Promise.resolve();
  }

  after(): never {
    throw new Error("the simulated fleet only sleeps");
  }
}

type FleetOptions = Omit<SimulatedSourceOptions, "clock" | "batchMaxSamples" | "intervalMs" | "clusterId">;

export interface SimulatedRun extends FleetOptions {
  readonly seconds: number;
  readonly intervalSeconds?: number;
  readonly clusterId?: string;
  readonly spans?: readonly StateSpan[];
  /** True for a record that is lost. */
  readonly isLost?: (record: StoredRecord, seconds: number) => boolean;
  /** True while nothing is evaluated: the records wait, and are evaluated by another evaluator, with the state of this one. */
  readonly isDown?: (seconds: number) => boolean;
}

/** A run of a simulated fleet through the evaluator: as fast as it can, by a clock of its own. */
export interface RunResult {
  readonly changes: readonly FaultChange[];
  readonly records: number;
}

/** Runs a simulated fleet and judges its records. */
export async function run(options: SimulatedRun): Promise<RunResult> {
  const { seconds, intervalSeconds = 10, clusterId = "sim", spans = [], isLost, isDown, ...fleet } = options;
  const intervalMs = intervalSeconds * 1000;
  const clock = new FastClock();
  const source = new SimulatedSource({ ...fleet, clusterId, intervalMs, clock, batchMaxSamples: Infinity });
  const changes: FaultChange[] = [];
  let evaluator = new FaultEvaluator({ rules, catalogue });
  evaluator.setSpans(spans);
  let [records, waiting, wasDown]: [number, StoredRecord[], boolean] = [0, [], false];
  for await (const { batch, timeMs } of source.read(startMs, new AbortController().signal)) {
    const at = (timeMs - startMs) / 1000;
    if (at > seconds) break;
    const arriving = storedRecords(batch).filter((record) => isLost?.(record, at) !== true);
    records += arriving.length;
    waiting.push(...arriving);
    if (isDown?.(at) === true) {
      wasDown = true;
      continue;
    }
    if (wasDown) evaluator = new FaultEvaluator({ rules, catalogue, state: evaluator.save() });
    changes.push(...evaluator.advance(timeMs));
    for (const record of waiting) changes.push(...evaluator.observe(record));
    [waiting, wasDown] = [[], false];
  }
  return { changes, records };
}

function storedRecords(batch: Parameters<typeof newestOfBatch>[0]): StoredRecord[] {
  return newestOfBatch(batch).map(({ state: { gpu }, record: { timeMs, metrics, custom, occupants } }) => {
    return { gpu, timeMs, metrics, custom, occupants };
  });
}
