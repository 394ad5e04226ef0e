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
/** What comes again after a few records: who has a value, or the steps between instants. Some records are missing. */
const repeated = fc
  .tuple(
    fc.array(fc.tuple(fc.boolean(), fc.nat(5000)), { minLength: 1, maxLength: 70 }),
    fc.constantFrom("instants", "values", "doubles"),
    fc.array(fc.nat(400), { maxLength: 4 }),
    fc.nat(400),
  )
  .map(([pattern, kind, missing, length]) => {
    const places = Array.from({ length }, (_, index) => index).filter((index) => !missing.includes(index));
    return places.map((index) => {
      const [isPresent, offset] = pattern[index % pattern.length] ?? [true, 0];
      if (kind === "instants") return Math.floor(index / pattern.length) * 15_000 + offset;
      if (!isPresent) return NaN;
      return kind === "values" ? (index * 7919) % 1000 : Math.sqrt(index);
    });
  });
/** The values of a series in the order of its records; NaN: the record has none. */
export const columns = fc.oneof(
  fc.array(value, { maxLength: 300 }),
  fc.array(double, { maxLength: 200 }),
  fc.array(decimal, { maxLength: 200 }),
  alike,
  repeated,
);
