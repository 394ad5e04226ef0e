import { afterAll, expect, test } from "bun:test";
import { CsvFolder } from "../support/csv-reading.ts";
import { readRows, readText, valuesOf } from "./devices/read-rows.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

/** What NVIDIA's tools, pandas, spreadsheets, databases and C's printf write for a number that they do not have. */
const noNumbers = [
  ...["[GPU requires reset]", "[Insufficient Permissions]", "[Not Found]", "[GPU is lost]", "[N/A]", "[Unknown Error]"],
  ...["[Requested functionality has been deprecated]", "Unknown Error", "Function Not Found", "ERR!", "unknown"],
  ...[
    "None",
    "<NA>",
    "NaN",
    "NaT",
    "#N/A",
    "#DIV/0!",
    "#VALUE!",
    "\\N",
    "NULL",
    "(null)",
    "-nan",
    "-nan(ind)",
    "1.#QNAN",
  ],
  ...["", " ", "-", "--", " N/A ", "n/s", "[Driver Not Loaded]", "[Corrupted infoROM]"],
];

test("texts that tools write for a number that they do not have are missing values, not invalid ones", async () => {
  for (const metric of ["DCGM_FI_DEV_POWER_USAGE", "my_metric", 'xid_errors{xid="31"}']) {
    const { records, rejected, tally } = await readRows(folder, [
      ...noNumbers.map((value) => ({ metric, value })),
      { metric, value: "70.5", uuid: "GPU-1" },
    ]);
    expect(rejected).toEqual([]);
    expect(tally).toMatchObject({ rows: noNumbers.length + 1, missing: noNumbers.length, samples: 1 });
    expect(records.flatMap((record) => Object.values(valuesOf(record)))).toContain(70.5);
  }
});

test("the columns of a wide file have no values where tools have written why, and keep the others", async () => {
  const lines = noNumbers.map((text, index) => `175287135${index % 10},0,GPU-${index},h,40,"${text}","${text}"`);
  const { records, rejected, unreadColumns } = await readText(
    folder,
    ["timestamp,gpu_id,uuid,hostname,temperature,power_draw,fan", ...lines].join("\n"),
  );
  expect(rejected).toEqual([]);
  expect(unreadColumns).toEqual([]);
  expect(records.map(valuesOf)).toEqual(noNumbers.map(() => ({ temperature: 40 })));
});

test("a number in brackets, a number with another unit, and other texts are invalid values, not missing ones", async () => {
  const texts = ["[85]", "(3)", "<1>", "85 MiB", "1,234", "0x1F", "nano", "-x", "none of these", "[N/A", "Infinity"];
  const { rejected, tally } = await readRows(
    folder,
    texts.map((value) => ({ value })),
  );
  expect(rejected.map(({ reason, value }) => [reason, value])).toEqual(texts.map((text) => ["invalid_value", text]));
  expect(tally).toMatchObject({ missing: 0 });
});

test.each([
  ["-Infinity", "is not finite"],
  ["1e400", "is beyond the range of a double"],
])("%s is rejected because it %s", async (value, problem) => {
  const { rejected } = await readRows(folder, [{ value }]);
  expect(rejected.map(({ message }) => message)).toEqual([expect.stringContaining(`"${value}" of `)]);
  expect(rejected[0]?.message).toContain(problem);
});

test("a pod may have a name that is no number", async () => {
  const { records } = await readRows(folder, [{ pod: "none", namespace: "unknown" }]);
  expect(records.map(({ occupants }) => occupants)).toEqual([["unknown/none/"]]);
});
