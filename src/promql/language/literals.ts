import { badData } from "../promql-error.ts";

const unitMs: Readonly<Record<string, number>> = {
  ...{ ms: 1, s: 1000, m: 60_000, h: 3_600_000 },
  ...{ d: 86_400_000, w: 604_800_000, y: 31_536_000_000 },
};
const durationForm = /^(?:\d+y)?(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m(?!s))?(?:\d+s)?(?:\d+ms)?$/;

/** Reads a duration such as `1h30m`.
 *  @returns milliseconds; undefined if the text is none */
export function durationMs(text: string): number | undefined {
  if (text === "" || !durationForm.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+)(ms|[ywdhms])/g)];
  return parts.reduce((sum, [, count, unit = ""]) => sum + Number(count) * (unitMs[unit] ?? NaN), 0);
}

/** Reads a number as PromQL writes it: `1e3`, `0x1F`, `Inf`, `NaN`, `1_000`; a duration is its seconds.
 *  @returns undefined if the text is none */
export function numberOf(text: string): number | undefined {
  const [, sign = "", rest = ""] = /^([+-]?)\s*(.+)$/s.exec(text.trim()) ?? [];
  const magnitude = magnitudeOf(rest);
  if (magnitude === undefined) return undefined;
  return sign === "-" ? -magnitude : magnitude;
}

function magnitudeOf(text: string): number | undefined {
  if (/^inf$/i.test(text)) return Infinity;
  if (/^nan$/i.test(text)) return NaN;
  const plain = text.replaceAll("_", "");
  if (/^(?:0x[\da-f]+|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)$/i.test(plain)) return Number(plain);
  const ms = durationMs(text);
  return ms === undefined ? undefined : ms / 1000;
}

const simpleEscapes: Readonly<Record<string, string>> = {
  ...{ a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" },
  ...{ "\\": "\\", "'": "'", '"': '"' },
};
const escapeForm = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{3})|(.)|$)/gsu;

/** Reads a string with its quotes. Its escapes are those of Go, in which \x and octal digits are bytes of UTF-8; between backquotes there are
 *  none.
 *  @throws PromqlError if the quote that ends it is missing, or an escape is unknown */
export function stringOf(text: string): string {
  const quote = text[0] ?? "";
  const body = text.slice(1, -1);
  if (text.length < 2 || !text.endsWith(quote)) throw badData("parse error: unterminated quoted string");
  if (quote === "`") return body;
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (const { index, 0: escape, ...groups } of body.matchAll(escapeForm)) {
    const meant = meantBy(groups, quote);
    if (meant === undefined) throw badData(`parse error: unknown escape sequence ${escape} in ${text}`);
    pieces.push(Buffer.from(body.slice(at, index)), meant);
    at = index + escape.length;
  }
  return Buffer.concat([...pieces, Buffer.from(body.slice(at))]).toString();
}

/** The bytes that an escape means. */
function meantBy(groups: Readonly<Record<number, string | undefined>>, quote: string): Uint8Array | undefined {
  const { 1: x, 2: u, 3: long, 4: octal, 5: simple } = groups;
  const byte = x === undefined ? parseInt(octal ?? "", 8) : parseInt(x, 16);
  if (byte <= 0xff) return Uint8Array.of(byte);
  const code = parseInt(u ?? long ?? "", 16);
  // no halves of a pair: they are no characters
  if (code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)) return Buffer.from(String.fromCodePoint(code));
  const known = simple === undefined || simple === otherQuote(quote) ? undefined : simpleEscapes[simple];
  return known === undefined ? undefined : Buffer.from(known);
}

function otherQuote(quote: string): string {
  return quote === '"' ? "'" : '"';
}
