import { expect, test } from "bun:test";
import { PassThrough } from "node:stream";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { MemoryQueue } from "../../src/pipeline/queue/memory/memory-queue.ts";
import type { ReplayableSource } from "../../src/pipeline/source/source.ts";
import { ImportMonitor } from "../../src/terminal/import-monitor.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

const position = (offset: number) => ({ offset, line: 0 });
const range = (from: number, to: number) => ({ from: position(from), to: position(to) });
const source: ReplayableSource = {
  sourceId: "file",
  description: "a file of 100 bytes",
  whole: range(0, 100),
  unreadColumns: [],
  read: () => unread(),
  planRanges: () => unread(),
};

function unread(): never {
  throw new Error("the monitor does not read the source");
}

const totals = {
  ...{ messages: 0, recordsInserted: 0, recordsMerged: 0, rejected: {} },
  ...makeBatch([]).tally,
};

test("messages that were published before the source was opened are counted once, although they are stored later", async () => {
  const clock = new ManualClock();
  const terminal = new PassThrough();
  let shown = "";
  terminal.on("data", (text: Buffer) => (shown += text.toString()));
  const reports: string[] = [];
  const monitor = new ImportMonitor({
    queue: new MemoryQueue({ topic: "t", clock, capacityMessages: 10, leaseSeconds: 30, maxAttempts: 3 }),
    store: () => ({ progressOf: () => Promise.resolve({ stored: [], totals }) }),
    clock,
    log: unshownLog(),
    terminal: terminal as unknown as NodeJS.WriteStream,
    print: (text) => void reports.push(text),
  });
  const { sourceOpened, stored, sourceFinished } = monitor.listener();
  const store = (id: string, from: number, to: number): void => {
    const batch = makeBatch([{ uuid: "GPU-a", timeMs: 0, metrics: { temperature: 1 } }]);
    const counts = { recordsInserted: 1, recordsMerged: 0, conflicts: 0, rejected: {} };
    const result = { duplicate: false, ...counts, contested: [] };
    stored(messageOf(id, batch, { source: source.sourceId, from, to }), result);
  };
  sourceOpened(source, [range(0, 50)]);
  await clock.advance(10_000);
  store("queued before", 30, 50);
  store("new", 50, 60);
  sourceFinished(source);
  await clock.advance(1000);
  expect(reports).toHaveLength(1);
  await clock.advance(0);
  expect(shown).toContain("50% |");
  // 10 bytes took 10 s, and 40 bytes are left
  expect(shown.split("\n").findLast((line) => line.includes("%"))).toMatch(/ 60% .* 40 s left/);
});
