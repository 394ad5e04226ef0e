import { afterAll, describe, expect, test } from "bun:test";
import {
  CsvFolder,
  batchesOf,
  exporterHeader,
  exporterRow,
  openCsvSource,
  rejectedOf,
} from "../support/csv-reading.ts";
import { readText, valuesOf } from "./devices/read-rows.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

const header = ["timestamp", "gpu_id", "uuid", "hostname", "gpu_utilization", "power_draw"];
const cells = ["2026-03-01T12:00:00Z", "0", "GPU-1", "n1", "85.5", "300.25"];
const values = { gpu_utilization: 85.5, power_draw: 300.25 };

function table(delimiter: string, rows: readonly (readonly string[])[] = [cells], lineEnd = "\n"): string {
  return [header, ...rows].map((row) => row.join(delimiter)).join(lineEnd);
}

const withCommas = (row: readonly string[]): string[] => row.map((text) => text.replace(/^(\d+)\.(\d+)$/, "$1,$2"));

const forms: readonly (readonly [name: string, text: string])[] = [
  ["semicolons and decimal commas", table(";", [withCommas(cells)])],
  ["semicolons, a byte order mark and CRLF", `\u{FEFF}${table(";", [withCommas(cells)], "\r\n")}`],
  ["semicolons and decimal points", table(";")],
  ["semicolons, and commas with units", table(";", [[...cells.slice(0, 4), "85,5 %", "0,30025 kW"]])],
  [
    "semicolons, with the time and the index as numbers with commas",
    table(";", [["1772366400,0", "0,0", "GPU-1", "n1", "85,5", "300,25"]]),
  ],
  ["tabs", table("\t")],
  ["vertical bars, as psql -A writes them", table("|")],
  ["quoted names and tabs", table("\t").replace(/[a-z_]+(?=\t|\n)/g, '"$&"')],
  ["a line sep= with a comma", `sep=,\n${table(",")}`],
  [
    "a line sep= with a semicolon, quoted, after a byte order mark",
    `\u{FEFF}"sep=;"\r\n${table(";", [withCommas(cells)], "\r\n")}`,
  ],
  [
    "comments before the header and between rows",
    `# made by a script; version 2\n#\n\n${table(",").replace("\n", '\n# node "n1\n')}\n# end`,
  ],
  ["the header in a comment, as numpy writes it", `# ${table(",")}`],
  ["the header in a comment, with semicolons", `#${table(";")}`],
  ["CR alone", table(",", [cells], "\r")],
  ["CR alone after a line sep= that ends with CR and LF", `sep=;\r\n${table(";", [withCommas(cells)], "\r")}`],
  ["CR and LF after a line sep= that ends with CR alone", `sep=;\r${table(";", [withCommas(cells)], "\r\n")}`],
  ["CR alone, semicolons and a line sep=", `sep=;\r${table(";", [withCommas(cells)], "\r")}`],
  [
    "units in the header",
    table(",").replace("gpu_utilization", "GPU Utilization [%]").replace("power_draw", "power_draw (W)"),
  ],
  [
    "other units in the header",
    table(",", [[...cells.slice(0, 5), "300250"]]).replace("power_draw", "DCGM_FI_DEV_POWER_USAGE (mW)"),
  ],
  ["Grafana's names", table(",").replace("timestamp", "Time").replace("gpu_id", "gpu").replace("hostname", "Hostname")],
  ["influx's names", table(",").replace("timestamp", "_time")],
  ["the row numbers of pandas", table(",").replace(/^/gm, "0,").replace("0,timestamp", "Unnamed: 0,timestamp")],
  [
    "an index column without a name, and a float for the gpu_id",
    table(",", [[cells[0] ?? "", "0.0", ...cells.slice(2)]])
      .replace(/^/gm, "0,")
      .replace("0,timestamp", ",timestamp"),
  ],
];

describe("a file is read in the form that programs give it", () => {
  test.each(forms)("%s", async (_name, text) => {
    const { records, rejected } = await readText(folder, text);
    expect(rejected).toEqual([]);
    expect(records.map(({ timeMs, gpu }) => [timeMs, gpu.uuid, gpu.gpuId, gpu.hostname])).toEqual([
      [Date.UTC(2026, 2, 1, 12), "GPU-1", 0, "n1"],
    ]);
    expect(records.map(valuesOf)).toEqual([values]);
  });
});

test("Grafana's table of a query is a long file: its names and its number for the value", async () => {
  const text = `"Time","__name__","Hostname","UUID","gpu","modelName","Value #A"\n1772366400000,DCGM_FI_DEV_GPU_TEMP,n1,GPU-1,3,H100,45\n`;
  const { records, rejected } = await readText(folder, text);
  expect(rejected).toEqual([]);
  expect(records.map(valuesOf)).toEqual([{ temperature: 45 }]);
  expect(records[0]?.gpu).toMatchObject({ gpuId: 3, modelName: "H100" });
});

test("a file without a column of the host is read if the setting names it, long or wide, and refused if not", async () => {
  const wide = folder.write("timestamp,gpu_id,uuid,temperature\n1772366400,0,GPU-1,45\n", "no-host.csv");
  const long = folder.write(
    "Time;__name__;uuid;gpu;Value\n1772366400;DCGM_FI_DEV_GPU_TEMP;GPU-1;0;45,0\n",
    "no-host-long.csv",
  );
  for (const path of [wide, long]) {
    const warnings: string[] = [];
    const onWarning = (message: string) => void warnings.push(message);
    const source = await openCsvSource(path, { namedHostname: "box", hostname: "box", onWarning });
    const batches = await batchesOf(source);
    expect(rejectedOf(batches)).toEqual([]);
    expect(batches.flatMap(({ batch }) => batch.gpus.map(({ hostname }) => hostname))).toEqual(["box"]);
    expect(warnings).toEqual([`${path} does not name the host: its GPUs are on box (SOURCE_HOSTNAME)`]);
    await expect(openCsvSource(path, { hostname: "this-machine" })).rejects.toThrow("or set SOURCE_HOSTNAME");
  }
});

test("a table of dcgm-exporter with other delimiters gives what it gives with commas", async () => {
  const rows = [{ value: "1" }, { value: "2", gpu: "1", uuid: "GPU-1", pod: "a,b;c" }, { value: "x" }].map(exporterRow);
  const text = [exporterHeader, ...rows].join("\n");
  const commas = await readText(folder, text);
  const swapped = (delimiter: string): string =>
    text.replace(/","/g, `"${delimiter}"`).replace(/^[a-zA-Z_,]+$/m, (names) => names.replaceAll(",", delimiter));
  for (const delimiter of [";", "\t", "|"]) {
    const { records, rejected } = await readText(folder, swapped(delimiter));
    expect(records).toEqual(commas.records as never);
    expect(rejected.map(({ line, reason, value }) => [line, reason, value])).toEqual([[4, "invalid_value", "x"]]);
    // the quarantine has the row as the file has it
    expect(rejected[0]?.raw).toBe(swapped(delimiter).split("\n")[3] ?? "");
  }
});

test("lines with CR alone are numbered, and commas in quotes stay commas", async () => {
  const rows = [cells, [...cells.slice(0, 4), "101", "1"], ["x", ...cells.slice(1)]];
  const { rejected } = await readText(folder, table(",", rows, "\r"));
  expect(rejected.map(({ line, reason }) => [line, reason])).toEqual([
    [3, "value_out_of_range"],
    [4, "invalid_timestamp"],
  ]);
});

test("a row that begins with # and has the header's columns is a row, which is rejected and not left out", async () => {
  const text = `hostname,gpu_id,uuid,timestamp,temperature\n#REF!,0,GPU-1,2026-03-01T12:00:00Z,45\n# a remark\n`;
  const { rejected, tally } = await readText(folder, text);
  expect(rejected.map(({ line, reason }) => [line, reason])).toEqual([[2, "missing_field"]]);
  expect(tally).toMatchObject({ rows: 1, blankLines: 1 });
});

test("a comma in a number is refused in a file with commas, and so is a separator of thousands", async () => {
  const quotedCommas = await readText(folder, table(",", [[...cells.slice(0, 4), '"85,5"', "1"]]));
  expect(quotedCommas.rejected.map(({ reason }) => reason)).toEqual(["invalid_value"]);
  const thousands = await readText(folder, table(";", [[...cells.slice(0, 5), "1.234,5"]]));
  expect(thousands.rejected.map(({ reason, value }) => [reason, value])).toEqual([["invalid_value", "1.234,5"]]);
});

const valueRows = (rows: readonly (readonly [string, string])[]) => rows.map((row) => [...cells.slice(0, 4), ...row]);
const rejectedIn = async (text: string): Promise<readonly (readonly [number, string])[]> =>
  (await readText(folder, text)).rejected.map(({ line, value }) => [line, value] as const);

test.each([";", "\t", "|"])(
  "between %p, numbers that may have separators of thousands are refused where the others have the other sign",
  async (delimiter) => {
    const commas: [string, string][] = [
      ["85,5", "1"],
      ["85", "1.410"],
      ["85,5", "0.410"],
      ["85,5", "1,410"],
      ["40.960", "1"],
    ];
    expect(await rejectedIn(table(delimiter, valueRows(commas)))).toEqual([
      [3, "1.410"],
      [6, "40.960"],
    ]);
    const points: [string, string][] = [
      ["85.5", "1"],
      ["85", "1.410"],
      ["85", "40,960"],
    ];
    expect(await rejectedIn(table(delimiter, valueRows(points)))).toEqual([[4, "40,960"]]);
  },
);

test("if the first numbers have both signs, none that may have separators of thousands is read; if they have neither, all are", async () => {
  const both: [string, string][] = [
    ["85,5", "1.410"],
    ["85.5", "1.410"],
    ["85.5", "40,960"],
    ["85.5", "1.5"],
  ];
  expect(await rejectedIn(table(";", valueRows(both)))).toEqual([
    [2, "1.410"],
    [3, "1.410"],
    [4, "40,960"],
  ]);
  expect(await rejectedIn(table(";", valueRows([["85", "1.410"]])))).toEqual([]);
  expect(await rejectedIn(table(";", valueRows([["1,410", "1.410"]])))).toEqual([[2, "1.410"]]);
  const logged = [["2026-03-01 12:00:00,250", ...cells.slice(1, 4), "85", "1.410"]];
  expect(await rejectedIn(table(";", logged))).toEqual([]);
});

test("in the long form, the sign of one row decides for the others", async () => {
  const row = (metric: string, value: string) => `2026-03-01T12:00:00Z;${metric};0;GPU-1;n1;${value}`;
  const text = [
    "timestamp;metric_name;gpu_id;uuid;hostname;value",
    ...[row("DCGM_FI_DEV_POWER_USAGE", "312,5"), row("DCGM_FI_DEV_FB_USED", "40.960"), row("own_metric", "1.312")],
  ].join("\n");
  expect(await rejectedIn(text)).toEqual([
    [3, "40.960"],
    [4, "1.312"],
  ]);
});

test("chunks of any size give the same rows and lines, with CR alone, semicolons and comments", async () => {
  const rows = Array.from({ length: 40 }, (_, row) => [
    `2026-03-01 12:00:${String(row).padStart(2, "0")},250`,
    ...["0", `"GPU;${row}"`, "n1", row % 7 === 0 ? "x" : `${row},5`, "1"],
  ]);
  const text = `sep=;\r# c\r${table(";", rows, "\r")}\r`;
  const read = async (chunkBytes: number) => {
    const batches = await batchesOf(await openCsvSource(folder.write(text), { chunkBytes, batchRows: 7 }));
    return [batches.flatMap(({ batch }) => batch.gpus.map(({ uuid }) => uuid)), rejectedOf(batches)];
  };
  const whole = await read(1024 * 1024);
  expect((whole[0] ?? []).slice(0, 2)).toEqual(["GPU;0", "GPU;1"] as never);
  for (const chunkBytes of [1, 3, 64]) expect(await read(chunkBytes)).toEqual(whole);
});
