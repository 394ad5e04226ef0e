import { expect, test } from "bun:test";
import { makeBatch } from "../../dev/make-batch.ts";
import { BatchBuilder } from "../../src/domain/batch-builder.ts";
import type { SourceReading } from "../../src/domain/reading.ts";
import type { LiveBatch, LiveSource } from "../../src/pipeline/source/source.ts";
import { ObservedSource } from "../../src/pipeline/source/states/observed-source.ts";
import { ManualClock } from "../support/manual-clock.ts";

const clock = new ManualClock();
const dueMs = clock.nowMs();
const intervalMs = 15_000;

function batchOf(reading: Omit<SourceReading, "intervalMs">, uuids: readonly string[]): LiveBatch {
  const { timeMs } = reading;
  const rows = uuids.map((uuid) => ({ uuid, timeMs, metrics: { temperature: 30, power_draw: 100 } }));
  const batch = uuids.length === 0 ? new BatchBuilder().build() : makeBatch(rows);
  return { timeMs, idempotencyKey: `box:${timeMs}:${uuids.join()}`, batch, reading: { ...reading, intervalMs } };
}

/** Yields the batches that a test gives. */
function observed(batches: readonly LiveBatch[]) {
  const source: LiveSource = {
    sourceId: "nvidia-smi:lab:box",
    description: "box",
    async *read() {
      yield* await Promise.resolve(batches);
    },
  };
  const missed: [string, number][] = [];
  const onMissed = (reason: string, count: number): void => void missed.push([reason, count]);
  const subject = { kind: "nvidia_smi", name: "box", clusterId: "lab", dialect: "nvidia-smi" } as const;
  return { missed, source: new ObservedSource({ source, subject, intervalMs, streamer: "s", clock, onMissed }) };
}

/** The states after each batch, and after the end. */
async function statesOf(source: ObservedSource) {
  const batches = source.read(-Infinity, new AbortController().signal);
  const states = await Array.fromAsync(batches, () => source.state());
  return [...states, source.state()];
}

test("a live source that is no exporter is listed with its readings, their parts together, and its gaps by reason", async () => {
  const failure = { outcome: "missed", reason: "command_failed", message: "nvidia-smi: not found", count: 1 } as const;
  const { source, missed } = observed([
    batchOf({ timeMs: dueMs, outcome: "missed", reason: "no_streamer", message: "", count: 3 }, []),
    batchOf({ timeMs: dueMs + intervalMs, outcome: "read", count: 1 }, ["GPU-a"]),
    batchOf({ timeMs: dueMs + intervalMs, outcome: "read", count: 0 }, ["GPU-b", "GPU-c"]),
    batchOf({ timeMs: dueMs + 2 * intervalMs, ...failure }, []),
  ]);
  expect(source.state()).toMatchObject({ kind: "nvidia_smi", target: "box", state: "waiting" });
  const [unread, first, whole, failed, ended] = await statesOf(source);
  expect(unread).toMatchObject({ state: "waiting", scrapes: 0, gaps: 3 });
  expect(first).toMatchObject({ state: "up", scrapes: 1, devices: 1, samples: 2, dialect: "nvidia-smi" });
  expect(whole).toMatchObject({ state: "up", scrapes: 1, devices: 3, samples: 6 });
  expect(failed).toMatchObject({
    ...{ state: "down", message: "nvidia-smi: not found", scrapes: 1, gaps: 4, consecutive_failures: 1 },
    gap_reasons: [
      { reason: "no_streamer", count: 3 },
      { reason: "command_failed", count: 1 },
    ],
  });
  expect(ended).toMatchObject({ state: "waiting", message: "not read by this streamer" });
  expect(missed).toEqual([
    ["no_streamer", 3],
    ["command_failed", 1],
  ]);
});
