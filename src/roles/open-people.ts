import type { CallerSource } from "../access/caller-sources.ts";
import { CertificateCallers } from "../access/certificate-callers.ts";
import { mappingFile } from "../access/file/mapping-file.ts";
import { MappedCallers } from "../access/mapped-callers.ts";
import { OidcSignIn } from "../access/oidc/oidc-sign-in.ts";
import { Provider } from "../access/oidc/provider.ts";
import { TokenCallers } from "../access/oidc/token-callers.ts";
import { Sessions } from "../access/sessions.ts";
import { type SignIn, signInPlace } from "../access/sign-in.ts";
import { SqlSessionStore } from "../access/sql/sql-session-store.ts";
import type { Config } from "../config/parse-config.ts";
import type { SqlClient } from "../db/client.ts";
import { InvalidConfig } from "../domain/errors.ts";
import { stopwatch } from "../kit/clock.ts";
import { messageOf } from "../kit/message-of.ts";
import { PemFile } from "../kit/pem-file.ts";
import type { Service } from "../kit/service.ts";
import type { SharedParts } from "./shared-parts.ts";

/** What knows people and their tokens. */
export interface OpenPeople {
  readonly sources: readonly CallerSource[];
  readonly services: readonly Service[];
  /** Undefined: people cannot sign in at this process. */
  readonly signIn: SignIn | undefined;
  readonly sessions: Sessions | undefined;
}

const none: OpenPeople = { sources: [], services: [], signIn: undefined, sessions: undefined };

type Parts = Pick<SharedParts, "config" | "clock" | "log">;

/** Opens what knows people, tokens and client certificates, as the settings say.
 *  @param database undefined for a process without a store, at which people cannot sign in
 *  @throws InvalidConfig if AUTH_OIDC_CA_FILE cannot be read */
export function openPeople(parts: Parts, database: SqlClient | undefined): OpenPeople {
  const { config, clock, log } = parts;
  const { authOidcIssuer: issuer, authMappingFile, authClientCaFile } = config;
  if (authMappingFile === undefined || (issuer ?? authClientCaFile) === undefined) return none;
  const callers = new MappedCallers({ file: mappingFile(authMappingFile), clock, log });
  const certificates = authClientCaFile === undefined ? [] : [new CertificateCallers(callers)];
  if (issuer === undefined) return { ...none, sources: certificates, services: [callers] };
  const opened = openProviderParts(parts, { database, issuer, callers });
  return { ...opened, sources: [...opened.sources, ...certificates] };
}

interface ProviderNeeds {
  readonly database: SqlClient | undefined;
  readonly issuer: string;
  readonly callers: MappedCallers;
}

function openProviderParts(parts: Parts, { database, issuer, callers }: ProviderNeeds): OpenPeople {
  const { config, clock, log } = parts;
  const { authOidcAudience: audience, authOidcGroupsClaim: groupsClaim } = config;
  const provider = openProvider(parts, issuer);
  const tokens =
    audience === undefined ? undefined : new TokenCallers({ provider, callers, audience, groupsClaim, clock });
  const canSignIn = database !== undefined && config.authOidcClientId !== undefined;
  const sessionSeconds = config.authSessionMaxAgeMs / 1000;
  const store = canSignIn ? new SqlSessionStore(database) : undefined;
  const kept = { callers, issuer, lifeSeconds: sessionSeconds, maxAgeMs: config.authKeysMaxAgeMs, clock, log };
  const sessions = store && new Sessions({ ...kept, store, monotonicMs: stopwatch() });
  const place = signInPlace(config.authPublicUrl ?? ownUrl(config));
  const needed = { place, provider, sessionSeconds, callers, groupsClaim, scopes: config.authOidcScopes, clock };
  return {
    sources: [sessions, tokens].filter((source) => source !== undefined),
    services: [callers, provider, sessions].filter((service) => service !== undefined),
    signIn: sessions && new OidcSignIn({ ...needed, sessions }),
    sessions,
  };
}

function openProvider({ config, clock, log }: Parts, issuer: string): Provider {
  const { authOidcClientId: id, authOidcClientSecret: secret, authOidcJwksFile: keysFile } = config;
  const client = id === undefined ? undefined : { id, secret };
  return new Provider({ issuer, client, keysFile, ca: providerCaOf(config), monotonicMs: stopwatch(), clock, log });
}

/** Where browsers on this machine reach the process. */
function ownUrl({ port, tlsCertFile }: Config): string {
  return `${tlsCertFile === undefined ? "http" : "https"}://localhost:${port}`;
}

/** The authority of the provider's certificate, as its file is when it is called; undefined: the machine's count.
 *  @throws InvalidConfig if AUTH_OIDC_CA_FILE cannot be read */
export function providerCaOf({ authOidcCaFile: path }: Config): (() => string) | undefined {
  if (path === undefined) return undefined;
  try {
    const file = new PemFile("AUTH_OIDC_CA_FILE", path);
    return () => file.read();
  } catch (error) {
    throw new InvalidConfig([messageOf(error)]);
  }
}
