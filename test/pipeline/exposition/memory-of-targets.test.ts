import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import { BatchBuilder } from "../../../src/domain/batch-builder.ts";
import { ExpositionReader } from "../../../src/pipeline/source/exposition/exposition-reader.ts";
import { SharedTexts } from "../../../src/pipeline/source/labels/shared-texts.ts";
import { dueMs, sample } from "./read-exposition.ts";

const targets = 60;
const gpus = 8;
/** Bytes of a target's reader. They were 160,000 when each target had texts and maps of its own, and 110,000 when each series had a
 *  subject of its own. */
const maxBytes = 100_000;

/** 26 metrics of 8 GPUs, as exporters print them. */
function expositionOf(host: string): Uint8Array {
  const names = Array.from({ length: 26 }, (_, index) => `DCGM_FI_DEV_MEMORY_NUMBER_${index}`);
  const labelled = (gpu: number) =>
    `,gpu_index="${gpu}",pci_bus_id="0000:${gpu}0:00.0",DCGM_FI_DRIVER_VERSION="580.105.08"`;
  const lines = names.flatMap((name) => [
    `# HELP ${name} ${"what it is ".repeat(4)}`,
    `# TYPE ${name} gauge`,
    ...Array.from({ length: gpus }, (_, gpu) => sample(name, 0, labelled(gpu)).replace("GPU-1", `GPU-${host}-${gpu}`)),
  ]);
  return new TextEncoder().encode(`${lines.join("\n")}\n`);
}

function heapBytes(): number {
  Bun.gc(true);
  return heapStats().heapSize;
}

test("a target with 8 GPUs takes little memory, because the targets of a process share their texts", () => {
  const texts = new SharedTexts();
  const open = (host: string): ExpositionReader => {
    const reader = new ExpositionReader({ target: host, host, clusterId: "c1", labels: {} }, texts);
    const builder = new BatchBuilder();
    expect(reader.read({ bytes: expositionOf(host) }, dueMs, builder).samples).toBe(26 * gpus);
    return reader;
  };
  const readers = [open("the first one, which compiles the code")];
  const before = heapBytes();
  for (let index = 0; index < targets; index += 1) readers.push(open(`host-${index}`));
  const bytesPerTarget = (heapBytes() - before) / targets;
  expect(readers).toHaveLength(targets + 1);
  expect(bytesPerTarget).toBeLessThan(maxBytes);
});
