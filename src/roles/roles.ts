import type { RoleName } from "../domain/role-name.ts";
import type { Config } from "../config/parse-config.ts";
import type { Service } from "../kit/service.ts";
import { checkBeforeOpening } from "./check-before-opening.ts";
import { type OpenAccess, openAccess } from "./open-access.ts";
import type { OpenRole, Role } from "./role.ts";
import { type OpenTls, openTls } from "./open-tls.ts";
import { loadTracing } from "./open-tracing.ts";
import { openSharedParts, type SharedParts, type Surroundings } from "./shared-parts.ts";

/** The roles, in the order in which data passes through them. A process loads only the roles that it runs: importing a
 *  streamer alone takes 310 ms of processor time and 85 MB, importing all roles and the driver of PostgreSQL 500 ms and 108 MB. */
const loaders: Readonly<Record<RoleName, () => Promise<Role>>> = {
  streamer: async () => (await import("./streamer.ts")).streamer,
  collector: async () => (await import("./collector.ts")).collector,
  gateway: async () => (await import("./gateway.ts")).gateway,
  coordinator: async () => (await import("./coordinator.ts")).coordinator,
};

/** The open roles of a process and their shared parts. No service is started yet. */
export interface OpenRoles {
  readonly shared: SharedParts;
  readonly roles: readonly OpenRole[];
  /** In the order of starting: a service that receives data starts before the one that sends it. */
  readonly services: readonly Service[];
  readonly access: OpenAccess;
  /** Undefined if the process serves without TLS. */
  readonly tls: OpenTls | undefined;
}

/** Opens the roles that the configuration names.
 *  @throws the errors of `checkBeforeOpening`, `openSharedParts` and `Role.open` */
export async function openRoles(config: Config, surroundings: Surroundings): Promise<OpenRoles> {
  await checkBeforeOpening(config, surroundings.clock);
  const chosen: Role[] = [];
  for (const [name, load] of Object.entries(loaders)) {
    if (config.roles.some((role) => role === name)) chosen.push(await load());
  }
  const writesHotTier = chosen.some((role) => role.writesHotTier);
  const openTracing = await loadTracing(config);
  const shared = openSharedParts(config, surroundings, { writesHotTier, openTracing });
  const roles: OpenRole[] = [];
  // one after another: a source that cannot be read must be reported before a store is opened
  for (const role of chosen) roles.push(await role.open(shared));
  const services = [...shared.services, ...roles.toReversed().flatMap((role) => role.services)];
  const access = await openAccess(shared);
  const faults = await faultServices(shared);
  const tls = openTls(shared);
  return {
    shared,
    roles,
    services: [...(tls?.services ?? []), ...access.services, ...faults, ...services],
    access,
    tls,
  };
}

/** The services of faults. Their code is loaded only in processes that may run them. */
async function faultServices(shared: SharedParts): Promise<readonly Service[]> {
  const { roles } = shared.config;
  if (!roles.includes("coordinator") && !roles.includes("collector")) return [];
  return (await import("./open-faults.ts")).openFaults(shared);
}
