import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { RangeBatch } from "../../../src/pipeline/source/source.ts";
import { isSmiFile } from "../../../src/pipeline/source/nvidia-smi/is-smi-file.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import { idOfContent } from "../../../src/pipeline/source/file-ids.ts";
import { FileLook } from "../../../src/pipeline/source/file/file-look.ts";
import { SmiFile } from "../../../src/pipeline/source/nvidia-smi/smi-file.ts";
import { exerciseReplayableSource } from "../../contract/replayable-source.ts";
import { CsvFolder } from "../../support/csv-reading.ts";
import { recordsIn } from "../../support/merged-records.ts";
import { sharedData } from "../../support/shared-data.ts";
import { valuesOf } from "../devices/read-rows.ts";
import { smiXml, uuidOf } from "./smi-xml.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());
const never = new AbortController().signal;

const openFile = (path: string, batchRows = 4): Promise<SmiFile> =>
  SmiFile.open({
    look: new FileLook(path, systemClock),
    chooseId: idOfContent,
    clusterId: "c1",
    hostname: "box",
    batchRows,
    onWarning: () => undefined,
  });

async function readText(text: string | Uint8Array): Promise<RangeBatch[]> {
  const source = await openFile(folder.write(text, "log.xml"));
  return Array.fromAsync(source.read(source.whole, never));
}

const recordsOf = (batches: readonly RangeBatch[]) => batches.flatMap(({ batch }) => recordsIn(batch));
const rejectedOf = (batches: readonly RangeBatch[]) => batches.flatMap(({ batch }) => batch.rejected);

/** A document of two GPUs at a second. */
function documentAt(second: number, used = second): string {
  const body = `<fb_memory_usage><used>${used} MiB</used></fb_memory_usage>`;
  const gpus = [0, 1].map((index) => ({ uuid: uuidOf(index), body }));
  return smiXml(gpus, { timestamp: `Fri Aug  4 11:44:${String(second).padStart(2, "0")} 2023` });
}

const secondsOf = (from: number, count: number): number[] => Array.from({ length: count }, (_, index) => from + index);

exerciseReplayableSource("SmiFile", async () => {
  const path = folder.write(
    `\n${secondsOf(0, 11)
      .map((second) => documentAt(second))
      .join("\n")}\n\n`,
    "contract.xml",
  );
  return { source: await openFile(path), reopen: () => openFile(path), close: () => Promise.resolve() };
});

test("each document of a file is a reading at its own time, read as UTC", async () => {
  const records = recordsOf(await readText([1, 2].map((second) => documentAt(second)).join("")));
  expect(records.map(({ gpu, timeMs }) => [gpu.uuid, gpu.gpuId, gpu.hostname, new Date(timeMs).toISOString()])).toEqual(
    [
      [uuidOf(0), 0, "box", "2023-08-04T11:44:01.000Z"],
      [uuidOf(1), 1, "box", "2023-08-04T11:44:01.000Z"],
      [uuidOf(0), 0, "box", "2023-08-04T11:44:02.000Z"],
      [uuidOf(1), 1, "box", "2023-08-04T11:44:02.000Z"],
    ],
  );
  expect(records.map((record) => valuesOf(record)["memory_used_mb"])).toEqual([1, 1, 2, 2]);
});

test("documents are found wherever the file is divided into chunks, and too large ones are rejected alone", async () => {
  // chunks have 256 KiB
  for (const padding of [256 * 1024 - 10, 256 * 1024 + 700, 5 * 1024 * 1024]) {
    const first = documentAt(1).replace("</nvidia_smi_log>", `<!--${"x".repeat(padding)}--></nvidia_smi_log>`);
    const batches = await readText(`${first}\n${documentAt(2)}`);
    const isTooLarge = padding > 4 * 1024 * 1024;
    expect(recordsOf(batches)).toHaveLength(isTooLarge ? 2 : 4);
    expect(rejectedOf(batches)).toMatchObject(isTooLarge ? [{ reason: "record_too_large", line: 1, byte: 0 }] : []);
    expect(recordsOf(batches).at(-1)?.timeMs).toBe(Date.UTC(2023, 7, 4, 11, 44, 2));
  }
});

describe("a document that cannot be used is rejected with its place, and the others are read", () => {
  const good = documentAt(1);
  const lines = good.split("\n").length;
  const bad: Record<string, readonly [document: string, rejected: object]> = {
    "without a timestamp": [
      smiXml([{}]),
      {
        reason: "missing_field",
        field: "timestamp",
        message: expect.stringContaining("set NVIDIA_SMI to a command") as unknown,
      },
    ],
    "of a day that does not exist": [
      documentAt(5).replace("Aug  4", "Feb 30"),
      { reason: "invalid_timestamp", field: "timestamp", value: "Fri Feb 30 11:44:05 2023" },
    ],
    "cut by the end of the file": [documentAt(5).slice(0, -40), { reason: "invalid_record", value: "" }],
    "with a warning around it": [
      `WARNING: infoROM is corrupted at gpu 0000:01:00.0\n${documentAt(1)}`,
      { reason: "invalid_record", value: "WARNING: infoROM is corrupted at gpu 0000:01:00.0" },
    ],
    "of another program": [
      `<?xml version="1.0"?><rows></rows></nvidia_smi_log>`,
      {
        reason: "invalid_record",
        message: expect.stringContaining("'nvidia_smi_log' has not been opened.") as unknown,
      },
    ],
  };
  for (const [name, [document, rejected]] of Object.entries(bad)) {
    test(name, async () => {
      const batches = await readText(`${good}${document}`);
      expect(recordsOf(batches)).toHaveLength(2);
      expect(rejectedOf(batches)).toMatchObject([{ line: lines - 1, byte: good.trimEnd().length, ...rejected }]);
    });
  }
});

test("a file is XML or CSV by its beginning", async () => {
  for (const [text, isXml] of [
    [smiXml([{}]), true],
    [`\u{FEFF}\n ${smiXml([{}])}`, true],
    ["<nvidia_smi_log></nvidia_smi_log>", true],
    ["timestamp,uuid\n", false],
    ["", false],
  ] as const) {
    expect(await isSmiFile(folder.write(text, "any"))).toBe(isXml);
  }
});

const a100 = sharedData("nvidia-smi", "a100-sxm4-v12.xml");
test.skipIf(a100 === undefined)(
  "the file of a real machine gives its GPU and four MIG instances at its own time",
  async () => {
    const records = recordsOf(await readText(readFileSync(a100 as string)));
    expect(records).toHaveLength(5);
    for (const { timeMs } of records) expect(timeMs).toBe(Date.UTC(2023, 7, 4, 11, 44, 30));
  },
);
