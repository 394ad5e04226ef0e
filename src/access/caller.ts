import type { GpuBounds } from "../domain/gpu-bounds.ts";
import type { Scope } from "./scope.ts";

/** What is known about a key without its secret. */
export interface KeyGrant {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Undefined: it does not expire. */
  readonly expiresAtMs: number | undefined;
  /** What it may see; undefined: everything. */
  readonly selector?: GpuBounds | undefined;
}

/** What makes someone a caller; `anyone` where nothing is required. */
export type CallerKind = "anyone" | "key" | "session" | "token" | "certificate";

/** Who sends a request. Connections that outlive a request end with their caller. */
export class Caller {
  private readonly listeners = new Set<() => void>();
  private ended = false;
  /** When the key was last used; 0: not since it was read. */
  lastUsedMs = 0;

  /** @param reference names the caller to its source, at any gateway */
  constructor(
    readonly grant: KeyGrant,
    readonly kind: CallerKind = "key",
    readonly reference = grant.id,
  ) {}

  /** The caller in messages for people. */
  get shownName(): string {
    const { name } = this.grant;
    return `The ${this.kind === "key" ? "key" : `${this.kind} of`} ${JSON.stringify(name)}`;
  }

  /** Why connections end with the caller. */
  get endText(): string {
    return `the ${this.kind} was revoked or has expired`;
  }

  /** True once the key is revoked or has expired, or can no longer be checked. */
  get hasEnded(): boolean {
    return this.ended;
  }

  may(scope: Scope): boolean {
    return this.grant.scopes.includes(scope);
  }

  /** Calls `listener` when the caller ends; at once if it has ended.
   *  @returns a function that removes the listener */
  onEnd(listener: () => void): () => void {
    if (this.ended) listener();
    else this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** Ends the caller and what depends on it. */
  end(): void {
    this.ended = true;
    for (const listener of [...this.listeners]) listener();
    this.listeners.clear();
  }
}
