import type { MessageClaim } from "../../queue/queue.ts";
import type { KnownPosition } from "./known-position.ts";

/** How far a target is published. */
export interface TargetPosition {
  /** The scheduled time of the last scrape. */
  readonly timeMs: number;
  /** The series that the target had then (see read-series.ts); undefined if the ones that are known stay. */
  readonly series: string | undefined;
}

/** A target that only this process scrapes and publishes now. */
export interface TargetClaim extends KnownPosition {
  readonly sourceId: string;
  /** Scheduled time of the last scrape that any process has published. If there is none: when a process first claimed the target,
   *  or -Infinity if no other process can know. */
  readonly afterMs: number;
  /** The series that the target had when it was scraped last (see read-series.ts); undefined if that is not known. */
  readonly series: string | undefined;
  /** What a message of this claim needs to be published; undefined if no other process can have the target.
   *  @param after the position after the message, and the series that the target has then, unless they are the same as before; undefined if
   *    the position stays */
  readonly forMessage: (after: TargetPosition | undefined) => MessageClaim | undefined;
  /** Aborts when another process may have the target: what is published under this claim is refused from then on. */
  readonly lost: AbortSignal;
}

/** Receives what an assignment decides. The methods must not throw. */
export interface TargetOwner {
  /** This process has the target now. It may have had it before: until it lost its lease. */
  claimed(claim: TargetClaim): void;
  /** Another process is to have the target: finish its scrape, publish it, then call `release`. */
  excess(sourceId: string): void;
  /** Another process has the target, which this one had until it lost its lease. */
  taken(sourceId: string): void;
}

/** Shares targets among the processes that know them: each target is scraped by one process, and all have equally many. */
export interface TargetAssignment {
  /** Claims targets and asks for them back, until the signal aborts. Call it once. */
  run(owner: TargetOwner, signal: AbortSignal): Promise<void>;
  /** Sets the targets that this process knows. Those that it has and no longer knows stay claimed until they are released. */
  know(sourceIds: ReadonlySet<string>): void;
  /** Gives a target back. Idempotent.
   *  @param endedMs set if the target no longer exists: the time of its last published scrape. A target with this id that comes
   *    later begins again, without a position
   *  @throws an error of the driver; the target is then given back when the lease ends */
  release(sourceId: string, endedMs?: number): Promise<void>;
  /** This process claims nothing more, and the others divide the targets among themselves. Idempotent.
   *  @throws an error of the driver */
  leave(): Promise<void>;
  /** Gives back everything. Idempotent. */
  close(): Promise<void>;
}
