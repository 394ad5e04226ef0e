import { answerOf } from "gpu-telemetry-client";
import type { KeyRequest } from "../../src/access/key-administration.ts";
import { keyFileLine } from "../../src/access/file/keys-file.ts";
import { keyNameProblem } from "../../src/access/key-name.ts";
import { makeKeyText } from "../../src/access/key-text.ts";
import { isScope, type Scope, scopes, selectorProblem } from "../../src/access/scope.ts";
import { boundNames, type GpuBounds, readNames } from "../../src/domain/gpu-bounds.ts";
import { formatTimestamp, readInstant } from "../../src/domain/timestamp.ts";
import { defined } from "../../src/kit/defined.ts";
import { cellOf, type Output } from "./output.ts";
import { showRows } from "./show-rows.ts";
import { print, printError } from "../../src/terminal/print.ts";
import { unmatchedNames } from "./unmatched-names.ts";
import { UsageError } from "./usage-error.ts";

const columns = ["id", "name", "scopes", "selector", "created_at", "expires_at", "revoked_at", "last_used_at"];

/** The options of the commands that make a key. */
export interface KeyOptions {
  readonly name: string;
  readonly scopes: string;
  readonly clusters?: string;
  readonly hosts?: string;
  readonly namespaces?: string;
  readonly expires?: string;
  readonly direct?: boolean;
}

/** Creates a key, and prints it alone on standard output, so that a script can take it. */
export async function createKey(output: Output, options: KeyOptions): Promise<void> {
  if (options.direct === true) {
    // the drivers of the stores take twice as long to load as the rest of this program
    const { createInDatabase } = await import("./key-in-database.ts");
    const { key, text } = await createInDatabase(requestIn(options));
    return showNew(output, { key: text, id: key.id, name: key.name, scopes: key.scopes });
  }
  const { name, scopes: granted, clusters, hosts, namespaces, expires } = options;
  const query = defined({ name, scopes: granted, clusters, hosts, namespaces, expires_at: expires });
  const { data } = await answerOf(output.gateway.POST("/api/v1/keys", { params: { query } }));
  showNew(output, data);
  for (const hint of await unmatchedNames(output.gateway, data.selector ?? {})) printError(hint);
}

export async function listKeys(output: Output, { limit }: { readonly limit?: number }): Promise<void> {
  const query = limit === undefined ? {} : { limit };
  const { data } = await answerOf(output.gateway.GET("/api/v1/keys", { params: { query } }));
  showRows(
    data.map((key) =>
      output.asJson ? key : { ...key, scopes: key.scopes.join(","), selector: selectorText(key.selector) },
    ),
    columns,
    output,
  );
}

export async function revokeKey(output: Output, id: string): Promise<void> {
  const { data } = await answerOf(output.gateway.DELETE("/api/v1/keys/{key_id}", { params: { path: { key_id: id } } }));
  showRows([data], ["id", "name", "revoked_at"], output);
}

export async function rotateKey(output: Output, id: string, { overlap }: { readonly overlap?: number }): Promise<void> {
  const query = defined({ overlap_seconds: overlap });
  const path = { key_id: id };
  const { data } = await answerOf(output.gateway.POST("/api/v1/keys/{key_id}/rotate", { params: { path, query } }));
  const { replaces } = data;
  showNew(output, data);
  if (replaces !== undefined) printError(`the key ${cellOf(replaces.id)} ends at ${replaces.expires_at}`);
}

/** Makes a key for AUTH_KEYS_FILE, and stores nothing. */
export function makeKey(output: Output, options: KeyOptions): void {
  const { id, text, sha256 } = makeKeyText();
  const line = keyFileLine({ id, sha256, ...requestIn(options) });
  if (output.asJson) return print(JSON.stringify({ key: text, line }));
  print(text);
  printError("the line for AUTH_KEYS_FILE, which does not contain the key:");
  print(line);
}

interface ShownKey {
  readonly key: string;
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
}

function showNew({ asJson }: Output, key: ShownKey): void {
  if (asJson) return print(JSON.stringify(key, null, 2));
  const { id, name, scopes: granted, key: text } = key;
  printError(`the key ${id} (${cellOf(name)}: ${granted.join(", ")}), which is shown only now:`);
  print(text);
}

/** @throws UsageError */
function requestIn({ name, scopes: text, expires, ...lists }: KeyOptions): KeyRequest {
  const request = { name: nameIn(name), scopes: scopesIn(text), expiresAtMs: expiryIn(expires) };
  const selector: Partial<Record<keyof GpuBounds, readonly string[]>> = {};
  for (const each of boundNames) {
    if (lists[each] === undefined) continue;
    const read = readNames(lists[each]);
    if ("problem" in read) throw new UsageError(`--${each} ${lists[each]} is not usable: ${read.problem}`);
    selector[each] = read.value;
  }
  if (Object.keys(selector).length === 0) return request;
  const problem = selectorProblem(request.scopes);
  if (problem !== undefined) throw new UsageError(`--scopes ${text} is not usable: ${problem}`);
  return { ...request, selector };
}

/** The selector in a cell of a table. */
function selectorText(selector: GpuBounds = {}): string {
  return boundNames.flatMap((name) => (selector[name] ? [`${name}=${selector[name].join(",")}`] : [])).join(" ");
}

/** @throws UsageError */
function nameIn(name: string): string {
  const problem = keyNameProblem(name);
  if (problem === undefined) return name;
  throw new UsageError(`--name ${cellOf(name)} is not usable: ${problem}`);
}

/** @throws UsageError */
function scopesIn(text: string): Scope[] {
  const granted = [...new Set(text.split(","))];
  if (granted.every(isScope)) return granted;
  throw new UsageError(
    `--scopes ${text} is not usable; expected names from ${scopes.join(", ")}, with commas between them`,
  );
}

/** @throws UsageError */
function expiryIn(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const read = readInstant(text);
  if ("problem" in read)
    throw new UsageError(
      `--expires ${text} is not usable: ${read.problem}; expected a time such as 2030-01-01T00:00:00Z`,
    );
  if (read.ms > Date.now()) return read.ms;
  throw new UsageError(`--expires ${text} is not usable: ${formatTimestamp(read.ms)} has passed`);
}
