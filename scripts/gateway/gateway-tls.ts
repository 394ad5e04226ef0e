import { readGatewayFile } from "./gateway-file.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** What a command trusts and shows when it connects to a gateway with TLS, as texts in PEM. */
export interface GatewayTls {
  /** The authorities that may have signed the gateway's certificate; undefined: those that the system trusts. */
  readonly ca?: string;
  /** The command's own certificate, and its key. */
  readonly cert?: string;
  readonly key?: string;
}

/** The contents of TELEMETRY_CA_FILE, TELEMETRY_CERT_FILE and TELEMETRY_CERT_KEY_FILE; undefined if none of them is set.
 *  @throws GatewayFileUnusable */
export function gatewayTls(env: Environment): GatewayTls | undefined {
  const files = { ca: "TELEMETRY_CA_FILE", cert: "TELEMETRY_CERT_FILE", key: "TELEMETRY_CERT_KEY_FILE" } as const;
  const entries = Object.entries(files).flatMap(([name, variable]) => {
    const file = env[variable];
    return file ? [[name, readGatewayFile(variable, file)] as const] : [];
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
