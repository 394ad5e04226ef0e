import { isUtf8 } from "node:buffer";
import type { ExpositionFormat } from "../../src/pipeline/source/exposition/scanned-exposition.ts";

// Reads expositions slowly and plainly, one line at a time, by one regular expression for all of a sample's line. It knows nothing of
// the lines before and has no limits.

const blanks = "[ \\t]*";
const string = '"(?:[^"\\\\]|\\\\[^])*"';
const item = `(?:[a-zA-Z_][a-zA-Z0-9_]*${blanks}=${blanks}${string}|${string}(?:${blanks}=${blanks}${string})?)${blanks}`;
const labels = `\\{${blanks}(?:${item}(?:,${blanks}${item})*(?:,${blanks})?)?\\}`;
const number = "(?:[+-]?(?:[0-9]+(?:\\.[0-9]*)?|\\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:inf|infinity)|nan)";
const exemplar = `#${blanks}(?<exemplar>${labels})${blanks}(?<weight>${number})(?:[ \\t]+(?<at>${number}))?`;
const start = `(?:(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:${blanks}(?<own>${labels})${blanks}|[ \\t]+)|(?<set>${labels})${blanks})`;
const sample = new RegExp(
  `^${blanks}${start}(?<value>${number})(?:[ \\t]+(?<time>${number}))?(?:[ \\t]+${exemplar})?${blanks}$`,
  "i",
);
const comment = new RegExp(
  `^${blanks}#${blanks}(HELP|TYPE|UNIT)(?![^ \\t])${blanks}(${string}|[^ \\t]*)${blanks}([^]*)$`,
);
const types = "counter gauge histogram gaugehistogram summary stateset info unknown untyped".split(" ");

/** A sample as `shownSample` shows it; `rejected`; an empty text for a line without a sample.
 *  @param line without its line feed */
export function referenceLine(line: Buffer, format: ExpositionFormat): string {
  const end = line.at(-1) === 0x0d ? line.length - 1 : line.length;
  const bytes = line.subarray(0, end);
  const isText = isUtf8(bytes) && !bytes.includes(0);
  const text = bytes.toString(isText ? "utf8" : "latin1");
  if (/^[ \t]*$/.test(text)) return "";
  if (/^[ \t]*#/.test(text)) return commentOf(text, isText);
  const groups = isText ? sample.exec(text)?.groups : undefined;
  return groups === undefined ? "rejected" : sampleOf(groups, format);
}

/** The lines of an exposition without its BOM, as `referenceLine` takes them. */
export function linesOf(exposition: Buffer): Buffer[] {
  const bytes = exposition.subarray(0, 3).equals(Buffer.from("\u{FEFF}")) ? exposition.subarray(3) : exposition;
  // latin1 has a character for each byte
  const lines = bytes.toString("latin1").split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line) => Buffer.from(line, "latin1"));
}

function commentOf(text: string, isText: boolean): string {
  const [, keyword, name = "", rest = ""] = comment.exec(text) ?? [];
  if (keyword === undefined) return "";
  const isName = name.startsWith('"') ? /^".+"$/s.test(name) : /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name);
  return isText && isName && (keyword !== "TYPE" || types.includes(rest.replace(/[ \t]+$/, ""))) ? "" : "rejected";
}

function sampleOf(groups: Record<string, string | undefined>, format: ExpositionFormat): string {
  const { name, time, value = "", exemplar: exemplarLabels, weight, at } = groups;
  const read = setOf(groups["own"] ?? groups["set"] ?? "{}");
  const names = [...(name === undefined ? [] : [name]), ...read.names];
  if (names.length !== 1 || !read.isValid || !isDouble(value)) return "rejected";
  const other = exemplarLabels === undefined ? undefined : setOf(exemplarLabels);
  if (other !== undefined && (!other.isValid || other.names.length > 1)) return "rejected";
  if (![weight, at].every((text) => text === undefined || isDouble(text))) return "rejected";
  const shown = numberOf(value);
  const head = `${names[0]}{${read.pairs.map(([key, text]) => `${key}=${JSON.stringify(text)}`).join(",")}} ${Object.is(shown, -0) ? "-0" : shown}`;
  if (time === undefined) return head;
  if (format === "text" && !/^[+-]?[0-9]+$/.test(time)) return "rejected";
  const ms = format === "text" ? Number(time) : Math.round(Number(time) * 1000);
  return ms >= Date.UTC(2000) && ms < Date.UTC(2100) ? `${head} @${ms}` : "rejected";
}

function setOf(text: string): {
  readonly names: string[];
  readonly pairs: [string, string][];
  readonly isValid: boolean;
} {
  const names: string[] = [];
  const pairs: [string, string][] = [];
  const part = new RegExp(`([a-zA-Z_][a-zA-Z0-9_]*|${string})(?:${blanks}=${blanks}(${string}))?`, "g");
  for (const [, key = "", value] of text.slice(1, -1).matchAll(part)) {
    const plainKey = key.startsWith('"') ? plain(key) : key;
    if (value === undefined) names.push(plainKey);
    else pairs.push([plainKey, plain(value)]);
  }
  const keys = pairs.map(([key]) => key);
  return { names, pairs, isValid: ![...names, ...keys].includes("") && new Set(keys).size === keys.length };
}

function plain(quotedText: string): string {
  let text = "";
  for (let at = 1; at < quotedText.length - 1; at += 1) {
    const pair = quotedText.slice(at, at + 2);
    const character = pair === "\\n" ? "\n" : pair === "\\\\" ? "\\" : pair === '\\"' ? '"' : undefined;
    text += character ?? quotedText.charAt(at);
    if (character !== undefined) at += 1;
    else if (pair.startsWith("\\")) text += quotedText.charAt((at += 1));
  }
  return text;
}

function numberOf(text: string): number {
  if (/nan/i.test(text)) return NaN;
  if (/inf/i.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  return Number(text);
}

function isDouble(text: string): boolean {
  return /[a-df-z]/i.test(text.replaceAll(/e/gi, "")) || Number.isFinite(Number(text));
}
