import type { ManagedRole } from "./managed-role.ts";

/** A process of the supervisor, or the place for one. */
export interface ShownInstance {
  readonly name: string;
  readonly role: ManagedRole;
  readonly phase: "WAITING" | "RUNNING" | "STOPPING" | "REMOVED";
  readonly pid?: number;
  readonly port?: number;
  /** Starts after unrequested exits. */
  readonly restarts: number;
  readonly is_crash_loop: boolean;
  readonly last_error?: string;
  /** It was started with settings that have changed since. */
  readonly outdated: boolean;
}

/** The number of processes of a role. */
export interface ShownRole {
  /** The number that was asked for last, by a person or a coordinator. */
  readonly count: number;
  /** The last command about the role; `at` is RFC 3339. */
  readonly command?: { readonly count: number; readonly at: string };
}

/** The answer of GET /status. */
export interface Status {
  readonly roles: Readonly<Record<ManagedRole, ShownRole>>;
  readonly instances: readonly ShownInstance[];
  /** The highest term that a leader has asked with. */
  readonly term?: number;
  /** An error of the supervisor itself. */
  readonly error?: string;
}

/** The answer of POST /scale: the names of the processes that start and stop, and of those that keep earlier settings. */
export interface ScaleResult {
  readonly started: readonly string[];
  readonly stopping: readonly string[];
  readonly outdated: readonly string[];
}

/** The answer of POST /stop: the names of the processes that have ended, and of those that did not end by themselves. */
export interface StopResult {
  readonly stopped: readonly string[];
  readonly killed: readonly string[];
}
