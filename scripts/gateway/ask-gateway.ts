import { gatewayInit } from "./gateway-init.ts";

/** A successful answer of a gateway. */
export interface GatewayAnswer {
  readonly count: number;
  /** A single object is a list of one. */
  readonly data: readonly Readonly<Record<string, unknown>>[];
}

/** The gateway of this machine: TELEMETRY_URL, or else localhost with PORT (8080). */
export function gatewayUrl(env: Readonly<Record<string, string | undefined>>): string {
  const scheme = env.TLS_CERT_FILE ? "https" : "http";
  return (env.TELEMETRY_URL || `${scheme}://localhost:${env.PORT || 8080}`).replace(/\/$/, "");
}

/** Requests a list, or an object, of a gateway.
 *  @throws Error with a sentence for people, if no gateway answers or it refuses the request */
export async function askGateway(url: string, path: string): Promise<GatewayAnswer> {
  const response = await fetch(`${url}${path}`, {
    ...gatewayInit(process.env),
    signal: AbortSignal.timeout(30_000),
  }).catch((cause: unknown) => {
    throw new Error(`no gateway answers at ${url}; start one with make scale-local, or set TELEMETRY_URL`, {
      cause,
    });
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`GET ${url}${path} answered ${response.status}: ${text.slice(0, 300)}`);
  const { count, data } = JSON.parse(text) as { readonly count: number; readonly data: GatewayAnswer["data"] };
  return { count, data: [data].flat() };
}
