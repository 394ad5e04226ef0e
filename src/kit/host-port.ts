import { isIPv6 } from "node:net";

/** Where a server can be reached. */
export interface HostPort {
  readonly scheme: "http" | "https";
  /** A host name or an IP address; an IPv6 address without brackets. */
  readonly host: string;
  /** Undefined if neither the text nor its scheme says which. */
  readonly port: number | undefined;
}

const defaultPorts = { http: 80, https: 443 } as const;

/** Reads a host name, an IP address, `host:port` or a URL without a path.
 *  @param usual the scheme of a text that has none
 *  @returns undefined if the text is none of these */
export function readHostPort(text: string, usual: HostPort["scheme"] = "http"): HostPort | undefined {
  if (isIPv6(text)) return { scheme: usual, host: text, port: undefined };
  const [, given, host = "", digits] =
    /^(?:(https?):\/\/)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?\/?$/.exec(text) ?? [];
  const bare = host.replace(/^\[|\]$/g, "");
  const scheme = given === "https" || given === "http" ? given : usual;
  const port = digits === undefined ? given && defaultPorts[scheme] : Number(digits);
  if (host === "" || port === 0 || Number(port) > 65_535 || (host.startsWith("[") && !isIPv6(bare))) return undefined;
  return { scheme, host: bare, port: port || undefined };
}

/** The URL of a server, without a slash at its end. A scheme's own port is left out. */
export function urlOfHost({ scheme, host, port }: HostPort & { readonly port: number }): string {
  const shownPort = port === defaultPorts[scheme] ? "" : `:${port}`;
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}${shownPort}`;
}
