import fc from "fast-check";

/** Every double but NaN: -0, denormals and infinities too. */
const double = fc.double({ noNaN: true });
/** What exporters print. */
const decimal = fc
  .tuple(fc.integer({ min: -1_000_000_000, max: 1_000_000_000 }), fc.nat(9))
  .map(([integer, digits]) => integer / 10 ** digits);
const integer = fc.maxSafeInteger().map((value) => value + 0);
const value = fc.oneof(
  { weight: 6, arbitrary: decimal },
  { weight: 2, arbitrary: integer },
  { weight: 1, arbitrary: double },
  { weight: 1, arbitrary: fc.constant(NaN) },
);
/** Neighbours that are alike: runs, drifts, steps, a few others among them. */
const alike = fc
  .tuple(
    decimal,
    fc.integer({ min: -3, max: 1000 }),
    fc.nat(3),
    fc.array(fc.tuple(fc.nat(400), value), { maxLength: 8 }),
    fc.nat(400),
  )
  .map(([first, step, noise, others, length]) => {
    const values = Array.from({ length }, (_, index) => first + step * index + ((index * 7919) % (noise + 1)));
    for (const [place, other] of others) if (place < length) values[place] = other;
    return values;
  });
/** The values of a series in the order of its records; NaN: the record has none. */
export const columns = fc.oneof(
  fc.array(value, { maxLength: 300 }),
  fc.array(double, { maxLength: 200 }),
  fc.array(decimal, { maxLength: 200 }),
  alike,
);
