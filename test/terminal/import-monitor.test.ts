import { expect, test } from "bun:test";
import { PassThrough } from "node:stream";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { MemoryQueue } from "../../src/pipeline/queue/memory/memory-queue.ts";
import type { ReplayableSource } from "../../src/pipeline/source/source.ts";
import { BarLine } from "../../src/terminal/bar-line.ts";
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
  ownColumns: [],
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

/** A monitor of the source on a terminal, with what is drawn and printed. */
function openMonitor(isTerminal: boolean) {
  const clock = new ManualClock();
  const stream = Object.assign(new PassThrough(), { isTTY: isTerminal, columns: 80 });
  const terminal = new BarLine(stream as unknown as NodeJS.WriteStream);
  const seen = { drawn: "", reports: [] as string[] };
  stream.on("data", (text: Buffer) => (seen.drawn += text.toString()));
  const monitor = new ImportMonitor({
    queue: new MemoryQueue({ topic: "t", clock, capacityMessages: 10, leaseSeconds: 30, maxAttempts: 3 }),
    store: () => ({ progressOf: () => Promise.resolve({ stored: [], totals }) }),
    clock,
    log: unshownLog(),
    terminal,
    print: (text) => void seen.reports.push(text),
  });
  return { monitor, clock, seen, terminal };
}

test("messages that were published before the source was opened are counted once, although they are stored later", async () => {
  const { monitor, clock, seen } = openMonitor(false);
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
  expect(seen.reports).toHaveLength(1);
  await clock.advance(0);
  expect(seen.drawn).toContain("50% |");
  // 10 bytes took 10 s, and 40 bytes are left
  expect(seen.drawn.split("\n").findLast((line) => line.includes("%"))).toMatch(/ 60% .* 40 s left/);
});

test("Ctrl-C in an import gives the terminal its cursor back, never takes its line wrap, and no bar is drawn after it", () => {
  const { monitor, seen } = openMonitor(true);
  const { sourceOpened } = monitor.listener();
  sourceOpened(source, [range(0, 29)]);
  expect(seen.drawn).toContain("\u001b[?25l");
  monitor.stop();
  expect(seen.drawn.lastIndexOf("\u001b[?25h")).toBeGreaterThan(seen.drawn.lastIndexOf("\u001b[?25l"));
  expect(seen.drawn).not.toContain("\u001b[?7l");
  expect(seen.reports).toEqual([
    "The import of a file of 100 bytes is at 29%: the same command, run again, continues it",
  ]);
  const { length } = seen.drawn;
  sourceOpened(source, []);
  monitor.stop();
  expect(seen.drawn.length).toBe(length);
  expect(seen.reports).toHaveLength(1);
});

test("what is written while the bar is drawn stands on a line of its own, and the bar is drawn again below", () => {
  const { monitor, seen, terminal } = openMonitor(true);
  const write = (text: string): void => terminal.around(() => terminal.stream.write(text));
  write("before\n");
  expect(seen.drawn).toBe("before\n");
  monitor.listener().sourceOpened(source, [range(0, 29)]);
  const drawn = seen.drawn.length;
  write("a warning\n");
  const [cleared, again] = seen.drawn.slice(drawn).split("a warning\n");
  expect([cleared, again]).toEqual(["\r\u001b[K", expect.stringMatching(/ {2}=+\.+ 2[89]% \| /) as string]);
  monitor.stop();
  const { length } = seen.drawn;
  write("after\n");
  expect(seen.drawn.slice(length)).toBe("after\n");
});
