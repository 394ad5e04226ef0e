import { expect, test } from "bun:test";
import fc from "fast-check";
import { decodeNumbers, encodeNumbers } from "../../src/domain/block/number-column.ts";
import { decodeSeries, encodeSeries } from "../../src/domain/block/series-columns.ts";
import { UndecodableBlock } from "../../src/domain/errors.ts";
import { columns } from "../support/block-columns.ts";

/** True if the values are the same to the bit. */
const isSame = (a: Float64Array, b: Float64Array): boolean =>
  a.length === b.length && a.every((each, index) => Object.is(each, b[index]));

test("a column is restored to the bit", () => {
  fc.assert(
    fc.property(columns, (given) => {
      const values = Float64Array.from(given);
      expect(isSame(decodeNumbers(encodeNumbers(values), values.length), values)).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

test("instants are restored: regular, with gaps, irregular, and backward", () => {
  const steps = fc.array(
    fc.oneof(
      fc.constant(15_000),
      fc.integer({ min: -86_400_000, max: 86_400_000 }),
      fc.double({ min: 0, max: 1000, noNaN: true }),
    ),
    {
      maxLength: 200,
    },
  );
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_102_444_800_000 }), steps, (first, given) => {
      let timeMs = first;
      const values = Float64Array.from([first, ...given.map((step) => (timeMs += step))]);
      expect(isSame(decodeNumbers(encodeNumbers(values), values.length), values)).toBe(true);
    }),
  );
});

test("columns as they were written before columns could repeat are read", () => {
  // 20 records, every fourth of which has a value
  const values = Float64Array.from({ length: 20 }, (_, index) => (index % 4 === 0 ? 40 + index : NaN));
  expect(isSame(decodeNumbers(Buffer.from("0500888880005004088880", "hex"), 20), values)).toBe(true);
});

test("names of series are restored, also those that begin with U+FEFF", () => {
  const names = ["__proto__", "a,b", "temp", "\ufefftemp"];
  const packed = encodeSeries(new Map(names.map((name, index) => [name, Float64Array.of(index)])));
  const restored = decodeSeries(packed ?? new Uint8Array(), 1);
  expect(Array.from(restored, ([name, [value]]) => [name, value])).toEqual(names.map((name, index) => [name, index]));
});

test("damaged bytes are an UndecodableBlock or other values, and nothing else", () => {
  fc.assert(
    fc.property(
      columns,
      fc.array(fc.tuple(fc.nat(5000), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      fc.nat(3),
      (given, flips, cut) => {
        const values = Float64Array.from(given);
        const whole = encodeNumbers(values);
        const damaged = whole.slice(0, whole.length - cut);
        for (const [at, flip] of flips) if (damaged.length > 0) damaged[at % damaged.length] = flip;
        try {
          expect(decodeNumbers(damaged, values.length)).toHaveLength(values.length);
        } catch (error) {
          expect(error).toBeInstanceOf(UndecodableBlock);
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test("any bytes take memory for the block's records only", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, count) => {
      try {
        expect(decodeNumbers(bytes, count)).toHaveLength(count);
      } catch (error) {
        expect(error).toBeInstanceOf(UndecodableBlock);
      }
    }),
    { numRuns: 2000 },
  );
});

test("a column of another number of records is refused", () => {
  const bytes = encodeNumbers(Float64Array.from({ length: 100 }, (_, index) => index * index));
  expect(() => decodeNumbers(bytes, 10)).toThrow(UndecodableBlock);
  expect(() => decodeNumbers(bytes, 1000)).toThrow(UndecodableBlock);
});

test("a column of a newer format is refused, and the error says so", () => {
  expect(() => decodeNumbers(Uint8Array.of(64, 0, 0), 1)).toThrow("a newer version");
});

test("a constant, a counter and regular instants take few bytes", () => {
  const column = (valueAt: (index: number) => number): number =>
    encodeNumbers(Float64Array.from({ length: 3600 }, (_, index) => valueAt(index))).length;
  expect(column(() => 2619)).toBeLessThanOrEqual(8);
  expect(column(() => -0)).toBeLessThan(600);
  expect(column((index) => 1_752_346_656_768 + index * 1000)).toBeLessThanOrEqual(20);
  expect(column((index) => 123_456_789 + index * 700_000)).toBeLessThanOrEqual(20);
  // scrapes that take four records each, of which every metric is in one or two
  expect(column((index) => Math.floor(index / 4) * 15_000 + (index % 4) * 1000)).toBeLessThan(40);
  expect(column((index) => (index % 4 === 2 ? 7 : NaN))).toBeLessThanOrEqual(16);
  expect(column((index) => (index % 4 === 2 && index !== 1002 ? 7 : NaN))).toBeLessThanOrEqual(24);
  // one value that is no decimal number does not make doubles of the others
  expect(column((index) => (index === 77 ? Math.PI : 73.136 + (index % 2) / 1000))).toBeLessThan(1000);
});
