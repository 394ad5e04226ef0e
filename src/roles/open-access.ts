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
import { SqlKeyStore } from "../access/sql/sql-key-store.ts";
import { SqlTicketStore } from "../access/sql/sql-ticket-store.ts";
import { Tickets } from "../access/tickets.ts";
import type { Config } from "../config/parse-config.ts";
import type { SqlClient } from "../db/client.ts";
import { isLoopback } from "../kit/ip-address.ts";
import { stopwatch } from "../kit/clock.ts";
import type { Service } from "../kit/service.ts";
import type { SharedParts } from "./shared-parts.ts";

/** What decides who may use a process. */
export interface OpenAccess {
  readonly access: Access;
  readonly audit: AuditTrail;
  /** The services that keep it; they start first. */
  readonly services: readonly Service[];
  /** For the banner; undefined if only the process's machine can reach it, without a key. */
  readonly notice: string | undefined;
  /** The administration of the keys in a database. */
  readonly administer: (client: SqlClient) => AccessAdministration;
}

/** The parts by which keys and tickets are made. */
export interface AccessAdministration {
  readonly keys: KeyAdministration;
  readonly tickets: Tickets;
  readonly audit: AuditStore;
}

/** Opens what decides who may use this process. The roles must be open, because a role opens the store. */
export function openAccess({ config, store, clock, log }: SharedParts): OpenAccess {
  const client = store.current?.client;
  const audit = new AuditLog({
    store: client && new SqlAuditStore(client),
    keepDays: config.auditRetentionDays,
    monotonicMs: stopwatch(),
    clock,
    log,
  });
  if (!isKeyRequired(config)) {
    const isTyped = config.auth === "off";
    return {
      access: openToAll,
      audit,
      services: [...(isTyped ? [new OpenDoor(log)] : []), ...(config.roles.includes("gateway") ? [audit] : [])],
      notice: isTyped ? openDoorNotice : undefined,
      administer: (client) => administrationOf(client, undefined),
    };
  }
  const directory = new KeyDirectory({
    bootstrapKey: config.authBootstrapKey,
    file: config.authKeysFile === undefined ? undefined : new KeysFile(config.authKeysFile),
    store: client && new SqlKeyStore(client),
    maxAgeMs: config.authKeysMaxAgeMs,
    needsKeys: config.roles.includes("gateway"),
    monotonicMs: stopwatch(),
    clock,
    log,
  });
  const source = new CallerSources([directory]);
  const administer = (from: SqlClient) => administrationOf(from, directory, source);
  return {
    access: new GuardedAccess(source, client && administer(client).tickets, config.authOpenPages ?? []),
    audit,
    services: [directory, audit],
    notice: "a key is needed; AUTH_BOOTSTRAP_KEY or 'bun run telemetry -- keys create --direct' gives the first one",
    administer,
  };
}

/** The administration of the keys in a database.
 *  @param directory the keys in memory, which are read again after each change; undefined: no key is required
 *  @param source the callers who may have tickets */
export function administrationOf(
  client: SqlClient,
  directory: KeyDirectory | undefined,
  source: Pick<CallerSource, "callerOf"> | undefined = directory,
): AccessAdministration {
  return {
    keys: new KeyAdministration(new SqlKeyStore(client), () => directory?.refresh() ?? Promise.resolve()),
    tickets: new Tickets(new SqlTicketStore(client), source ?? { callerOf: () => undefined }),
    audit: new SqlAuditStore(client),
  };
}

/** Keys are required beyond loopback, and where the settings name some: an operator who gives a process keys wants them to count. */
function isKeyRequired({ auth, host, authKeysFile, authBootstrapKey }: Config): boolean {
  if (auth !== "auto") return auth === "required";
  return !(host === "localhost" || isLoopback(host)) || (authKeysFile ?? authBootstrapKey) !== undefined;
}
