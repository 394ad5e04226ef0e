import { afterAll, expect, test } from "bun:test";
import { appendFileSync, closeSync, openSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../dev/until.ts";
import { followLogs } from "../../scripts/scale/follow-logs.ts";
import { printableLine } from "../../scripts/scale/printable-line.ts";
import { lastErrorLine, lastWords, rotateLog } from "../../scripts/supervisor/log-file.ts";

const dir = await mkdtemp(join(tmpdir(), "telemetry-logs-"));
afterAll(() => rm(dir, { recursive: true, force: true }));

const entry = (level: string, msg: string): string =>
  `${JSON.stringify({ level, time: 1_752_871_354_000, pid: 1, hostname: "a", msg })}\n`;

test("a log that is being written is rotated, and what is written later is at its beginning", () => {
  const path = join(dir, "rotated.log");
  const file = openSync(path, "a");
  writeFileSync(file, "x".repeat(100));
  expect(rotateLog(path, 101)).toBe(false);
  expect(rotateLog(path, 100)).toBe(true);
  writeFileSync(file, "later");
  closeSync(file);
  expect([readFileSync(path, "utf8"), readFileSync(`${path}.1`, "utf8").length]).toEqual(["later", 100]);
});

test("the reason of an exit is the last error in the log of that process, else its last line about an error", () => {
  const path = join(dir, "reasons.log");
  writeFileSync(path, entry("error", "an earlier process"));
  const offset = readFileSync(path).length;
  expect(lastWords(path, offset)).toBeUndefined();
  appendFileSync(path, "data       PostgreSQL at 127.0.0.1:5432/telemetry\n");
  expect([lastErrorLine(path, offset), lastWords(path, offset)]).toEqual([
    undefined,
    "data       PostgreSQL at 127.0.0.1:5432/telemetry",
  ]);
  appendFileSync(path, "Cannot listen on 127.0.0.1:8080\n\nBun v1.4.5 (Linux x64)\n");
  expect(lastErrorLine(path, offset)).toBe("Cannot listen on 127.0.0.1:8080");
  appendFileSync(path, entry("error", "the store refused") + entry("info", "stopped"));
  expect(lastErrorLine(path, offset)).toBe("the store refused");
  truncateSync(path, 0);
  appendFileSync(path, "after the rotation\n");
  expect([lastErrorLine(path, offset), lastWords(path, offset)]).toEqual([undefined, "after the rotation"]);
  expect(lastWords(join(dir, "missing.log"), 0)).toBeUndefined();
});

test("an entry is shown as time, level and message, without characters that control a terminal", () => {
  expect(printableLine(entry("info", "stored\u001b[31m").trim())).toMatch(
    /^\[\d\d:\d\d:\d\d\] INFO: stored\\u001b\[31m$/,
  );
  expect(printableLine("a\u001b[2Jb")).toBe("a\\u001b[2Jb");
  expect(printableLine("plain {text}")).toBe("plain {text}");
  expect(printableLine("{not json")).toBe("{not json");
});

test("logs are followed: their end first, then what is added, new logs, and logs that were emptied", async () => {
  const folder = await mkdtemp(join(dir, "followed-"));
  const [first, second] = [join(folder, "streamer-1.log"), join(folder, "gateway-1.log")];
  writeFileSync(first, Array.from({ length: 30 }, (_, index) => `old ${index}\n`).join(""));
  const lines: string[] = [];
  const ended = new AbortController();
  const following = followLogs({
    ...{ folder, print: (line) => lines.push(line), signal: ended.signal },
    isOver: () => Promise.resolve(false),
  });
  await until(() => lines.length === 10);
  expect(lines[0]).toBe("streamer-1   | old 20");
  writeFileSync(second, "a new log\nwith a line that is not");
  await until(() => lines.includes("gateway-1    | a new log"));
  expect(lines.length).toBe(11);
  appendFileSync(second, " whole\n");
  await until(() => lines.includes("gateway-1    | with a line that is not whole"));
  truncateSync(first, 0);
  appendFileSync(first, "begun again\n");
  await until(() => lines.includes("streamer-1   | begun again"));
  ended.abort();
  await following;
});

test("when nothing runs any more, the end of each log is shown, also what was written last, and the following ends", async () => {
  const folder = await mkdtemp(join(dir, "ended-"));
  const log = join(folder, "streamer-1.log");
  writeFileSync(log, "first\n");
  const lines: string[] = [];
  const isOver = (): Promise<boolean> => {
    if (lines.length > 0) appendFileSync(log, "stopped\n");
    return Promise.resolve(lines.length > 0);
  };
  const { signal } = new AbortController();
  await followLogs({ folder, print: (line) => lines.push(line), isOver, signal });
  expect(lines).toEqual(["streamer-1   | first", "streamer-1   | stopped"]);
});
