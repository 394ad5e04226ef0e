import { readFileSync } from "node:fs";
import { sharedFile } from "./shared-data.ts";

/** The API reference of the former system, taken from its text. */
export interface ReferenceText {
  /** Methods and paths without their descriptions, such as `GET /api/v1/gpus`. */
  readonly endpoints: readonly string[];
  /** The parameters that every telemetry endpoint accepts, such as `?limit=100`. */
  readonly parameters: readonly string[];
  /** Shell commands; a command that spans several lines is joined into one line. */
  readonly commands: readonly string[];
  readonly graphQlQueries: readonly string[];
  /** WebSocket messages and REST answers, parsed. */
  readonly json: readonly Readonly<Record<string, unknown>>[];
}

const path = sharedFile("seed-readme.md");

/** The reference; undefined when the shared folder does not have it, for `test.skipIf`. */
export const referenceText = path === undefined ? undefined : parse(readFileSync(path, "utf8"));

function parse(readme: string): ReferenceText {
  const section = /^## [^\n]*Complete API Reference\n(.*?)^## /ms.exec(readme)?.[1] ?? "";
  const code = [...section.matchAll(/^```(?:bash|json)\n(.*?)^```/gms)].map(([, text]) => text ?? "").join("\n");
  const lines = code.replaceAll("\\\n", " ").split("\n");
  const bodies = [...code.matchAll(/^\{\n.*?^\}/gms)].map(([text]) => text);
  return {
    endpoints: matches(lines, /^((?:GET|POST|WS) \S+)/),
    parameters: matches(lines, /^(\?\S+)/),
    commands: matches(lines, /^((?:curl|wscat) .*)/),
    graphQlQueries: bodies.filter((body) => !body.includes('":')),
    json: bodies.filter((body) => body.includes('":')).map((body) => JSON.parse(body) as Record<string, unknown>),
  };
}

function matches(lines: readonly string[], pattern: RegExp): string[] {
  return [...new Set(lines.flatMap((line) => pattern.exec(line)?.[1] ?? []))];
}
