import { formatTimestamp, readInstant } from "../../domain/timestamp.ts";
import { quoted } from "../../domain/cut-text.ts";
import { readGpuBounds } from "../../domain/gpu-bounds.ts";
import { keyNameProblem } from "../key-name.ts";
import { keyIdPattern } from "../key-text.ts";
import type { CheckedKey } from "../key-store.ts";
import { isScope, scopes, selectorProblem } from "../scope.ts";
import { jsonEntriesIn, notJson, RereadFile } from "./reread-file.ts";

const members: ReadonlySet<string> = new Set(["id", "name", "sha256", "scopes", "selector", "expires"]);

/** The keys of a file, and what is wrong with its other entries. */
export interface KeysInFile {
  readonly keys: readonly CheckedKey[];
  readonly problems: readonly string[];
}

/** A file with the hashes of keys: a JSON array of entries, or an entry on each line. */
export class KeysFile {
  private readonly file: RereadFile<CheckedKey>;

  constructor(path: string) {
    this.file = new RereadFile(path, { setting: "AUTH_KEYS_FILE", noun: "keys" }, (text) => {
      const { keys, problems } = readKeys(text);
      return { entries: keys, problems };
    });
  }

  /** Reads the file, if it has changed. While it cannot be read, the keys of the last reading stay, and a problem says so. */
  async read(): Promise<KeysInFile> {
    const { entries, problems } = await this.file.read();
    return { keys: entries, problems };
  }
}

/** The line of AUTH_KEYS_FILE for a key. */
export function keyFileLine({ id, name, sha256, scopes: granted, selector, expiresAtMs }: CheckedKey): string {
  const expires = expiresAtMs === undefined ? undefined : formatTimestamp(expiresAtMs);
  return JSON.stringify({ id, name, sha256, scopes: granted, selector, expires });
}

/** Reads the entries of a file; an entry that is not usable is left out, and named in a problem. */
export function readKeys(text: string): KeysInFile {
  const keys = new Map<string, CheckedKey>();
  const problems: string[] = [];
  for (const { place, value } of jsonEntriesIn(text)) {
    const read = readEntry(value);
    if (typeof read === "string") problems.push(`${place}: ${read}`);
    else if (keys.has(read.id)) problems.push(`${place}: another entry has the id ${quoted(read.id)}`);
    else keys.set(read.id, read);
  }
  return { keys: [...keys.values()], problems };
}

/** @returns the key, or what is wrong with the entry. No text of the entry is shown except its id: it may be a secret. */
function readEntry(value: unknown): CheckedKey | string {
  if (value === notJson) return "it is not JSON";
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "it is not a JSON object";
  const { id, name, sha256, scopes: granted, selector, expires } = value as Readonly<Record<string, unknown>>;
  if (typeof id !== "string" || !keyIdPattern.test(id)) return "its id is not 1 to 32 characters of a-z and 0-9";
  const of = `the key ${quoted(id)}`;
  const unknown = Object.keys(value).find((member) => !members.has(member));
  if (unknown !== undefined) return `${of} has the unknown member ${quoted(unknown)}`;
  if (typeof name !== "string") return `${of} has no name`;
  const problem = keyNameProblem(name);
  if (problem !== undefined) return `${of} has a name that is not usable: ${problem}`;
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/i.test(sha256)) return `${of} has no sha256 of 64 hex digits`;
  if (!Array.isArray(granted) || granted.length === 0 || !granted.every(isScope)) {
    return `${of} has no list of scopes from ${scopes.join(", ")}`;
  }
  const bounds = selector === undefined ? {} : readGpuBounds(selector);
  if ("problem" in bounds) return `${of} has a selector that is not usable: ${bounds.problem}`;
  const beyond = selector === undefined ? undefined : selectorProblem(granted);
  if (beyond !== undefined) return `${of} has scopes that are not usable: ${beyond}`;
  const key = {
    id,
    name,
    sha256: sha256.toLowerCase(),
    scopes: [...new Set(granted)],
    ...(selector === undefined ? {} : { selector: bounds }),
    expiresAtMs: undefined,
  };
  if (expires === undefined) return key;
  const instant = typeof expires === "string" ? readInstant(expires) : undefined;
  if (instant === undefined || "problem" in instant) return `${of} has an expiry that is not RFC 3339 with zone`;
  return { ...key, expiresAtMs: instant.ms };
}
