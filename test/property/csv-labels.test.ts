import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseLabels } from "../../src/pipeline/source/labels/labels.ts";

const names = fc.stringMatching(/^[a-z_][a-z0-9_]{0,12}$/).filter((name) => !reservedNames.has(name));
const reservedNames = new Set(["hostname", "uuid", "device", "gpu", "gpu_id", "modelname", "model_name", "container"]);
for (const name of ["pod", "namespace", "__name__", "driver_version"]) reservedNames.add(name);

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

const sorted = (labels: Readonly<Record<string, string>>): [string, string][] =>
  Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));

test("labels written with Prometheus' escapes are read back unchanged, sorted by name", () => {
  fc.assert(
    fc.property(fc.dictionary(names, fc.string({ maxLength: 40 }), { maxKeys: 20 }), (labels) => {
      const text = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
      for (const form of [text.join(","), `{${text.join(", ")}}`]) {
        expect(Object.entries(parseLabels(form).properties)).toEqual(sorted(labels));
      }
    }),
  );
});

test("unquoted labels may be separated by commas or by semicolons", () => {
  const plainTexts = fc.stringMatching(/^[A-Za-z0-9.:-]{0,20}$/);
  fc.assert(
    fc.property(fc.dictionary(names, plainTexts, { maxKeys: 20 }), fc.constantFrom(",", ";"), (labels, separator) => {
      const text = Object.entries(labels).map((pair) => pair.join("="));
      expect(Object.entries(parseLabels(text.join(separator)).properties)).toEqual(sorted(labels));
    }),
  );
});

test("any text gives at most 64 properties; names and values have at most 256 characters, and no half of a surrogate pair", () => {
  const noise = fc.constantFrom("=", '"', "\\", ",", ";", "{", "}", " ", "\n", "é", "😀", "a".repeat(255));
  const pair = fc.nat(999).map((index) => `,name${index}=`);
  const texts = fc.array(fc.oneof(noise, pair), { maxLength: 1000, size: "max" }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(texts, (text) => {
      const properties = Object.entries(parseLabels(text).properties);
      expect(properties.length).toBeLessThanOrEqual(64);
      for (const part of properties.flat()) expect(part.length <= 256 && part.isWellFormed()).toBe(true);
    }),
  );
});

test("labels that repeat columns and the driver's version are left out; DCGM's label fields get the API's names", () => {
  const text =
    'DCGM_FI_DRIVER_VERSION="535.1",Hostname="h",UUID="u",__name__="m",gpu="0",DCGM_FI_DEV_SERIAL="S",job="j"';
  expect(parseLabels(text)).toMatchObject({ driverVersion: "535.1", properties: { job: "j", serial: "S" } });
});

test("labels may have names that are special in JavaScript objects", () => {
  expect(Object.entries(parseLabels('__proto__="x",constructor="y"').properties)).toEqual([
    ["__proto__", "x"],
    ["constructor", "y"],
  ]);
});
