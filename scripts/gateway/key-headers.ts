import { readFileSync } from "node:fs";

/** The header that carries the key of TELEMETRY_KEY, or of the file that TELEMETRY_KEY_FILE names; none without a key.
 *  @throws Error if the file cannot be read */
export function keyHeaders(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const { TELEMETRY_KEY: key, TELEMETRY_KEY_FILE: file } = env;
  const text = key || (file ? readFileSync(file, "utf8").trim() : undefined);
  return text ? { authorization: `Bearer ${text}` } : {};
}
