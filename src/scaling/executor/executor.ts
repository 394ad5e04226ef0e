import type { ScaledRole } from "../coordinator/policy.ts";

/** A count to be reached. */
export interface ScaleRequest {
  readonly role: ScaledRole;
  readonly count: number;
  /** The term of the coordinator that decided: a request of an earlier term than the last one is refused. */
  readonly term: string;
  readonly reason: string;
  /** Asks the records of the leader whether the term lasts at this moment. If it does, a later term that was seen before is not of this
   *  history: etcd has lost what it had, and counts terms from the beginning. */
  readonly stillLeads: () => Promise<boolean>;
}

/** A count that a person's command set. */
export interface CommandedCount {
  readonly count: number;
  readonly atMs: number;
}

/** What was requested last, by a coordinator or by other means. */
export interface RequestedCount {
  readonly count: number;
  /** The last command about the role; undefined if there was none. */
  readonly command: CommandedCount | undefined;
}

/** Carries out decisions: starts and stops processes. */
export interface Executor {
  /** As the setting EXECUTOR names it. */
  readonly name: string;
  /** Resolves if requests can be carried out. @throws an Error that says what is missing, and what to do */
  check(): Promise<void>;
  /** Resolves when the request is accepted; the processes may start later.
   *  @throws an Error that says why the request was not accepted */
  scale(request: ScaleRequest): Promise<void>;
  /** @param term of the coordinator that asks
   *  @returns undefined if the executor does not change this role
   *  @throws an Error that says why the count is not known */
  requested(role: ScaledRole, term: string): Promise<RequestedCount | undefined>;
}
