import { hashSign, quote } from "../bytes/characters.ts";
import type { SharedTexts } from "../labels/shared-texts.ts";
import type { FieldError } from "../../../domain/field-rules.ts";
import { quoted } from "../../../domain/cut-text.ts";
import { invalidName, tooLong, unclosedLabels } from "./line-errors.ts";
import { type LineReader, metricName, unescaped } from "./line-reader.ts";
import type { ExpositionLimits, FamilyType, MetricFamily } from "./scanned-exposition.ts";

/** What a comment says about a family. */
export interface Metadata {
  readonly family: string;
  readonly said: Partial<MetricFamily>;
}

const typeByText: ReadonlyMap<string, FamilyType> = new Map([
  ...(["counter", "gauge", "histogram", "gaugehistogram", "summary", "stateset", "info", "unknown"] as const).map(
    (type) => [type, type] as const,
  ),
  ["untyped", "unknown"],
]);

/** Reads a comment.
 *  @param line at its #
 *  @returns what it says; `end` for `# EOF`; undefined if it says nothing to programs */
export function readComment(line: LineReader, limits: ExpositionLimits): Metadata | "end" | FieldError | undefined {
  line.take(hashSign);
  line.skipBlanks();
  const keyword = line.token();
  line.skipBlanks();
  if (keyword === "EOF" && line.isAtEnd) return "end";
  if (keyword !== "HELP" && keyword !== "TYPE" && keyword !== "UNIT") return undefined;
  const family = readFamilyName(line, limits);
  if (typeof family === "object") return family;
  line.skipBlanks();
  const text = line.rest();
  if (keyword === "HELP") return { family, said: { help: text.includes("\\") ? unescaped(text) : text } };
  const word = text.replace(/[ \t]+$/, "");
  if (keyword === "UNIT") return { family, said: { unit: word } };
  const type = typeByText.get(word);
  return type === undefined ? unknownType(family, word) : { family, said: { type } };
}

/** The same as an object that scanners share. */
export function sharedMetadata({ family, said }: Metadata, texts: SharedTexts): Metadata {
  return texts.sharedObject(["metadata", family, said], () => {
    const { help } = said;
    return { family: texts.shared(family), said: help === undefined ? said : { help: texts.shared(help) } };
  });
}

function readFamilyName(line: LineReader, limits: ExpositionLimits): string | FieldError {
  const start = line.at;
  const isQuoted = line.bytes[start] === quote;
  const name = isQuoted ? line.quotedText() : line.token();
  if (name === undefined) return unclosedLabels();
  if (isQuoted ? name === "" : !metricName.test(name)) return invalidName("metric", name);
  return line.at - start > limits.maxNameBytes ? tooLong("", name, limits.maxNameBytes) : name;
}

function unknownType(family: string, type: string): FieldError {
  return {
    reason: "invalid_field",
    field: family,
    value: type,
    message: `The type ${quoted(type)} of ${quoted(family)} is not one of ${[...typeByText.keys()].join(", ")}.`,
  };
}

/** The families of an exposition, from its comments. They are built again only if the comments have changed since the last one. */
export class Families {
  private comments: Metadata[] = [];
  private count = 0;
  private hasChanged = false;
  private families: ReadonlyMap<string, MetricFamily> = new Map();

  constructor(private readonly texts: SharedTexts) {}

  /** Call it before the first comment of an exposition. */
  rewind(): void {
    this.count = 0;
  }

  /** @param comment the same object as in the last exposition if it says the same */
  add(comment: Metadata): void {
    if (this.comments[this.count] !== comment) {
      this.comments[this.count] = comment;
      this.hasChanged = true;
    }
    this.count += 1;
  }

  /** Call it after the last comment. */
  finish(): ReadonlyMap<string, MetricFamily> {
    if (!this.hasChanged && this.count === this.comments.length) return this.families;
    this.comments.length = this.count;
    this.hasChanged = false;
    this.families = this.texts.sharedObject(["families", this.comments], () => familiesOf(this.comments));
    return this.families;
  }
}

function familiesOf(comments: readonly Metadata[]): ReadonlyMap<string, MetricFamily> {
  const families = new Map<string, MetricFamily>();
  for (const { family, said } of comments) {
    families.set(family, { ...(families.get(family) ?? saidNothing), ...said });
  }
  return families;
}

const saidNothing: MetricFamily = { type: "unknown", help: "", unit: "" };
