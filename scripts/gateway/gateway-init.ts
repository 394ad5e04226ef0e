import { readFileSync } from "node:fs";
import { gatewayTls, type GatewayTls } from "./gateway-tls.ts";
import { exposureOf } from "../../src/kit/private-files.ts";
import { printError } from "../../src/terminal/print.ts";

const told = new Set<string | undefined>();

/** The header that carries the key of TELEMETRY_KEY, or of the file that TELEMETRY_KEY_FILE names; none without a key.
 *  @throws Error if the file cannot be read */
function keyHeaders(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const { TELEMETRY_KEY: key, TELEMETRY_KEY_FILE: file } = env;
  const exposed = key || !file ? undefined : exposureOf("TELEMETRY_KEY_FILE", file);
  if (exposed !== undefined && !told.has(exposed)) printError(`warning: ${exposed}`);
  told.add(exposed);
  const text = key || (file ? readFileSync(file, "utf8").trim() : undefined);
  return text ? { authorization: `Bearer ${text}` } : {};
}

/** What a command sends with each request to a gateway: its key, and the settings of TLS, which is an option of Bun.
 *  @throws Error if a file cannot be read */
export function gatewayInit(env: Readonly<Record<string, string | undefined>>): {
  readonly headers: Record<string, string>;
  readonly tls?: GatewayTls;
} {
  const tls = gatewayTls(env);
  return { headers: keyHeaders(env), ...(tls === undefined ? {} : { tls }) };
}
