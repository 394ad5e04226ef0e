import { expect, test } from "bun:test";
import fc from "fast-check";
import { SmiFailed } from "../../src/pipeline/source/nvidia-smi/smi-failed.ts";
import { findDocument } from "../../src/pipeline/source/nvidia-smi/smi-document.ts";
import { migXml, processXml, readXml, smiXml, uuidOf } from "../pipeline/nvidia-smi/smi-xml.ts";

const body = `<fb_memory_usage><used>815 MiB</used></fb_memory_usage><temperature><gpu_temp>45 C</gpu_temp></temperature>
  <mig_devices>${migXml(0, 3, 100)}</mig_devices><processes>${processXml("/usr/bin/python", "90 MiB", "3")}</processes>`;
const whole = smiXml([0, 1, 2].map((index) => ({ uuid: uuidOf(index), body })));

const pieces = [
  ...[
    "<",
    ">",
    "&",
    "&lt;",
    "\0",
    '"',
    "\u{FFFD}",
    "]]>",
    "<!--",
    "<![CDATA[",
    "<?xml",
    "<!DOCTYPE a [",
    "N/A",
    "-1",
    "1e999 W",
  ],
  ...["<gpu>", "</gpu>", "<uuid>", "</mig_devices>", "<__proto__>", "<constructor>1</constructor>", "9".repeat(30)],
];
const damage = fc.record({
  at: fc.nat({ max: whole.length }),
  removed: fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 400 })),
  piece: fc.constantFrom("", ...pieces),
});

test("a damaged document is read, or refused in words; it never fails otherwise", () => {
  fc.assert(
    fc.property(fc.array(damage, { minLength: 1, maxLength: 4 }), (damages) => {
      const xml = damages.reduce(
        (text, { at, removed, piece }) => `${text.slice(0, at)}${piece}${text.slice(at + removed)}`,
        whole,
      );
      if (findDocument(xml) === undefined) return;
      try {
        const { batch, records } = readXml(xml);
        for (const { gpu } of records) expect(gpu.uuid).not.toBe("");
        for (const { value } of batch.custom) expect(Number.isFinite(value)).toBe(true);
      } catch (error) {
        if (!(error instanceof SmiFailed)) throw error;
      }
    }),
    { numRuns: 500 },
  );
});
