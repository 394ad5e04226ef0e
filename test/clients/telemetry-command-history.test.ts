import { afterAll, beforeAll, expect, test } from "bun:test";
import { makeBatch } from "../../dev/make-batch.ts";
import { type LiveGateway, openLiveGateway } from "../routes/live/live-gateway.ts";
import { until } from "../../dev/until.ts";
import { runTelemetry } from "./run-telemetry.ts";

// The commands history, changes and rejections.

const atMs = (second: number): number => Date.UTC(2025, 6, 18, 20, 42, second);
const trainer = { namespace: "research", pod: "llm-pretraining-0", container: "trainer" };
const everyMetric = {
  ...{ gpu_utilization: 85.5, memory_used_mb: 62_560, temperature: 72, power_draw: 320.5 },
  ...{ sm_clock_mhz: 1980, memory_clock_mhz: 2619 },
};
const message = 'The value "345" of temperature is outside its range: -40 to 150 celsius.';

let gateway: LiveGateway;
beforeAll(async () => {
  gateway = await openLiveGateway();
  const hostname = "mtv5-dgx1-hgpu-032.example.com";
  const records = [
    { uuid: "GPU-old", timeMs: atMs(1), metrics: everyMetric, hostname },
    { uuid: "GPU-old", timeMs: atMs(2), metrics: everyMetric, hostname, workload: trainer },
    {
      uuid: "GPU-old",
      timeMs: atMs(3),
      metrics: everyMetric,
      hostname,
      driverVersion: "540",
      properties: { job: "b" },
    },
    { uuid: "GPU-else", timeMs: atMs(3), metrics: { temperature: 30, constructor: 7 } },
  ];
  const rest = { reason: "value_out_of_range", field: "value", value: "345", message, raw: "a\u001b,row" } as const;
  await gateway.collect(
    makeBatch(records, [
      { line: 17, byte: 4211, ...rest },
      { line: 0, byte: 3, ...rest, message: `${"x".repeat(200)}\u001b[2J` },
    ]),
  );
});
afterAll(() => gateway.close());

const run = (...args: string[]) => runTelemetry(gateway.port, args);
const jsonOf = async (...args: string[]): Promise<unknown> => JSON.parse((await run(...args, "--json")).text);
const widthOf = (text: string): number => Math.max(...text.split("\n").map(({ length }) => length));

test("history shows the records of a GPU in a range of time, in lines of at most 80 characters", async () => {
  const { status, text, errors } = await run(...["history", "--gpu", "GPU-old", "--start", "2025-07-18T20:42:02Z"]);
  expect([status, errors]).toEqual([0, ""]);
  expect(text).toMatch(/│ 2025-07-18T20:42:02Z │ 85\.5 +│ 62560 +│ 72 +│ research/);
  expect(text).toContain("2 records\n");
  expect(text).toMatch(/\d more metrics: --metrics chooses/);
  expect(widthOf(text)).toBeLessThanOrEqual(80);
  const both = ["--start", "2025-07-18T20:42:01Z", "--end", "2025-07-18T20:42:01Z", "--metrics", "temperature"];
  expect(await jsonOf("history", ...both)).toEqual([
    expect.objectContaining({ timestamp: "2025-07-18T20:42:01Z", uuid: "GPU-old", temperature: 72 }),
  ]);
});

test("aggregates prints averages of each group, and of an old import says until when there are records", async () => {
  const range = ["--start", "2025-07-18T20:42:00Z", "--end", "2025-07-18T20:43:00Z"];
  const averages = await jsonOf("aggregates", ...range, "--metrics", "temperature");
  expect(averages).toContainEqual(
    expect.objectContaining({
      group: expect.objectContaining({ hostname: "mtv5-dgx1-hgpu-032.example.com" }) as object,
      metrics: { temperature: expect.objectContaining({ avg: 72, count: 3 }) as object },
    }),
  );
  expect((await run("aggregates", "--by", "gpu", ...range)).text).toMatch(/2025-07-18T20:42:00Z .*GPU-old .*72/);
  const first = await run("aggregates", "--by", "gpu", ...range, "--limit", "1", "--json");
  expect([(JSON.parse(first.text) as unknown[]).length, first.errors]).toEqual([
    1,
    expect.stringMatching(/^1 of \d+ rows\n$/),
  ]);
  const empty = await run("aggregates");
  expect([empty.status, empty.errors]).toEqual([
    0,
    "there are no records of the last hour; the newest is of 2025-07-18T20:42:03Z: --end 2025-07-18T20:42:03Z\n",
  ]);
});

test("on a narrow terminal, aggregates shows every metric that was asked for, and says how many others it leaves out", async () => {
  const range = ["aggregates", "--start", "2025-07-18T20:42:00Z", "--end", "2025-07-18T20:43:00Z"];
  const asked = [...range, "--metrics", "temperature,power_draw,sm_clock_mhz"];
  await printsInTerminal(asked, /temperature +72\r?\n[^]*power draw +320\.5\r?\n[^]*sm clock mhz +1980\r?\n/);
  await printsInTerminal(range, /\d more metrics: --metrics chooses among them/);
});

/** Waits until a command has printed this on a terminal of 60 columns. */
async function printsInTerminal(args: readonly string[], pattern: RegExp): Promise<void> {
  let text = "";
  Bun.spawn([process.execPath, "scripts/telemetry.ts", ...args], {
    cwd: `${import.meta.dir}/../..`,
    env: { ...process.env, TELEMETRY_URL: `http://127.0.0.1:${gateway.port}`, NO_COLOR: "1" },
    terminal: { cols: 60, rows: 24, data: (_, data) => void (text += Buffer.from(data).toString()) },
  });
  await until(() => pattern.test(text));
}

test("history of several GPUs names their hosts, in lines of at most 80 characters", async () => {
  const { text } = await run("history");
  expect(text).toContain("4 records\n");
  expect(text).toContain("│ host-a");
  expect(text).toContain("│ mtv5-dgx1");
  expect(widthOf(text)).toBeLessThanOrEqual(80);
  expect((await run("history", "--metrics", "constructor{}")).text).toMatch(/│ constructor │/);
});

test("history averages over minutes, and says that --limit has left records out only if none was typed", async () => {
  expect(await jsonOf("history", "--gpu", "GPU-old", "--resolution", "1m")).toMatchObject([{ temperature: 72 }]);
  expect((await run("history", "--limit", "1")).errors).toBe("");
  await gateway.collect(
    makeBatch(
      Array.from({ length: 101 }, (_, index) => ({
        ...{ uuid: "GPU-many", timeMs: atMs(1) + index, metrics: { temperature: index } },
      })),
    ),
  );
  expect((await run("history", "--gpu", "GPU-many")).errors).toBe(
    "the newest 100 of 101 records; --end 2025-07-18T20:42:01.001Z shows older ones, --limit 101 all\n",
  );
});

test("changes shows the first state of a GPU, and then only what has changed", async () => {
  const { status, text } = await run("changes", "--gpu", "GPU-old");
  expect(status).toBe(0);
  expect(text).toMatch(/│ 2025-07-18T20:42:01Z │ .*properties\.job=a "quoted"/);
  expect(text).toContain("│ 2025-07-18T20:42:02Z │ workload=research/llm-pretraining-0/trainer");
  expect(text).toMatch(/│ 2025-07-18T20:42:03Z │ properties\.job=b, driver_version=540 +│/);
  expect(text).toMatch(/│ 2025-07-18T20:42:03Z │ workload=none +│/);
  expect(text).toContain("5 rows");
  expect(widthOf(text)).toBeLessThanOrEqual(80);
  const later = await run("changes", "--gpu", "GPU-old", "--start", "2025-07-18T20:42:02.500Z");
  expect(later.text).toMatch(/│ 2025-07-18T20:42:01Z │ state at --start: properties\.job=a/);
  expect(later.text).toMatch(/│ 2025-07-18T20:42:02Z │ state at --start: +│/);
  expect(later.text).toMatch(/│ 2025-07-18T20:42:03Z │ properties\.job=b, driver_version=540 +│/);
  const atStart = ["--start", "2025-07-18T20:42:02Z", "--end", "2025-07-18T20:42:02Z"];
  expect(await jsonOf("changes", "--gpu", "GPU-old", ...atStart)).toMatchObject({
    uuid: "GPU-old",
    workloads: [{ pod: "llm-pretraining-0" }],
  });
});

test("rejections shows the place and reason of rejected inputs, in lines of at most 80 characters", async () => {
  const { status, text } = await run("rejections");
  expect(status).toBe(0);
  expect(text).toMatch(/│ \d+ +│ message 1 │ line 17 +│ value_out_of_range │ The value "345" of +│/);
  expect(text).toMatch(/│ element 3 │ value_out_of_range │ x+ +│/);
  expect(text).toContain("2 rejected inputs");
  expect(text).not.toContain("\u001b");
  expect(widthOf(text)).toBeLessThanOrEqual(80);
  expect(await jsonOf("rejections", "--source", "message 1", "--limit", "1")).toHaveLength(1);
  expect(await jsonOf("rejections", "--source", "csv:other")).toEqual([]);
});

test("an unknown GPU, or a time or resolution that is not usable, is refused in one sentence", async () => {
  for (const [args, sentence] of [
    [["history", "--gpu", "GPU-0"], 'There is no GPU with uuid "GPU-0"\n'],
    [["changes", "--gpu", "GPU-0"], "There is no GPU"],
    [["history", "--start", "yesterday"], 'start_time="yesterday" is not usable'],
    [["changes", "--gpu", "GPU-old", "--end", "yesterday"], 'end_time="yesterday" is not usable'],
    [["history", "--resolution", "2m"], "error: option '--resolution <span>' argument '2m' is invalid"],
  ] as const) {
    const { status, text, errors } = await run(...args);
    expect({ args, status, text, errors }).toEqual({
      ...{ args, status: 1, text: "" },
      errors: expect.stringContaining(sentence) as string,
    });
  }
});

test("aggregates --limit shows the first rows of more than an answer has by default", async () => {
  const records = Array.from({ length: 10_200 }, (_, index) => ({
    ...{ uuid: `GPU-wide-${index % 170}`, timeMs: atMs(0) - (1 + Math.floor(index / 170)) * 60_000 },
    ...{ metrics: { temperature: 1 }, hostname: "host-wide" },
  }));
  await gateway.collect(makeBatch(records));
  const range = ["--start", "2025-07-18T19:42:00Z", "--end", "2025-07-18T20:41:59Z"];
  const { text, errors } = await run("aggregates", "--by", "gpu", "--host", "host-wide", ...range, "--limit", "2");
  expect([errors, text]).toEqual([expect.stringMatching(/^2 of 10\d{3} rows\n$/), expect.stringContaining("2 rows")]);
}, 60_000);
