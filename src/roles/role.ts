import type { AnyElysia } from "elysia";
import type { RoleName } from "../domain/role-name.ts";
import type { Service } from "../kit/service.ts";
import type { ServiceLoad } from "../scaling/registry/service-instance.ts";
import type { RoleBanner } from "../terminal/banner.ts";
import type { OpenAccess } from "./open-access.ts";
import type { SharedParts } from "./shared-parts.ts";

/** A part of the pipeline that a process can run. The setting ROLE names the roles of a process. */
export interface Role {
  readonly name: RoleName;
  /** True if the role writes the newest records to the hot tier. */
  readonly writesHotTier: boolean;
  /** Opens the role's own parts and starts nothing.
   *  @throws TelemetryError if a part cannot be opened; the process then ends before any service starts */
  open(shared: SharedParts): Promise<OpenRole>;
}

/** An open role: the parts that it contributes to its process. */
export interface OpenRole {
  /** In start order. */
  readonly services: readonly Service[];
  /** The role's lines in the banner that the process prints after its start. */
  readonly banner: RoleBanner;
  /** True while the role can answer clients from memory. The process is then ready even if the store is down. */
  servesFromMemory(): boolean;
  /** The role's figures for the list of services; a figure that is unknown is absent. Must not throw. */
  load(): Promise<ServiceLoad>;
  /** The role's HTTP routes; /health and /metrics do not belong to a role. */
  routes(process: ProcessParts): readonly AnyElysia[];
}

/** The parts of the whole process that a role's routes may need. */
export interface ProcessParts {
  /** The app that the routes become part of; it is complete at the first request. */
  readonly app: () => AnyElysia;
  /** The services of all roles. */
  readonly services: readonly Service[];
  readonly version: string;
  readonly access: OpenAccess;
  /** Aborted when the process is about to stop: long-lived connections must then end. */
  readonly stopping: AbortSignal;
}
