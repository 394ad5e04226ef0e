import type { AnyElysia } from "elysia";
import type { RoleName } from "../config/config-schema.ts";
import type { Service } from "../kit/service.ts";
import type { RoleBanner } from "../terminal/banner.ts";
import type { SharedParts } from "./shared-parts.ts";

/** A part of the pipeline that a process can run; ROLE says which ones it runs. */
export interface Role {
  readonly name: RoleName;
  /** True if the role writes newest records to the hot tier. */
  readonly writesHotTier: boolean;
  /** Opens the role's own parts and starts nothing.
   *  @throws TelemetryError if a part cannot be opened; the process then ends before anything runs */
  open(shared: SharedParts): Promise<OpenRole>;
}

/** What an open role adds to its process. */
export interface OpenRole {
  /** In the order of starting. */
  readonly services: readonly Service[];
  /** What the process shows of the role when it has started. */
  readonly banner: RoleBanner;
  /** True while the role can answer clients from memory: the process then counts as up without its store. */
  servesFromMemory(): boolean;
  /** The role's HTTP routes. Every process has health and metrics besides. */
  routes(process: ProcessParts): readonly AnyElysia[];
}

/** What a role's routes may need of the whole process. */
export interface ProcessParts {
  /** The app that the routes become part of; call it no earlier than the first request. */
  readonly app: () => AnyElysia;
  /** The services of all roles. */
  readonly services: readonly Service[];
  readonly version: string;
  /** Aborted when the process is about to stop: connections that stay open are closed then. */
  readonly stopping: AbortSignal;
}
