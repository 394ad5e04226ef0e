/** READY: gets requests. UNREADY: answers, but not that it is ready, or accepts connections and is too slow: gets requests only while no backend is READY. DOWN: does
 *  not answer, or has not been checked yet. DRAINING: is about to stop, as the registry says; otherwise like UNREADY. */
export type BackendState = "READY" | "UNREADY" | "DOWN" | "DRAINING";

/** How long work may wait for a gateway, in milliseconds. */
export interface WaitLimits {
  /** Movable requests, while the gateway does not answer checks and another one is ready. */
  readonly requestMs: number;
  /** WebSockets, in the same case. */
  readonly socketMs: number;
  /** Everything, in any case. */
  readonly longestMs: number;
}

/** What a list says about a gateway. */
export interface BackendEntry {
  readonly name: string;
  /** Without a slash at its end. */
  readonly url: string;
  readonly isDraining: boolean;
}

/** Work that waits for a gateway: a request whose response has not begun, or a WebSocket. */
export interface Waiting {
  /** When the wait began, milliseconds since the epoch. Undefined for a WebSocket and an upload, which wait only while the gateway is
   *  silent. */
  readonly sinceMs: number | undefined;
  /** True if another gateway can do the work. */
  readonly isMovable: boolean;
  /** Ends the wait. */
  readonly abandon: () => void;
}

/** A gateway that the balancer sends requests to.
 *
 *  DOWN -check: 200-> READY -check: another status, or too late-> UNREADY; READY, UNREADY -no answer-> DOWN
 *  any -the registry says so-> DRAINING -no answer-> DOWN. The registry's word lasts, whatever later checks find. */
export class Backend {
  private found: "READY" | "UNREADY" | "DOWN" = "DOWN";
  private openCount = 0;
  private readonly waiting = new Set<Waiting>();
  private silentSince: number | undefined;
  private reason: string | undefined;

  constructor(private entry: BackendEntry) {}

  get name(): string {
    return this.entry.name;
  }

  get url(): string {
    return this.entry.url;
  }

  get state(): BackendState {
    return this.entry.isDraining && this.found !== "DOWN" ? "DRAINING" : this.found;
  }

  /** Requests in progress and open WebSockets. */
  get open(): number {
    return this.openCount;
  }

  update(entry: BackendEntry): void {
    this.entry = entry;
  }

  /** @param status of the answer to a check */
  answered(status: number): void {
    this.found = status === 200 ? "READY" : "UNREADY";
    this.silentSince = undefined;
  }

  /** A check got no answer in time: the gateway is overloaded or frozen, or its machine has disappeared. An overloaded one may be
   *  the only one, so it is not DOWN.
   *  @param nowMs milliseconds since the epoch */
  silent(nowMs: number): void {
    this.found = "UNREADY";
    this.silentSince ??= nowMs;
  }

  /** @param reason why nothing answers, for people */
  failed(reason: string): void {
    this.found = "DOWN";
    this.reason = reason;
  }

  /** Why the gateway is DOWN; undefined if it is not, or was not checked yet. */
  get problem(): string | undefined {
    return this.found === "DOWN" ? this.reason : undefined;
  }

  get hasWaiting(): boolean {
    return this.waiting.size > 0;
  }

  /** @returns a function that ends the wait */
  wait(waiting: Waiting): () => void {
    this.waiting.add(waiting);
    return () => void this.waiting.delete(waiting);
  }

  /** Abandons what has waited for too long.
   *  @param otherIsReady true if there is another gateway for movable work */
  abandonLate(
    nowMs: number,
    { otherIsReady, limits }: { readonly otherIsReady: boolean; readonly limits: WaitLimits },
  ): void {
    const { silentSince } = this;
    for (const waiting of this.waiting) {
      const sinceMs = waiting.sinceMs ?? silentSince ?? nowMs;
      const canMove = otherIsReady && waiting.isMovable && silentSince !== undefined;
      const limitMs = waiting.sinceMs === undefined ? limits.socketMs : limits.requestMs;
      if (nowMs - sinceMs >= (canMove ? Math.min(limitMs, limits.longestMs) : limits.longestMs)) waiting.abandon();
    }
  }

  /** Counts a request or WebSocket. @returns a function that ends it; only its first call counts */
  begin(): () => void {
    let isOpen = true;
    this.openCount += 1;
    return () => {
      if (isOpen) this.openCount -= 1;
      isOpen = false;
    };
  }
}
