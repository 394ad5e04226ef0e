import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { CsvFolder, openCsvSource } from "../support/csv-reading.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

/** What each file of the table in the documentation may contain. */
const examples: Readonly<Record<string, readonly (string | Uint8Array)[]>> = {
  JSON: ['{"timestamp": 1}\n', '[{"timestamp": 1}]\n', "[\n"],
  "a workbook": ["PK\u0003\u0004\u0014"],
  'UTF-16, such as "Unicode text" of Excel': [
    Buffer.from("\u{FEFF}timestamp\tgpu_id\n", "utf16le"),
    Buffer.from("timestamp,gpu_id\n", "utf16le"),
  ],
  "UTF-32": [
    Buffer.from("fffe000074000000", "hex"),
    Buffer.from("0000feff00000074", "hex"),
    Buffer.from("7400000069000000", "hex"),
    Buffer.from("0000007400000069", "hex"),
  ],
  "XML of nvidia-smi, packed or pushed": [
    "<nvidia_smi_log>\n",
    '<?xml version="1.0" ?>\n<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">\n<nvidia_smi_log>\n',
  ],
  "other XML or HTML": ["<html>\n", "<!DOCTYPE html>\n", '<?xml version="1.0"?>\n<rows/>\n'],
  "an error of nvidia-smi": ["No devices were found\n", "\nNo devices were found\r\n"],
  "an error about a field": ['Field "foo" is not a valid field to query.\n\n'],
  "what `nvidia-smi dmon --format csv` prints": [
    "#gpu, pwr, gtemp, mtemp, sm, mem\n0, 98, 45, -, 85, 12\n",
    "#Date, Time, gpu, pwr\n20260105, 12:00:00, 0, 98\n",
    "# gpu         pid  type    sm   mem\n",
  ],
  "what `dcgmi dmon` prints": [
    "#Entity   GPUTL   MCUTL   POWER   TMPTR\nID                        W       C\nGPU 0     85      30      310.5   66\n",
    "# Entity  TMPTR\n      Id\n    GPU 0    66\n",
  ],
  "a table with a frame, of psql or mysql": [
    "+---------------------+-------+\n| timestamp           | uuid  |\n+---------------------+-------+\n",
    "-[ RECORD 1 ]-------------\ntimestamp | 2026-11-29 01:00:00+00\n",
    "*************************** 1. row ***************************\ntimestamp: 2026-11-29 01:00:00\n",
  ],
  "time series of Grafana": [
    '"Time","{Hostname=""n3"", UUID=""GPU-1"", gpu=""0""}","{Hostname=""n3"", UUID=""GPU-2"", gpu=""1""}"\n',
    'sep=;\r\n"Time";"DCGM_FI_DEV_GPU_TEMP{Hostname=""n3"", UUID=""GPU-1"", gpu=""0""}"\r\n',
    "Time,Value {UUID=GPU-1},Value {UUID=GPU-2}\n",
  ],
  "a table of several queries of Grafana": ['"Time","Hostname","UUID","gpu","Value #A","Value #B"\n'],
  "another delimiter in the line `sep=`": ["sep=:\ntimestamp:gpu_id:uuid\n", "\u{FEFF}sep=:\r\na:b\n"],
  "the table, list or log of nvidia-smi": [
    `Sat Nov 28 09:00:00 2026       \n+${"-".repeat(89)}+\n| NVIDIA-SMI 550.54.15              Driver Version: 550.54.15\n`,
    `+${"-".repeat(89)}+\n| NVIDIA-SMI 550.54.15              Driver Version: 550.54.15\n`,
    "# gpu    pwr  gtemp  mtemp     sm    mem\n# Idx      W      C      C      %      %\n    0     98     45      -     85     12\n",
    "GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-a1b2c301-1111-2222-3333-444455556666)\n",
    "\n==============NVSMI LOG==============\n\nTimestamp                                 : Sat Nov 28 09:00:00 2026\n",
  ],
  bzip2: ["BZh91AY&SY\u0000"],
  "an exporter's answer": ["# HELP DCGM_FI_DEV_GPU_UTIL GPU utilization\n", "# TYPE DCGM_FI_DEV_GPU_UTIL gauge\n"],
  "columns separated by spaces": ["timestamp gpu_id uuid hostname temperature\n"],
  "a table without line ends, as `curl -d` sends it": [
    "timestamp, index, uuid, utilization.gpu [%]03/01 12:00, 0, GPU-x, 85 %",
  ],
  "no header": ["1772366400,0,GPU-1\n1772366401,0,GPU-1\n"],
  "a column that is missing": ["timestamp,gpu_id,uuid,temperature\n"],
};

const documentation = readFileSync(new URL("../../docs/DYNAMIC_CSV_HANDLING.md", import.meta.url), "utf8");
const documented = [...documentation.matchAll(/^\| (.+?) \| `(.+)` \|$/gm)].map(
  ([, file = "", message = ""]) => [file, message.replaceAll("\\|", "|")] as const,
);

describe("a file that is no CSV is refused in the documented sentence", () => {
  test("each documented message has an example", () => {
    expect(documented.map(([file]) => file)).toEqual(Object.keys(examples));
  });

  test.each(documented)("%s", async (file, message) => {
    for (const content of examples[file] ?? []) {
      const path = folder.write(content);
      await expect(openCsvSource(path)).rejects.toThrow(new RegExp(`^${RegExp.escape(`${path} ${message}`)}$`));
    }
  });
});

test.each([
  [
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure\n",
    /NVIDIA-SMI has failed/,
  ],
  ["Failed to initialize NVML: Driver/library version mismatch\n", /version mismatch/],
  ["Unable to determine the device handle for GPU 0000:3B:00.0: Unknown Error\n", /device handle/],
  ["bash: line 1: nvidia-smi: command not found\n", /command not found/],
])("the error %p of nvidia-smi is named, and what to do", async (content, told) => {
  const opening = openCsvSource(folder.write(content));
  await expect(opening).rejects.toThrow(/has an error of nvidia-smi .*make nvidia-smi work on that host/);
  await expect(opening).rejects.toThrow(told);
});

test("the refusal of a table whose only metric is misspelled names the one that may be meant", async () => {
  const path = folder.write("timestamp,gpu_id,uuid,hostname,gpu_utilisation,note\n");
  await expect(openCsvSource(path)).rejects.toThrow(
    'found "timestamp", "gpu_id", "uuid", "hostname", "gpu_utilisation", "note" ("gpu_utilisation" may be gpu_utilization); rename',
  );
});

test("a table whose header is a comment is no answer of dmon", async () => {
  const source = openCsvSource(folder.write("#gpu,timestamp,uuid,hostname,temperature\n"));
  expect((await source).ownColumns).toEqual([]);
});

test.each([
  ["xz", Buffer.from("fd377a585a000004", "hex")],
  ["7-Zip", Buffer.from("377abcaf271c", "hex")],
  ["lz4", Buffer.from("04224d18", "hex")],
])("a file that is packed with %s is refused with what to do", async (packer, content) => {
  const path = folder.write(content);
  await expect(openCsvSource(path)).rejects.toThrow(
    `${path} is packed with ${packer}, not CSV: unpack it first, or pack it with gzip or zstd, which are read as they are.`,
  );
});

test.each([
  ["packed twice", gzipSync(gzipSync("timestamp,gpu_id")), "is packed twice, not CSV: unpack it once."],
  ["packed with gzip within zstd", Bun.zstdCompressSync(gzipSync("x")), "is packed twice, not CSV: unpack it once."],
  [
    "an archive, packed",
    gzipSync(`${"a.csv".padEnd(257, "\0")}ustar\0${"\0".repeat(250)}`),
    "is an archive made by tar, not CSV: take its files out, and give each by itself.",
  ],
])("a file that is %s is refused with what to do", async (_, content, message) => {
  const path = folder.write(Buffer.from(content));
  await expect(openCsvSource(path)).rejects.toThrow(`${path} ${message}`);
});

test("columns separated by colons are refused by their delimiter, not by a list of missing columns", async () => {
  const path = folder.write("timestamp:gpu_id:uuid:hostname:temperature\n");
  await expect(openCsvSource(path)).rejects.toThrow("separates its columns with other characters");
});

test("a file of blank lines and comments is empty", async () => {
  for (const text of ["", "\n\n", "# a\n# b\n", "sep=;\n", "\u{FEFF}"]) {
    await expect(openCsvSource(folder.write(text))).rejects.toThrow("is empty; a CSV file begins with a header line");
  }
});

test.each([
  ["timestamp", "date"],
  ["timestamp", "ts"],
  ["gpu_id", "device_id"],
  ["uuid", "serial"],
  ["hostname", "Host"],
  ["hostname", "node"],
  ["hostname", "instance"],
])("a column %s that is called %s is told with the name that it needs", async (name, other) => {
  const header = ["timestamp", "gpu_id", "uuid", "hostname", "temperature"].map((each) =>
    each === name ? other : each,
  );
  const found = header.map((each) => JSON.stringify(each)).join(", ");
  await expect(openCsvSource(folder.write(`${header.join()}\n`))).rejects.toThrow(
    `missing ${name}; found ${found} (${name} may be "${other}"); rename these columns`,
  );
});
