import { expect, test } from "bun:test";
import { statusTable, type StatusRow, problemsOf } from "../../scripts/scale/status-table.ts";
import { targetsText } from "../../scripts/scale/read-targets.ts";
import type { ShownInstance } from "../../scripts/supervisor/protocol.ts";

const instance = (change: Partial<ShownInstance>): ShownInstance => ({
  ...{ name: "collector-1", role: "collector", phase: "RUNNING", pid: 4711, port: 9200 },
  ...{ restarts: 0, is_crash_loop: false, outdated: false, ...change },
});
const row = (change: Partial<ShownInstance>, rest: Partial<StatusRow> = {}): StatusRow => ({
  ...{ instance: instance(change), health: { status: "ok", reasons: [] }, load: {}, ...rest },
});

test("the table fits 80 columns with the longest names and figures, and its columns stay apart", () => {
  const load = { cpu_percent: 1599.7, rss_bytes: 99_999 * 1024 * 1024, samples_per_second: 99_999_999.5 };
  const widest = row(
    { name: "coordinator-1", role: "coordinator", pid: 4_194_304, port: 65_535, restarts: 99_999_999 },
    { health: { status: "no answer", reasons: [] }, load },
  );
  const lines = statusTable([row({}), widest]).split("\n");
  expect(lines.every((line) => line.length <= 80)).toBe(true);
  expect(lines[0]?.split(/\s+/).length).toBe(9);
  expect(lines[2]).toMatch(/^coordinator-1 coordinator/);
});

test("the table fits a terminal of 60 columns: the name says the role, and restarts are told below", () => {
  const load = { cpu_percent: 1599.7, rss_bytes: 99_999 * 1024 * 1024, samples_per_second: 99_999_999.5 };
  const changes = { name: "coordinator-1", pid: 4_194_304, port: 65_535, restarts: 7 } as const;
  const widest = row(changes, { health: { status: "no answer", reasons: [] }, load });
  const [head = "", line = ""] = statusTable([widest], 60).split("\n");
  expect(head.split(/\s+/)).toEqual(["INSTANCE", "PID", "PORT", "HEALTH", "CPU%", "RSS", "SAMPLES/S"]);
  expect(Math.max(head.length, line.length)).toBeLessThanOrEqual(60);
  expect(problemsOf(row({ ...changes, last_error: "it was killed" }))).toEqual([
    "coordinator-1: 7 restarts; the last time it was killed",
  ]);
});

test("unknown figures are a dash, never 0", () => {
  const [, line] = statusTable([row({})]).split("\n");
  expect(line?.split(/\s+/)).toEqual(["collector-1", "collector", "4711", "9200", "ok", "-", "-", "-", "0"]);
});

test("a crash loop, a kill, a part that is not ok and earlier settings are said", () => {
  const lastError = { last_error: "it ended with exit code 1: no such table" };
  expect(problemsOf(row({ is_crash_loop: true, restarts: 6, ...lastError }))).toEqual([
    "collector-1: crash loop, 6 restarts: it ended with exit code 1: no such table",
  ]);
  expect(problemsOf(row({ restarts: 1, last_error: "it was ended by SIGKILL" }))).toEqual([
    "collector-1: 1 restart; the last time it was ended by SIGKILL",
  ]);
  expect(problemsOf(row({}, { health: { status: "degraded", reasons: ["queue: full"] } }))).toEqual([
    "collector-1: queue: full",
  ]);
  expect(problemsOf(row({ outdated: true }))).toEqual([
    "collector-1: runs with earlier settings; bun run scale-restart applies the newest",
  ]);
  expect(problemsOf(row({}, { health: undefined }))).toEqual([
    "collector-1: does not answer: it starts, or hangs; after kill -9 4711 it is started again",
  ]);
  expect(problemsOf(row({}))).toEqual([]);
});

test("exporters that do not answer are told below the table, since their processes are well", () => {
  const exporters = (...states: ("up" | "down" | "waiting")[]) =>
    states.map((state) => ({ kind: "exporter" as const, state }));
  expect(targetsText(exporters("down", "down"))).toBe(
    "no exporter answers: 2 of 2 down; bun run telemetry targets says why",
  );
  expect(targetsText(exporters("down", "up", "waiting"))).toStartWith("some exporters do not answer: 1 of 3 down");
  expect(targetsText(exporters("up", "waiting"))).toBeUndefined();
  expect(targetsText([{ kind: "nvidia_smi", state: "down" }])).toBeUndefined();
});
