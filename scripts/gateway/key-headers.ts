import { readFileSync } from "node:fs";
import { exposureOf } from "../../src/kit/private-files.ts";
import { printError } from "../../src/terminal/print.ts";

const told = new Set<string | undefined>();

/** The header that carries the key of TELEMETRY_KEY, or of the file that TELEMETRY_KEY_FILE names; none without a key.
 *  @throws Error if the file cannot be read */
export function keyHeaders(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const { TELEMETRY_KEY: key, TELEMETRY_KEY_FILE: file } = env;
  const exposed = key || !file ? undefined : exposureOf("TELEMETRY_KEY_FILE", file);
  if (exposed !== undefined && !told.has(exposed)) printError(`warning: ${exposed}`);
  told.add(exposed);
  const text = key || (file ? readFileSync(file, "utf8").trim() : undefined);
  return text ? { authorization: `Bearer ${text}` } : {};
}
