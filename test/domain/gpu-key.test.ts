import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { gpuKeyMax, gpuKeyMin, gpuKeyOf } from "../../src/domain/gpu-key.ts";

test("a key is an exact double: 2^52 and the first 52 bits of the SHA-256 of the uuid in UTF-8", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (uuid) => {
      const digest = createHash("sha256").update(uuid).digest("hex");
      const expected = 2n ** 52n + BigInt(`0x${digest.slice(0, 13)}`);
      const key = gpuKeyOf(uuid);
      expect(BigInt(key)).toBe(expected);
      expect(key).toBeGreaterThanOrEqual(gpuKeyMin);
      expect(key).toBeLessThanOrEqual(gpuKeyMax);
      expect(Float64Array.of(key)[0]).toBe(key);
      expect(Number(String(key))).toBe(key);
    }),
  );
});

test("a key stays what it is: stores, cursors and migrations of other versions have it", () => {
  expect(gpuKeyOf("GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4")).toBe(8979458511521829);
  expect(gpuKeyOf("GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4:mig:3:1g.10gb")).toBe(7285095245052922);
  expect(gpuKeyOf("")).toBe(8509173170540481);
});

test("100,000 GPUs of a fleet have different keys", () => {
  const keys = new Set(Array.from({ length: 100_000 }, (_, gpu) => gpuKeyOf(`GPU-host-${gpu >> 3}-${gpu & 7}`)));
  expect(keys.size).toBe(100_000);
});
