import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { type Document, isNode, LineCounter, parseDocument } from "yaml";
import { readTarget, type Target, type TargetEntry } from "../target.ts";
import { UnusableSource } from "../../../../domain/errors.ts";

/** A file of targets, as it was read. */
export interface TargetsFile {
  /** For messages. */
  readonly path: string;
  readonly text: string;
}

interface LocatedEntry extends TargetEntry {
  /** The line of the address, from 1. */
  readonly line: number;
}

/** The number of errors that a message lists. */
const shownErrors = 5;

/** Reads a file of targets in one of two forms. Prometheus' file_sd: YAML or JSON, a list of `targets` and `labels`. The simple form:
 *  one target per line, followed by its labels (`host:9400 cluster=a rack=r1`); `#` starts a comment. A name that ends in .json, .yaml or
 *  .yml means file_sd.
 *  @param clusterId the cluster of targets without the label `cluster`
 *  @throws UnusableSource that names the file, the lines and what is wrong there; no target is used then */
export function readTargetsFile(file: TargetsFile, clusterId: string): readonly Target[] {
  const errors: string[] = [];
  const fail = (line: number, message: string): void => void errors.push(`${file.path}:${line}: ${message}`);
  // an editor or a full disk may leave an empty file, and every target would be gone
  if (file.text.trim() === "") fail(1, "the file is empty; write [] if there are no targets");
  const entries = isFileSd(file) ? fileSdEntries(file, fail) : simpleEntries(file.text, fail);
  const targets = entries.flatMap((entry) => {
    const target = readTarget(entry, clusterId);
    if (typeof target !== "string") return [target];
    fail(entry.line, target);
    return [];
  });
  if (errors.length === 0) return targets;
  const more = errors.length > shownErrors ? [`and ${errors.length - shownErrors} more errors`] : [];
  throw new UnusableSource([...errors.slice(0, shownErrors), ...more].join("; "));
}

/** The name's ending decides; without a known one, the first line that is not a comment. */
function isFileSd({ path, text }: TargetsFile): boolean {
  return endingOf(path) !== undefined || looksLikeFileSd(text);
}

function endingOf(path: string): string | undefined {
  return /\.(?:json|ya?ml)$/i.exec(path)?.[0];
}

function looksLikeFileSd(text: string): boolean {
  const first = text.split("\n").find((line) => line.trim() !== "" && !line.trimStart().startsWith("#")) ?? "";
  // [::1]:9400 is a target
  return /^\s*(?:\[\s*(?:\{|\]|$)|-\s|---|\{|"?(?:targets|labels)"?\s*:(?:\s|$))/.test(first);
}

/** What to do about a file of targets, one per line, whose name says that it is of the other form. */
function hintOfForm({ path, text }: TargetsFile): string {
  const ending = endingOf(path);
  if (ending === undefined || looksLikeFileSd(text)) return "";
  return `; ${ending} means Prometheus' file_sd; a file with a target per line has another ending, such as .txt`;
}

type Fail = (line: number, message: string) => void;

function simpleEntries(text: string, fail: Fail): LocatedEntry[] {
  return text.split(/\r?\n/).flatMap((content, index) => {
    const [address, ...labels] = content
      .replace(/(?:^|\s)#.*$/, "")
      .trim()
      .split(/\s+/);
    if (address === undefined || address === "") return [];
    const line = index + 1;
    const wrong = labels.find((label) => !/^[^=]+=/.test(label));
    if (wrong !== undefined) {
      fail(line, `${JSON.stringify(wrong)} is no label; expected name=value`);
      return [];
    }
    const pairs = labels.map((label): [string, string] => {
      const at = label.indexOf("=");
      return [label.slice(0, at), label.slice(at + 1)];
    });
    return [{ address, labels: Object.fromEntries(pairs), line }];
  });
}

const group = Type.Object({
  targets: Type.Array(Type.String()),
  labels: Type.Optional(
    Type.Union([Type.Null(), Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]))]),
  ),
});

/** @returns an error for aliases that have no anchor, or that would make a small file very large */
function groupsIn(document: Document): unknown {
  try {
    return document.toJS();
  } catch (error) {
    return error;
  }
}

function fileSdEntries(file: TargetsFile, fail: Fail): LocatedEntry[] {
  const { text } = file;
  const hint = hintOfForm(file);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: "error" });
  for (const { message, pos } of document.errors) fail(lines.linePos(pos[0]).line, message + hint);
  if (document.errors.length > 0) return [];
  const groups = groupsIn(document);
  if (groups instanceof Error) {
    fail(1, groups.message);
    return [];
  }
  if (!Array.isArray(groups)) {
    if (text.trim() !== "") fail(1, `expected a list of groups, such as - targets: ["host:9400"]${hint}`);
    return [];
  }
  return groups.flatMap((each: unknown, index): LocatedEntry[] => {
    if (!Value.Check(group, each)) {
      const wrong = Value.Errors(group, each).First();
      const place = (wrong?.path ?? "").split("/").slice(1);
      fail(lineOf(document, [index, ...place], lines), `expected targets (a list of texts) and labels (texts by name)`);
      return [];
    }
    const labels = Object.fromEntries(
      Object.entries(each.labels ?? {}).map(([name, value]) => [name, String(value)] as const),
    );
    return each.targets.map((address, at) => ({
      address,
      labels,
      line: lineOf(document, [index, "targets", at], lines),
    }));
  });
}

/** The line of a part of the document; of the nearest part around it, if it does not exist. */
function lineOf(document: Document, path: readonly (string | number)[], lines: LineCounter): number {
  for (let length = path.length; length > 0; length -= 1) {
    const node: unknown = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}
