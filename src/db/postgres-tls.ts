import { checkServerIdentity, type ConnectionOptions } from "node:tls";
import { InvalidConfig } from "../domain/errors.ts";
import { messageOf } from "../kit/message-of.ts";
import { type ClientPem, clientPemFiles } from "../kit/pem-file.ts";

/** How connections to a server use TLS: not at all (`false`), if the server offers it (`prefer`), or always, with these options. */
export type PostgresTls = false | "prefer" | ConnectionOptions;

const modes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] as const;
type Mode = (typeof modes)[number];
const optional: ReadonlySet<Mode> = new Set<Mode>(["disable", "allow", "prefer"]);

/** Parameters of libpq that ask for something which connections here would not do. */
const unsupported = {
  sslcrl: "revocation lists are not read",
  sslcrldir: "revocation lists are not read",
  sslpassword: "give the key without a passphrase",
  sslcertmode: "a client certificate is sent if sslcert names one",
  channel_binding: "remove it, and use sslmode=verify-full, which keeps others out of the connection in the same way",
  require_auth: "remove it, and use sslmode=verify-full",
  gssencmode: "Kerberos is not used",
  ssl_min_protocol_version: "remove it: TLS 1.2 or newer is used",
  ssl_max_protocol_version: "remove it: TLS 1.2 or newer is used",
} as const;

/** Values of these that ask for nothing. */
const harmless: Readonly<Partial<Record<string, readonly string[]>>> = {
  channel_binding: ["prefer", "disable"],
  gssencmode: ["prefer", "disable"],
  sslcertmode: ["allow"],
  ssl_min_protocol_version: ["TLSv1", "TLSv1.1", "TLSv1.2"],
};

/** The parameters that this module reads, and that must not reach the server. */
const ownParameters = ["sslmode", "ssl", "sslrootcert", "sslcert", "sslkey", "sslcompression", "sslsni"] as const;

/** What a URL's parameters say about TLS, in libpq's words. It is never weaker than libpq's meaning of them:
 *  - without `sslmode`: no TLS, or verify-full with `sslrootcert`
 *  - `disable`: no TLS
 *  - `allow`, `prefer`: TLS if the server offers it, without checking who it is
 *  - `require`: TLS, without checking who the server is; with `sslrootcert`, like `verify-ca`
 *  - `verify-ca`: the authority of `sslrootcert` has signed the server's certificate; without one, like `verify-full`
 *  - `verify-full`, and `ssl=true`: also, the certificate has the server's name; without `sslrootcert`, of an authority that the system trusts
 *
 *  Removes these parameters from `url`.
 *  Source: https://www.postgresql.org/docs/17/libpq-ssl.html
 *  @returns what each new connection calls: the files are read again, because they may have been renewed
 *  @throws InvalidConfig if they contradict each other, or cannot be done */
export function takePostgresTls(url: URL, host: string): () => PostgresTls {
  const given = parametersOf(url.searchParams);
  for (const name of ownParameters) url.searchParams.delete(name);
  const mode = modeOf(given);
  const usesSystem = given.sslrootcert === "system";
  const authority = usesSystem ? undefined : given.sslrootcert;
  if (usesSystem && mode !== "verify-full") {
    throw refusal(
      `sslrootcert=system needs sslmode=verify-full, not ${mode}: the authorities of the system sign for everyone`,
    );
  }
  if ((given.sslcert === undefined) !== (given.sslkey === undefined)) {
    throw refusal("sslcert and sslkey belong together: set both or neither");
  }
  if (optional.has(mode)) {
    const named = (["sslrootcert", "sslcert"] as const).find((name) => given[name] !== undefined);
    if (named !== undefined) {
      throw refusal(
        `${named} (DATABASE_CA_FILE) needs sslmode=verify-full, verify-ca or require, not ${mode}, which may connect without TLS`,
      );
    }
    if (url.searchParams.get("sslnegotiation") === "direct")
      throw refusal(`sslnegotiation=direct needs sslmode=require, not ${mode}`);
    return () => (mode === "disable" ? false : "prefer");
  }
  const pem = pemOf(authority, given);
  const checksName = mode === "verify-full" || authority === undefined;
  const checks: ConnectionOptions =
    mode === "require" && authority === undefined
      ? { rejectUnauthorized: false }
      : // by the name of the URL, also if it is an address: postgres.js would check another one
        { checkServerIdentity: (_, shown) => (checksName ? checkServerIdentity(host, shown) : undefined) };
  return () => ({ ...checks, ...pem() });
}

type Given = Readonly<Partial<Record<(typeof ownParameters)[number], string>>>;

function parametersOf(params: URLSearchParams): Given {
  for (const [name, advice] of Object.entries(unsupported)) {
    const isHarmless = params.getAll(name).every((value) => harmless[name]?.includes(value));
    if (params.has(name) && isHarmless) params.delete(name);
    else if (params.has(name)) throw refusal(`${name} is not supported: ${advice}`);
  }
  const twice = ownParameters.find((name) => params.getAll(name).length > 1);
  if (twice !== undefined) throw refusal(`${twice} is there twice`);
  if (params.has("ssl") && params.has("sslmode")) throw refusal("ssl and sslmode exclude each other; use sslmode");
  return Object.fromEntries(
    ownParameters.flatMap((name) => (params.has(name) ? [[name, params.get(name) ?? ""]] : [])),
  );
}

function modeOf({ sslmode, ssl, sslrootcert, sslcert }: Given): Mode {
  const text = sslmode ?? ssl;
  if (text === undefined) return (sslrootcert ?? sslcert) === undefined ? "disable" : "verify-full";
  if (sslmode === undefined && text === "true") return "verify-full";
  if (sslmode === undefined && text === "false") return "disable";
  const mode = modes.find((name) => name === text);
  if (mode === undefined)
    throw refusal(`sslmode=${text.slice(0, 40)} is not usable: expected one of ${modes.join(", ")}`);
  return mode;
}

function pemOf(authority: string | undefined, { sslcert, sslkey }: Given): () => ClientPem {
  try {
    return clientPemFiles({ ca: ["sslrootcert", authority], cert: ["sslcert", sslcert], key: ["sslkey", sslkey] });
  } catch (cause) {
    throw refusal(messageOf(cause));
  }
}

function refusal(text: string): InvalidConfig {
  return new InvalidConfig([`DATABASE_URL: ${text}`]);
}
