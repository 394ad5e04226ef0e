import { type Access, openToAll } from "../access/access.ts";
import type { AuditStore, AuditTrail } from "../access/audit.ts";
import { AuditLog } from "../access/audit-log.ts";
import { KeysFile } from "../access/file/keys-file.ts";
import { GuardedAccess } from "../access/guarded-access.ts";
import { KeyAdministration } from "../access/key-administration.ts";
import { type CallerSource, CallerSources } from "../access/caller-sources.ts";
import { KeyDirectory } from "../access/key-directory.ts";
import { OpenDoor, openDoorNotice } from "../access/open-door.ts";
import { SqlAuditStore } from "../access/sql/sql-audit-store.ts";
import type { SessionAdministration } from "../access/session-store.ts";
import type { SignIn } from "../access/sign-in.ts";
import { SqlKeyStore } from "../access/sql/sql-key-store.ts";
import { SqlSessionStore } from "../access/sql/sql-session-store.ts";
import { SqlTicketStore } from "../access/sql/sql-ticket-store.ts";
import { Tickets } from "../access/tickets.ts";
import type { Config } from "../config/parse-config.ts";
import type { SqlClient } from "../db/client.ts";
import { isLoopback } from "../kit/ip-address.ts";
import { stopwatch } from "../kit/clock.ts";
import type { Service } from "../kit/service.ts";
import type { OpenStore } from "../pipeline/store/open-store.ts";
import type { SharedParts } from "./shared-parts.ts";

/** What decides who may use a process. */
export interface OpenAccess {
  readonly access: Access;
  readonly audit: AuditTrail;
  /** The services that keep it; they start first. */
  readonly services: readonly Service[];
  /** For the banner; undefined if only the process's machine can reach it, without a key. */
  readonly notice: string | undefined;
  /** Signs people in; undefined: they cannot sign in here. */
  readonly signIn: SignIn | undefined;
  /** The administration of the keys in a database. */
  readonly administer: (client: SqlClient) => AccessAdministration;
}

/** The parts by which keys and tickets are made, and sessions are ended. */
export interface AccessAdministration {
  readonly keys: KeyAdministration;
  readonly tickets: Tickets;
  readonly sessions: SessionAdministration;
  readonly audit: AuditStore;
}

type Parts = Pick<SharedParts, "config" | "clock" | "log"> & {
  readonly store: { readonly current: Pick<OpenStore, "client"> | undefined };
};

/** Opens what decides who may use this process. The roles must be open, because a role opens the store. */
export async function openAccess(parts: Parts): Promise<OpenAccess> {
  const { config, store, clock, log } = parts;
  const client = store.current?.client;
  const audit = new AuditLog({
    store: client && new SqlAuditStore(client),
    keepDays: config.auditRetentionDays,
    monotonicMs: stopwatch(),
    clock,
    log,
  });
  if (isKeyRequired(config)) return openGuarded(parts, audit);
  const isTyped = config.auth === "off";
  return {
    access: openToAll,
    audit,
    services: [...(isTyped ? [new OpenDoor(log)] : []), ...(config.roles.includes("gateway") ? [audit] : [])],
    notice: isTyped ? openDoorNotice : undefined,
    signIn: undefined,
    administer: (client) => administrationOf(client),
  };
}

async function openGuarded({ config, store, clock, log }: Parts, audit: AuditLog): Promise<OpenAccess> {
  const client = store.current?.client;
  const { openPeople } = await import("./open-people.ts");
  const people = openPeople({ config, clock, log }, client);
  const directory = new KeyDirectory({
    bootstrapKey: config.authBootstrapKey,
    file: config.authKeysFile === undefined ? undefined : new KeysFile(config.authKeysFile),
    store: client && new SqlKeyStore(client),
    maxAgeMs: config.authKeysMaxAgeMs,
    needsKeys: config.roles.includes("gateway") && people.sources.length === 0,
    monotonicMs: stopwatch(),
    clock,
    log,
  });
  const source = new CallerSources([directory, ...people.sources]);
  const { sessions, signIn } = people;
  const administer = (from: SqlClient) => administrationOf(from, { keys: directory, source, sessions });
  const shown = { openPages: config.authOpenPages ?? [], signIn: signIn?.place };
  return {
    access: new GuardedAccess(source, client && administer(client).tickets, shown),
    audit,
    services: [directory, ...people.services, audit],
    notice:
      signIn === undefined
        ? keyNotice(config)
        : `people sign in at ${signIn.place.publicUrl}/sign-in; programs need a key`,
    signIn,
    administer,
  };
}

function keyNotice({ authClientCaFile, authBootstrapKey, authKeysFile }: Config): string {
  const needed = `a key${authClientCaFile === undefined ? "" : " or a client certificate"} is needed`;
  if ((authBootstrapKey ?? authKeysFile) !== undefined) return needed;
  return `${needed}; AUTH_BOOTSTRAP_KEY_FILE or 'bun run telemetry -- keys create --direct' gives the first one`;
}

/** What a process has in memory of those who may use it. */
export interface InMemory {
  /** The keys, which are read again after each change; undefined: no key is required. */
  readonly keys?: KeyDirectory;
  /** The callers who may have tickets; by default, those with a key. */
  readonly source?: Pick<CallerSource, "callerOf">;
  /** Undefined: people cannot sign in here. */
  readonly sessions?: SessionAdministration | undefined;
}

const noCallers: Pick<CallerSource, "callerOf"> = { callerOf: () => undefined };

/** The administration of the keys and sessions in a database. */
export function administrationOf(client: SqlClient, { keys, source, sessions }: InMemory = {}): AccessAdministration {
  const stored = new SqlSessionStore(client);
  return {
    keys: new KeyAdministration(new SqlKeyStore(client), () => keys?.refresh() ?? Promise.resolve()),
    tickets: new Tickets(new SqlTicketStore(client), source ?? keys ?? noCallers),
    sessions: sessions ?? { list: (limit) => stored.list(limit), revoke: (id) => stored.end({ id }) },
    audit: new SqlAuditStore(client),
  };
}

/** Keys are required beyond loopback, and where the settings name some, an OpenID provider or authorities: an operator who gives a process keys wants
 *  them to count. */
export function isKeyRequired({ auth, host, ...config }: Config): boolean {
  if (auth !== "auto") return auth === "required";
  const { authKeysFile, authBootstrapKey, authOidcIssuer, authClientCaFile } = config;
  const named = authKeysFile ?? authBootstrapKey ?? authOidcIssuer ?? authClientCaFile;
  return !(host === "localhost" || isLoopback(host)) || named !== undefined;
}
