import { expect, test } from "bun:test";
import fc from "fast-check";
import { ExpositionScanner } from "../../src/pipeline/source/exposition/exposition-scanner.ts";
import { usualLimits } from "../../src/pipeline/source/exposition/scanned-exposition.ts";
import { scanAll, shownSample } from "../support/exposition-scan.ts";
import { linesOf, referenceLine } from "../support/reference-exposition.ts";

const oneOf = (...texts: string[]): fc.Arbitrary<string> => fc.constantFrom(...texts);
const blank = oneOf("", "", "", " ", "\t", "  ");
const text = fc.array(oneOf("a", "0", "}", "{", ",", "#", " ", "=", "ü", "🖥", "\\\\", '\\"', "\\n", "\\d", "\r"), {
  maxLength: 4,
});
const quotedText = text.map((parts) => `"${parts.join("")}"`);
const name = oneOf("up", "upper", "u", "a:b", "DCGM_FI_DEV_GPU_TEMP", "1up", "gpu-temp", "");
const label = fc
  .tuple(fc.oneof(oneOf("a", "b", "gpu", "_x", "1a"), quotedText), blank, fc.option(quotedText, { freq: 8 }), blank)
  .map(([key, before, value, after]) => `${key}${before}${value === null ? "" : `=${after}${value}`}`);
const labels = fc
  .tuple(fc.array(label, { maxLength: 4 }), oneOf(",", ", ", " ,", ",,", ""), oneOf("", "", ",", "}"))
  .map(([items, comma, end]) => `{${items.join(comma)}${end}}`);
const number = fc.oneof(
  fc.double().map(String),
  fc.integer().map(String),
  fc
    .tuple(fc.bigInt({ min: 0n, max: 10n ** 20n }), fc.nat({ max: 999_999 }))
    .map(([whole, part]) => `${whole}.${part}`),
  oneOf("NaN", "+Inf", "-inf", "infinity", "-0", "1e999", "1e-999", "0x1", "1_0", ".", "", "abc", "5.", ".5", "+1e+3"),
);
const time = oneOf("", "", "", " 1752871354500", " 1752871354", " 1752871354.5", " -1", " NaN", " x", " 1e12");
const exemplar = oneOf("", "", "", ' # {a="1"} 1', " # {} 1 2", ' # {a="1"}', " #", ' # {a="1",a="2"} 1');
const sample = fc
  .tuple(blank, name, blank, fc.option(labels), oneOf(" ", "", "\t "), number, time, exemplar, blank)
  .map((parts) => parts.map((part) => part ?? "").join(""));
const comment = fc
  .tuple(
    blank,
    oneOf("#", "# "),
    oneOf("HELP", "TYPE", "UNIT", "EOF", "HELPER", ""),
    oneOf(" ", "\t"),
    fc.oneof(name, quotedText),
    blank,
    oneOf("gauge", "untyped", "text \\n", "metre", ""),
  )
  .map((parts) => parts.join(""));
const line = fc.oneof(
  { weight: 4, arbitrary: sample },
  { weight: 1, arbitrary: comment },
  { weight: 1, arbitrary: oneOf("", " ", "\r") },
);
const bytes = fc.oneof(
  { weight: 6, arbitrary: line.map((one) => Buffer.from(one)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 12 }).map((one) => Buffer.from(one)) },
);
const exposition = fc
  .tuple(oneOf("", "", "\u{FEFF}"), fc.array(fc.tuple(bytes, oneOf("\n", "\n", "\r\n")), { maxLength: 12 }), bytes)
  .map(([mark, lines, last]) =>
    Buffer.concat([Buffer.from(mark), ...lines.flatMap(([one, end]) => [one, Buffer.from(end)]), last]),
  );

test("a scanner reads each line as a slow reference does that sees the line alone, whatever it has scanned before", () => {
  const format = fc.constantFrom("text" as const, "openmetrics" as const);
  fc.assert(
    fc.property(
      fc.array(exposition, { minLength: 1, maxLength: 3 }),
      format,
      fc.integer({ min: 1, max: 30 }),
      (all, kind, maxSeries) => {
        const scanner = new ExpositionScanner({ ...usualLimits, maxSeries });
        for (const one of [...all, ...all]) {
          const scan = scanAll(one, scanner, kind);
          const given = new Map(scan.received.map((received) => [received.line, shownSample(received)]));
          for (const rejection of scan.rejected) given.set(rejection.line, "rejected");
          const lines = linesOf(one);
          expect(lines.map((_, at) => given.get(at + 1) ?? "")).toEqual(lines.map((bare) => referenceLine(bare, kind)));
          expect(scan.received.length + scan.rejected.length).toBe(given.size);
          expect(scan).toMatchObject({ lines: lines.length, samples: scan.received.length });
          for (const { byte, line: number, raw } of scan.rejected) {
            const start = Buffer.concat(lines.slice(0, number - 1).flatMap((bare) => [bare, Buffer.from("\n")])).length;
            expect(byte).toBe(start + (one.subarray(0, 3).equals(Buffer.from("\u{FEFF}")) ? 3 : 0));
            expect(raw.length).toBeLessThanOrEqual(2000);
          }
        }
      },
    ),
    { numRuns: 1500 },
  );
});

test("values are bit for bit the doubles that Number() gives", () => {
  const scanner = new ExpositionScanner();
  fc.assert(
    fc.property(
      number.filter(
        (one) => Number.isFinite(Number(one)) && /^[+-]?[0-9.]+(?:e[+-]?[0-9]+)?$/i.test(one) && /[0-9]/.test(one),
      ),
      (one) => {
        const values = scanAll(`up ${one}\nup ${one} 1752871354500\n`, scanner).received.map(({ value }) => value);
        const bits = (value: number): Uint8Array => new Uint8Array(Float64Array.of(value).buffer);
        expect(values.map(bits)).toEqual([bits(Number(one)), bits(Number(one))]);
      },
    ),
    { numRuns: 3000 },
  );
});
