import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { until } from "../../dev/until.ts";
import { allTime } from "../../src/domain/time-range.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { Collector } from "../../src/pipeline/collect/collector.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { silentListener } from "../../src/pipeline/observe/pipeline-listener.ts";
import { MemoryQueue } from "../../src/pipeline/queue/memory/memory-queue.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { keyedByRange, messagesOf } from "../../src/pipeline/stream/batch-messages.ts";
import { batchesOf, CsvFolder, exporterHeader, exporterRow, openCsvSource } from "../support/csv-reading.ts";
import { Follower } from "../support/hot-records.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { unshownLog } from "../../dev/unshown-log.ts";
import { propertyRuns } from "../support/property-runs.ts";

// Rows of a CSV go through the reader, the queue and collectors. Store, history and hot tier must not depend on how.

type Cells = Readonly<Record<string, string>>;

const timeoutMs = 180_000;
const files = new CsvFolder();
let opened: OpenStore;
beforeAll(async () => void (opened = await openMemoryStore()));
afterAll(async () => {
  await opened.close();
  files.remove();
});

const texts = fc.constantFrom("", "a", "b");
const instances = ["", ',GPU_I_ID="3",GPU_I_PROFILE="1g.10gb"', ',GPU_I_ID="3",GPU_I_PROFILE="2g.20gb",GPU_I_EXTRA=""'];
/** Metrics of the board, of instances, outside the catalogue and with each kind of series, and a text about the GPU. */
const metrics = [
  ...["DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "my_metric", "__proto__"],
  ...["DCGM_FI_DEV_SERIAL", "DCGM_EXP_XID_ERRORS_COUNT", "DCGM_FI_DEV_XID_ERRORS"],
];
const series = [
  ...[
    ["DCGM_EXP_XID_ERRORS_COUNT", 'xid="31",window_size_in_ms="300000"'],
    ["DCGM_EXP_XID_ERRORS_COUNT", 'xid="45"'],
  ],
  ...[
    ["DCGM_EXP_GPU_HEALTH_STATUS", 'health_watch="MEM",health_error_code="7"'],
    ["xid_errors", 'vgpu="x",xid="45"'],
  ],
  ...[
    ["DCGM_EXP_GPU_HEALTH_STATUS", 'health_watch="ALL"'],
    ["DCGM_FI_DEV_GPU_UTIL", 'vgpu="x"'],
  ],
  ...[
    ["DCGM_FI_DEV_GPU_UTIL", 'vgpu="y"'],
    ["DCGM_FI_DEV_NVLINK_TX_THROUGHPUT", 'nvlink="1"'],
  ],
] as const;

const samples: readonly (readonly [metric: string, label: string])[] = [
  ...metrics.map((metric) => [metric, ""] as const),
  ...series,
];

/** A row of the exporter: of some GPU, instance, series, pod and host. GPUs move, and some are on two hosts at one instant. */
const arbitraryRow = fc
  .record({
    ...{ gpu: fc.constantFrom(0, 1), second: fc.nat({ max: 6 }), instance: fc.constantFrom(...instances) },
    sample: fc.constantFrom(...samples),
    value: fc.constantFrom("1", "2", "3", "20", "0", "N/A", "2147483632"),
    ...{ pod: texts, namespace: texts, exported: fc.constantFrom(undefined, "", "a", "c") },
    ...{ driver: fc.constantFrom("", "", "535", "550"), job: fc.constantFrom(undefined, "", "x", "y") },
    ...{ model: fc.constantFrom("", "NVIDIA H100", "NVIDIA H200"), index: fc.constantFrom("0", "0", "5") },
    isClone: fc.nat({ max: 9 }).map((number) => number === 0),
  })
  .map(({ gpu, second, instance, sample: [metric, label], pod, namespace, exported, driver, job, ...row }): Cells => {
    const labels = [
      ...[`DCGM_FI_DRIVER_VERSION="${driver}"`, label],
      ...(exported === undefined ? [] : [`exported_pod="${exported}"`]),
      ...(job === undefined ? [] : [`job="${job}"`]),
    ];
    const timestamp = new Date(Date.UTC(2025, 6, 18) + second * 1000).toISOString();
    // in the hot tier, a record without values adds nothing to the index and the model of the newest record with values
    // (docs/hot-tier.md); a row of an instance is such a record of the board
    const isText = metric === "DCGM_FI_DEV_SERIAL";
    const index = isText ? "0" : row.index;
    const model = isText || instance !== "" ? "" : row.model;
    const isAway = second === 3 || second === 4 || (gpu === 0 && second > 4);
    return {
      ...{ timestamp, uuid: `GPU-${gpu}`, host: isAway !== row.isClone ? "host-b" : "host-a", gpu: index, metric },
      ...{ pod, namespace, value: isText ? `SN-${row.value}` : row.value },
      model,
      labels: `${labels.filter((text) => text !== "").join(",")}${instance}`,
    };
  });

interface Way {
  readonly batchRows: number;
  readonly collectors: number;
}

let runs = 0;

/** Imports the rows as a file of their own, with GPUs of their own.
 *  @returns what the store, its history and the hot tier have of these GPUs, as a text */
async function contentAfter(rows: readonly Cells[], { batchRows, collectors }: Way): Promise<string> {
  runs += 1;
  const clusterId = `run-${runs}-`;
  const lines = rows.map((cells) => {
    const line = exporterRow({ ...cells, uuid: clusterId + (cells["uuid"] ?? "") });
    return line.replace('"NVIDIA H100"', `"${cells["model"] ?? ""}"`);
  });
  const path = files.write(`${[exporterHeader, ...lines].join("\n")}\n`, `${clusterId}.csv`);
  const batches = await batchesOf(await openCsvSource(path, { batchRows, clusterId }));
  const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
  const follower = new Follower(hotTier);
  await collect(batches, hotTier, collectors);
  const content = [await storedContent(clusterId), follower.members.all().map(({ gpu, record }) => [gpu, record])];
  await follower.stop();
  return textOf(content).replaceAll(clusterId, "");
}

async function collect(
  batches: Awaited<ReturnType<typeof batchesOf>>,
  hotTier: MemoryHotTier,
  collectors: number,
): Promise<void> {
  const log = unshownLog();
  const queue = new MemoryQueue({
    topic: "t",
    capacityMessages: 1000,
    leaseSeconds: 30,
    maxAttempts: 1,
    clock: systemClock,
  });
  const running = Array.from({ length: collectors }, (_, index) => {
    const parts = { queue, store: opened.store, hotTier, clock: systemClock, log, listener: silentListener };
    const options = { workers: 2, leaseSeconds: 30, drainOnStop: false, admit: () => Promise.resolve() };
    return new Collector({ ...parts, ...options, consumerId: `collector-${index}` });
  });
  const messages = batches.flatMap((each) => messagesOf(keyedByRange(each), Infinity).map(({ message }) => message));
  await queue.publish(messages, { signal: new AbortController().signal });
  await Promise.all(running.map((collector) => collector.start()));
  const isDone = async (): Promise<boolean> => {
    const { readyMessages, inFlightMessages } = await queue.stats();
    return readyMessages + inFlightMessages === 0;
  };
  await until(isDone, { timeoutMs: 20_000, everyMs: 1 });
  expect((await queue.stats()).deadMessages).toBe(0);
  await Promise.all(running.map((collector) => collector.stop(AbortSignal.timeout(5000))));
  await queue.close();
}

async function storedContent(clusterId: string): Promise<unknown> {
  const { fleet, history } = opened.queries;
  const gpus = await fleet.gpus({ clusterId });
  const { elements } = await history.records({ gpus: { clusterId }, range: allTime, limit: 10_000 });
  const changes = gpus.map(({ uuid }) => fleet.changes({ uuid, range: allTime }));
  return [gpus, await fleet.latest({ clusterId }), elements, await Promise.all(changes)];
}

/** A text that does not depend on the order of fields, nor on the instant of the import. Unlike `toEqual`, it shows fields named
 *  `__proto__`. */
function textOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(textOf).join(",\n")}]`;
  if (value instanceof Map) return textOf([...value].sort(([a], [b]) => (a < b ? -1 : 1)));
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).filter(([name]) => name !== "contestedVersion");
  const entries = fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, each]) => `${name}: ${textOf(each)}`).join(", ")}}`;
}

const timeOf = (row: Cells): string => row["timestamp"] ?? "";

test(
  "the rows of a file in any order, batches of any size and any number of collectors give what a row a batch in order of time gives",
  async () => {
    const rows = fc.array(arbitraryRow, { minLength: 2, maxLength: 40 });
    const ways = rows.chain((all) =>
      fc.tuple(
        fc.constant(all),
        fc.shuffledSubarray(all, { minLength: all.length }),
        fc.record({ batchRows: fc.integer({ min: 1, max: all.length }), collectors: fc.integer({ min: 1, max: 5 }) }),
      ),
    );
    let longest = 0;
    const property = fc.asyncProperty(ways, async ([all, shuffled, way]) => {
      const inOrder = all.toSorted((a, b) => (timeOf(a) < timeOf(b) ? -1 : 1));
      const expected = await contentAfter(inOrder, { batchRows: 1, collectors: 1 });
      longest = Math.max(longest, expected.length);
      expect(await contentAfter(shuffled, way)).toBe(expected);
    });
    // smaller rows that fail would take longer to find than the test may take
    await fc.assert(property, { numRuns: propertyRuns(16), endOnFailure: true });
    expect(longest).toBeGreaterThan(2000);
  },
  timeoutMs,
);
