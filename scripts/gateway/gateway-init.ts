import { GatewayFileUnusable, readGatewayFile } from "./gateway-file.ts";
import { gatewayTls, type GatewayTls } from "./gateway-tls.ts";
import { settingMeantBy } from "../../src/config/misspelled-settings.ts";
import { exposureOf } from "../../src/kit/private-files.ts";
import { printError } from "../../src/terminal/print.ts";

/** The variables of commands that ask a gateway. */
const variables = ["URL", "KEY", "KEY_FILE", "CA_FILE", "CERT_FILE", "CERT_KEY_FILE"].map(
  (name) => `TELEMETRY_${name}`,
);
const told = new Set<string>();

/** Prints a warning once. */
function warnOnce(text: string): void {
  if (!told.has(text)) printError(`warning: ${text}`);
  told.add(text);
}

/** Warns of variables that have no effect, but resemble one that has. Their values may be secrets. */
function tellMisspelled(env: Readonly<Record<string, string | undefined>>): void {
  for (const name of Object.keys(env)) {
    const meant = variables.includes(name) || !env[name] ? undefined : settingMeantBy(name, variables);
    if (meant !== undefined) warnOnce(`${name} has no effect: ${meant} seems to be meant`);
  }
}

/** The header that carries the key of TELEMETRY_KEY, or of the file that TELEMETRY_KEY_FILE names; none without a key.
 *  @throws GatewayFileUnusable */
function keyHeaders(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const { TELEMETRY_KEY: key, TELEMETRY_KEY_FILE: file } = env;
  const exposed = key || !file ? undefined : exposureOf("TELEMETRY_KEY_FILE", file);
  if (exposed !== undefined) warnOnce(exposed);
  const text = key || (file ? readKey(file) : undefined);
  return text ? { authorization: `Bearer ${text}` } : {};
}

/** What a command sends with each request to a gateway: its key, and the settings of TLS, which is an option of Bun.
 *  @throws GatewayFileUnusable */
export function gatewayInit(env: Readonly<Record<string, string | undefined>>): {
  readonly headers: Record<string, string>;
  readonly tls?: GatewayTls;
} {
  tellMisspelled(env);
  const tls = gatewayTls(env);
  return { headers: keyHeaders(env), ...(tls === undefined ? {} : { tls }) };
}

function readKey(file: string): string {
  const text = readGatewayFile("TELEMETRY_KEY_FILE", file).trim();
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  throw new GatewayFileUnusable(`TELEMETRY_KEY_FILE=${file} has no key: a key or token is one word, alone in its file`);
}
