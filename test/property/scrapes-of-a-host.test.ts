import { expect, test } from "bun:test";
import fc from "fast-check";
import { openTarget, type Reading, valuesOn } from "../pipeline/exposition/read-exposition.ts";
import { expectedOf, type StoredRecord } from "./described-host/expect.ts";
import { type DescribedGpu, host } from "./described-host/host.ts";
import { measures, ratioName } from "./described-host/measures.ts";
import { linesOf, type Style } from "./described-host/write.ts";
import { propertyRuns } from "../support/property-runs.ts";

const style: fc.Arbitrary<Style> = fc.record({
  names: fc.constantFrom("older", "4.6", "newer", "mixed", "smi"),
  hostname: fc.constantFrom("own", "localhost", "pod", "absent"),
  pods: fc.constantFrom("own", "exported"),
  mix: fc.array(fc.constantFrom("older", "newer", "both"), { minLength: 1, maxLength: 14 }),
  blank: fc.nat({ max: 3 }),
});

interface Scrape {
  readonly gpus: readonly DescribedGpu[];
  readonly style: Style;
  /** Where each line goes, and which lines the exporter writes twice. */
  readonly order: readonly number[];
}

const scrape: fc.Arbitrary<Scrape> = fc.record({
  gpus: host,
  style,
  order: fc.array(fc.nat({ max: 999 }), { minLength: 20, maxLength: 20 }),
});

/** The lines in another order, some of them twice. */
function textOf({ gpus, style: written, order }: Scrape): string {
  const at = (index: number): number => (order[index % order.length] ?? 0) * (1 + (index % 7));
  const lines = linesOf(gpus, written).map((line, index) => ({ line, at: at(index), isTwice: at(index) % 11 === 3 }));
  const shuffled = lines.toSorted((a, b) => a.at - b.at).map(({ line }) => line);
  return [...shuffled, ...lines.filter(({ isTwice }) => isTwice).map(({ line }) => line)].join("\n");
}

function found(reading: Reading): readonly StoredRecord[] {
  return reading.records
    .map(({ gpu, occupants }) => {
      const { uuid, hostname, gpuId, modelName, driverVersion } = gpu;
      const values = valuesOn(reading, uuid);
      return { uuid, hostname, gpuId, modelName, driverVersion, values, occupants: [...occupants].sort() };
    })
    .sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
}

/** True if the exposition itself tells the unit of the ratio, or has no ratio that needs one. */
function isDecided(text: string): boolean {
  const ratios = text.split("\n").filter((line) => line.startsWith(`${ratioName}{`));
  const values = ratios.map((line) => Number(line.split(" ").at(-1)));
  return (
    measures.some(({ newer, isOf47 }) => isOf47 && text.includes(`${newer.name}{`)) ||
    text.includes("DCGM_FI_SYSTEM_DRIVER_VERSION") ||
    values.some((value) => value > 1 && value <= 100)
  );
}

/** The same records without the utilization, which nothing has decided yet, and without records that have nothing else. */
function withoutRatio(records: readonly StoredRecord[]): readonly StoredRecord[] {
  return records.flatMap((record) => {
    const others = Object.entries(record.values).filter(([name]) => name !== "gpu_utilization");
    return others.length === 0 ? [] : [{ ...record, values: Object.fromEntries(others) }];
  });
}

test("scrapes of a host whose GPUs, pods, instances and exporter change give what is true at the time of each", () => {
  fc.assert(
    fc.property(fc.array(scrape, { minLength: 1, maxLength: 5 }), (scrapes) => {
      const target = openTarget({ host: "node-9" });
      for (const each of scrapes) {
        const text = textOf(each);
        const reading = target(text);
        const [stored, expected] = [found(reading), expectedOf(each.gpus, each.style, "node-9")];
        expect(reading.tally.conflicts).toBe(0);
        expect(reading.rejections.map(({ field }) => field).filter((field) => field !== ratioName)).toEqual([]);
        if (isDecided(text)) expect(reading.rejections).toEqual([]);
        if (reading.undecided === 0) expect(stored).toEqual(expected as never);
        else expect(withoutRatio(stored)).toEqual(withoutRatio(expected) as never);
        for (const { uuid, values } of stored) {
          const right = expected.find((record) => record.uuid === uuid)?.values["gpu_utilization"];
          expect(values["gpu_utilization"] ?? right).toBe(right);
        }
      }
    }),
    { numRuns: propertyRuns(60) },
  );
});
