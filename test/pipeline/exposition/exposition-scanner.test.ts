import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { RejectReason } from "../../../src/domain/batch.ts";
import { ExpositionScanner } from "../../../src/pipeline/source/exposition/exposition-scanner.ts";
import { type ExpositionFormat, usualLimits } from "../../../src/pipeline/source/exposition/scanned-exposition.ts";
import { scanAll, shownSample } from "../../support/exposition-scan.ts";
import { sharedData } from "../../support/shared-data.ts";

const samplesOf = (input: string | Uint8Array, format?: ExpositionFormat): string[] =>
  scanAll(input, undefined, format).received.map(shownSample);

describe("lines that are read", () => {
  const cases: readonly (readonly [name: string, input: string, samples: readonly string[]])[] = [
    ["a name without labels", "up 1\n", ["up{} 1"]],
    ["a name with a colon", "job:up:sum 1\n", ["job:up:sum{} 1"]],
    ["empty braces", "up{} 1\n", ["up{} 1"]],
    ["labels", 'up{a="1",b="2"} 1\n', ['up{a="1",b="2"} 1']],
    ["an empty label", 'up{pod=""} 1\n', ['up{pod=""} 1']],
    ["a comma after the last label", 'up{a="1",} 1\n', ['up{a="1"} 1']],
    ["no blank after the labels", 'up{a="1"}1\n', ['up{a="1"} 1']],
    ["blanks and tabs everywhere", ' \tup { a = "1" ,\tb="2" } \t 1 \n', ['up{a="1",b="2"} 1']],
    ["escapes in a label", 'up{a="\\\\ \\" \\n"} 1\n', ['up{a="\\\\ \\" \\n"} 1']],
    ["a backslash before another character", 'up{a="C:\\driver"} 1\n', ['up{a="C:\\\\driver"} 1']],
    ["a backslash before the closing quote's escape", 'up{a="\\\\"} 1\n', ['up{a="\\\\"} 1']],
    ["braces, commas and number signs in a label", 'up{a="}{,#"} 1\n', ['up{a="}{,#"} 1']],
    ["a carriage return in a label", 'up{a="\r"} 1\n', ['up{a="\\r"} 1']],
    ["text in UTF-8", 'up{a="Zürich 🖥"} 1\n', ['up{a="Zürich 🖥"} 1']],
    ["a name in quotes", '{"gpu.temp",a="1"} 1\n', ['gpu.temp{a="1"} 1']],
    ["only a name in quotes", '{"gpu.temp"} 1\n', ["gpu.temp{} 1"]],
    ["a name in quotes after a label", '{a="1","gpu.temp"} 1\n', ['gpu.temp{a="1"} 1']],
    ["the name of a label in quotes", 'up{"host.name"="x"} 1\n', ['up{host.name="x"} 1']],
    ["a timestamp in milliseconds", "up 1 1752871354500\n", ["up{} 1 @1752871354500"]],
    ["an exemplar", 'up 1 # {trace_id="1"} 0.5 1752871354.5\n', ["up{} 1"]],
    ["an exemplar without labels", "up 1 # {} 0.5\n", ["up{} 1"]],
    [
      "infinities and NaN",
      "a +Inf\nb -inf\nc NaN\nd infinity\n",
      ["a{} Infinity", "b{} -Infinity", "c{} NaN", "d{} Infinity"],
    ],
    ["exponents", "a 1e3\nb -1.5E-2\nc +2\nd .5\ne 5.\n", ["a{} 1000", "b{} -0.015", "c{} 2", "d{} 0.5", "e{} 5"]],
    ["-0", "up -0\n", ["up{} -0"]],
    ["more digits than a double has", "up 12345678901234567890.5\n", ["up{} 12345678901234567000"]],
    ["CR LF", "up 1\r\n\r\ndown 2\r\n", ["up{} 1", "down{} 2"]],
    ["no line end at the end", "up 1", ["up{} 1"]],
    ["a CR at the end", "up 1\r", ["up{} 1"]],
    ["a BOM", "\u{FEFF}up 1\n", ["up{} 1"]],
    ["blank lines", "\n  \n\t\nup 1\n\n", ["up{} 1"]],
    ["other comments", "# anything { \0\n#\n#HELPER\nup 1\n", ["up{} 1"]],
    ["interleaved families", "a 1\nb 2\na 3\n", ["a{} 1", "b{} 2", "a{} 3"]],
    [
      "a name that begins like the one before",
      'up 1\nup{a="1"} 2\nupper 3\nu 4\n',
      ["up{} 1", 'up{a="1"} 2', "upper{} 3", "u{} 4"],
    ],
    ["a line after the end of OpenMetrics", "up 1\n# EOF\ndown 2\n", ["up{} 1", "down{} 2"]],
    ["nothing", "", []],
  ];
  test.each(cases)("%s", (_, input, samples) => {
    const scanner = new ExpositionScanner();
    for (const scan of ["first", "second", "third"]) {
      const { received, rejected } = scanAll(input, scanner);
      expect({ scan, samples: received.map(shownSample), rejected }).toEqual({
        scan,
        samples: [...samples],
        rejected: [],
      });
    }
  });
});

describe("lines that are rejected", () => {
  const long = "x".repeat(300);
  const cases: readonly (readonly [input: string, reason: RejectReason, field: string, message: RegExp])[] = [
    ["up", "invalid_value", "up", /The value "" of "up" is not a number such as 73\.136/],
    ["up{}", "invalid_value", "up", /is not a number/],
    ["up on", "invalid_value", "up", /"on"/],
    ["up 1,5", "invalid_value", "up", /"1,5"/],
    ["up 0x1F", "invalid_value", "up", /"0x1F"/],
    ["up 1_000", "invalid_value", "up", /"1_000"/],
    ["up +NaN", "invalid_value", "up", /"\+NaN"/],
    ["up 1e999", "value_out_of_range", "up", /beyond the range of a double/],
    ["1up 1", "invalid_field", "metric", /"1up" of a metric is not valid/],
    ["gpu-temp 1", "invalid_field", "metric", /"gpu-temp"/],
    ["größe 1", "invalid_field", "metric", /"größe"/],
    ['"gpu.temp" 1', "invalid_field", "metric", /in quotes/],
    ['{""} 1', "invalid_field", "metric", /is not empty/],
    ['{a="1"} 1', "malformed_line", "", /the name of the metric is missing/],
    ['up{"down"} 1', "malformed_line", "", /two names of metrics/],
    ['{"up","down"} 1', "malformed_line", "", /two names of metrics/],
    ['up{a="1"', "malformed_quotes", "", /labels do not end in the line/],
    ['up{a="1} 2', "malformed_quotes", "", /a quoted value ends with a quote/],
    ["up{a=1} 2", "malformed_line", "", /the value of a is not in quotes/],
    ['up{a "1"} 2', "malformed_line", "", /= and a value in quotes must follow/],
    ['up{a="1" b="2"} 3', "malformed_line", "", /a comma or the closing brace/],
    ['up{a="1",,b="2"} 3', "malformed_line", "", /must follow/],
    ['up{1a="1"} 2', "invalid_field", "label", /"1a" of a label/],
    ['up{""="1"} 2', "invalid_field", "label", /is not empty/],
    ['up{a="1",a="2"} 3', "invalid_field", "a", /occurs twice/],
    ["up 1 soon", "invalid_timestamp", "timestamp", /"soon" is not a number of whole milliseconds/],
    ["up 1 1752871354.5", "invalid_timestamp", "timestamp", /whole milliseconds/],
    ["up 1 1752871354", "timestamp_out_of_range", "timestamp", /whole milliseconds/],
    ["up 1 1752871354500 3", "malformed_line", "", /only a timestamp and an exemplar/],
    ["up 1 # exemplar", "malformed_line", "", /trace_id/],
    ['up 1 # {a="1"}', "malformed_line", "", /exemplar/],
    ['up 1 # {a="1"} x', "malformed_line", "", /exemplar/],
    ['up 1 # {a="1"} 1 2 3', "malformed_line", "", /exemplar/],
    ["up 1\0", "nul_byte", "", /NUL byte/],
    ['up{a="\0"} 1', "nul_byte", "", /NUL byte/],
    [`${long} 1`, "invalid_field", "", /longer than 256 bytes/],
    [`up{${long}="1"} 1`, "invalid_field", "", /longer than 256 bytes/],
    [`up{a="${"x".repeat(4097)}"} 1`, "invalid_field", "a", /4096 bytes, the limit for the label "a"/],
    [`up 1${" ".repeat(70_000)}`, "record_too_large", "", /65536 bytes/],
    [`up{${Array.from({ length: 129 }, (_, at) => `a${at}="1"`).join()}} 1`, "record_too_large", "", /128 labels/],
    ["# TYPE up metre", "invalid_field", "up", /"metre" of "up" is not one of counter, gauge/],
    ["# TYPE up", "invalid_field", "up", /not one of/],
    ["# HELP 1up text", "invalid_field", "metric", /"1up"/],
    ["# HELP up \0", "nul_byte", "", /NUL byte/],
  ];
  test.each(cases)("%#: %p is rejected as %s", (bad, reason, field, message) => {
    const input = `first 1\r\n${bad}\nlast 2\n`;
    const scanner = new ExpositionScanner();
    for (const scan of ["first", "second"]) {
      const { received, rejected, lines } = scanAll(input, scanner);
      expect({ scan, samples: received.map(shownSample), lines }).toEqual({
        scan,
        samples: ["first{} 1", "last{} 2"],
        lines: 3,
      });
      expect(rejected).toMatchObject([{ line: 2, byte: 9, reason, field }]);
      expect(rejected[0]?.message).toMatch(message);
      expect(rejected[0]?.raw).toBe(bad.replaceAll("\0", "\u{FFFD}").slice(0, 2000));
    }
  });

  test("bytes that are not UTF-8 are rejected with the text as far as it can be shown", () => {
    const input = Buffer.concat([Buffer.from('up{a="'), Buffer.from([0xff]), Buffer.from('"} 1\nup 2\n')]);
    const { received, rejected } = scanAll(input);
    expect(received.map(shownSample)).toEqual(["up{} 2"]);
    expect(rejected).toMatchObject([{ line: 1, byte: 0, reason: "invalid_utf8", raw: 'up{a="\u{FFFD}"} 1' }]);
  });
});

test("OpenMetrics has timestamps in seconds; an exposition that ends with # EOF is OpenMetrics", () => {
  const input = "up 1 1752871354.5\nup 2 1752871354\nup 3 1.752871354e9 # {} 1\n";
  const samples = ["up{} 1 @1752871354500", "up{} 2 @1752871354000", "up{} 3 @1752871354000"];
  expect(samplesOf(`${input}# EOF\n`)).toEqual(samples);
  expect(samplesOf(`${input}# EOF\r\n\n`)).toEqual(samples);
  expect(samplesOf(input, "openmetrics")).toEqual(samples);
  expect(samplesOf(`${input}# EOF\n`, "text")).toEqual([]);
});

test("a scan says how the exposition ended", () => {
  expect(scanAll("up 1\n# EOF\n")).toMatchObject({ sawEnd: true, endsInLine: false, samples: 1, lines: 2 });
  expect(scanAll("up 1\nup 12")).toMatchObject({ sawEnd: false, endsInLine: true, samples: 2, lines: 2 });
  expect(scanAll("")).toMatchObject({ sawEnd: false, endsInLine: false, samples: 0, lines: 0 });
});

test("families have the type, help and unit of their comments, the last of each", () => {
  const input = [
    "# HELP up Text with \\\\ and \\n.",
    "# TYPE up gauge",
    "# UNIT up seconds",
    '# TYPE "gpu.temp" untyped',
    "#\tTYPE\tdown\tcounter ",
    "# HELP only",
    "up 1",
    "# TYPE up counter",
    "",
  ];
  const scanner = new ExpositionScanner();
  const first = scanAll(input.join("\n"), scanner);
  expect(first.rejected).toEqual([]);
  expect(Object.fromEntries(first.families)).toEqual({
    up: { type: "counter", help: "Text with \\ and \n.", unit: "seconds" },
    "gpu.temp": { type: "unknown", help: "", unit: "" },
    down: { type: "counter", help: "", unit: "" },
    only: { type: "unknown", help: "", unit: "" },
  });
  expect(scanAll(input.join("\n"), scanner).families).toBe(first.families);
  const shorter = scanAll("# TYPE up gauge\nup 1\n", scanner).families;
  expect([...shorter.keys()]).toEqual(["up"]);
});

test("the same text gives the same series, and the same labels in other series", () => {
  const scanner = new ExpositionScanner();
  const [first] = scanAll('a{x="1"} 1\nb{x="1"} 2\n', scanner).received;
  const again = scanAll('b{x="1"} 5\n# TYPE a gauge\na{x="1"} 6 1752871354500\n', scanner).received;
  expect(again.map(({ value }) => value)).toEqual([5, 6]);
  expect(again[1]?.series).toBe(first?.series as never);
  expect(again[0]?.series.labels).toBe(first?.series.labels as never);
});

test("series that stay keep their objects while others come and go for ever, and the memory is bounded", () => {
  const scanner = new ExpositionScanner({ ...usualLimits, maxSeries: 100, maxLineBytes: 200 });
  const stays = Array.from({ length: 20 }, (_, at) => `stays{gpu="${at}"} 1\n`).join("");
  const objects = new Set(scanAll(stays, scanner).received.map(({ series }) => series));
  const others: WeakRef<object>[] = [];
  for (let scan = 0; scan < 2000; scan += 1) {
    const { received } = scanAll(`${stays}goes${scan}{pod="${scan}"} 1\n# HELP help${scan} text\n`, scanner);
    for (const { series } of received.slice(0, 20)) expect(objects.has(series)).toBeTrue();
    others.push(new WeakRef(received[20]?.series as object));
  }
  Bun.gc(true);
  const kept = others.filter((other) => other.deref() !== undefined).length;
  // the scanner is used after the count: otherwise, it would be collected with all that it keeps
  expect(scanAll(stays, scanner).received.every(({ series }) => objects.has(series))).toBeTrue();
  expect(kept).toBeLessThanOrEqual(300);
});

test("a line with two names of metrics is rejected even if both are known", () => {
  const { received, rejected } = scanAll('up 1\n{"down"} 2\nup{"down"} 3\n');
  expect(received.map(shownSample)).toEqual(["up{} 1", "down{} 2"]);
  expect(rejected).toMatchObject([{ line: 3, reason: "malformed_line", value: "down" }]);
});

test("an exposition with more series than the cache holds is read whole", () => {
  const scanner = new ExpositionScanner({ ...usualLimits, maxSeries: 10, maxLineBytes: 100 });
  const lines = Array.from({ length: 35 }, (_, at) => `up{gpu="${at}"} ${at}\n`).join("");
  for (const scan of [1, 2, 3]) {
    const { received } = scanAll(lines, scanner);
    expect({ scan, values: received.map(({ value }) => value) }).toEqual({ scan, values: [...Array(35).keys()] });
  }
});

test("a sink that throws does not change the next scan", () => {
  const scanner = new ExpositionScanner();
  scanAll("# TYPE a gauge\na 1\n", scanner);
  const failing = { sample: () => { throw new Error("full"); }, rejected: () => undefined }; // prettier-ignore
  expect(() => scanner.scan(Buffer.from("# TYPE b gauge\nb 1\n"), failing)).toThrow("full");
  const { families, received } = scanAll("# TYPE b gauge\nb 1\n", scanner);
  expect([...families.keys()]).toEqual(["b"]);
  expect(received.map(shownSample)).toEqual(["b{} 1"]);
});

test("the sink can reject the line that it receives", () => {
  const scanner = new ExpositionScanner();
  const error = { reason: "invalid_gpu_id", field: "gpu", value: "x", message: "Not a number." } as const;
  const rejections: unknown[] = [];
  const sink = { sample: () => rejections.push(scanner.rejection(error)), rejected: () => undefined };
  scanner.scan(Buffer.from('# TYPE up gauge\nup{gpu="x"} 1\r\n'), sink);
  expect(rejections).toEqual([{ line: 2, byte: 16, raw: 'up{gpu="x"} 1', ...error }]);
});

/** The samples of each real exposition, and its lines that are none: three files begin with a title. */
const realFiles: Readonly<Record<string, readonly [samples: number, rejected: readonly string[]]>> = {
  "h100-8gpu.prom": [30, []],
  "1_workload.ini": [38, []],
  "Active_1g.5gb.ini": [14, ["Active 1g.5gb"]],
  "Emtpy_MIG_enabled.ini": [14, ["Emtpy MIG enabled"]],
  "Idle_1g.5gb_allocated.ini": [14, ["Idle 1g.5gb allocated"]],
};
for (const [name, [samples, rejected]] of Object.entries(realFiles)) {
  const path = sharedData("exposition", name);
  test.skipIf(path === undefined)(`every sample of the real exposition ${name} is read`, () => {
    const scan = scanAll(readFileSync(path ?? ""));
    expect(scan.samples).toBe(samples);
    expect(scan.rejected.map(({ raw }) => raw)).toEqual([...rejected]);
  });
}
