import { afterAll, expect, test } from "bun:test";
import { Command } from "commander";
import { withMeantOption } from "../../scripts/telemetry/similar-option.ts";
import { readMeasuredValue } from "../../src/domain/measured-value.ts";
import { metrics } from "../../src/domain/metrics.ts";
import { CsvFolder, exporterHeader, exporterRow, openCsvSource } from "../support/csv-reading.ts";

// What a newcomer's first table gets wrong is refused with what it is.

const folder = new CsvFolder();
afterAll(() => folder.remove());

const uuid = "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4";
const smi = `timestamp, index, uuid, utilization.gpu [%]\n2026/03/01 12:00:00.000, 0, ${uuid}, 85 %\n2026/03/01 12:00:01.000, 0, ${uuid}, 86 %\n`;
const plain = "timestamp,uuid,gpu_id,hostname,gpu_utilization\n1772366400,GPU-1,0,n1,85\n";
const exported = `${[exporterHeader, exporterRow({ uuid }), exporterRow({ uuid })].join("\n")}\n`;
const quotedHeader = exported.replace(exporterHeader, exporterHeader.replace(/\w+/g, '"$&"'));

test.each([
  ["tr replaces them with spaces", smi.replaceAll("\n", " ")],
  ["curl -d leaves them out", smi.replaceAll("\n", "")],
  ["the time is in seconds", plain.replaceAll("\n", "")],
  [
    "the uuid is the last column",
    `timestamp,gpu_id,hostname,uuid\n2026-03-01T12:00:00Z,0,n1,${uuid}\n`.replaceAll("\n", ""),
  ],
  ["every value of the exporter's rows is quoted", exported.replaceAll("\n", "")],
  ["its header is, too, and there are spaces", quotedHeader.replaceAll("\n", " ")],
])("a table without line ends is refused with what to do: %s", async (_, text) => {
  await expect(openCsvSource(folder.write(text), { hostname: "n1" })).rejects.toThrow("its line ends are missing");
  await expect(openCsvSource(folder.write(text), { hostname: "n1" })).rejects.toThrow("--data-binary");
});

test.each(["GPU-Util", "85th percentile", "0", "1W", "Unnamed: 0", "GPU-1 power", "100", "2026"])(
  "a column may be called %s",
  async (name) => {
    const text = `timestamp,uuid,gpu_id,hostname,gpu_utilization,${name}\n2026-03-01T12:00:00Z,GPU-1,0,n1,85,1\n`;
    await openCsvSource(folder.write(text));
  },
);

const index = (name: string): number => metrics.findIndex((metric) => metric.name === name);

test.each(["6l", "1O", "85x", "3 many"])("%s is no number, and has no unit", (text) => {
  for (const metric of [index("temperature"), "own"]) {
    expect(readMeasuredValue(metric, text)).toMatchObject({
      message: expect.stringContaining("is not a decimal number such as 73.136") as string,
    });
  }
});

test.each(["6 W", "85 F", "1 MB", "3 RPM"])("%s has a unit, which is named", (text) => {
  expect(readMeasuredValue(index("temperature"), text)).not.toMatchObject({
    message: expect.stringContaining("is not a decimal number") as string,
  });
});

test("an unknown option that begins with a known one, or the other way round, is answered with that one", () => {
  const program = new Command().option("--json");
  program.command("upload").option("--host <hostname>").option("--no-wait");
  const answer = (option: string, ...args: readonly string[]): string =>
    withMeantOption(`error: unknown option '${option}'\n`, program, args);
  expect(answer("--hostname", "upload", "smi.csv")).toBe(
    "error: unknown option '--hostname'\n(Did you mean --host?)\n",
  );
  expect(answer("--hostname=n1", "upload")).toEndWith("(Did you mean --host?)\n");
  expect(answer("--hostname", "other")).toBe("error: unknown option '--hostname'\n");
  expect(withMeantOption("error: other\n", program, [])).toBe("error: other\n");
});
