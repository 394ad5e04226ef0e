/** READY: gets requests. UNREADY: answers, but not that it is ready, or accepts connections and is too slow: gets requests only while no backend is READY. DOWN: does
 *  not answer, or has not been checked yet. DRAINING: is about to stop, as the registry says; otherwise like UNREADY. */
export type BackendState = "READY" | "UNREADY" | "DOWN" | "DRAINING";

/** What a list says about a gateway. */
export interface BackendEntry {
  readonly name: string;
  /** Without a slash at its end. */
  readonly url: string;
  readonly isDraining: boolean;
}

/** A gateway that the balancer sends requests to.
 *
 *  DOWN -check: 200-> READY -check: another status, or too late-> UNREADY; READY, UNREADY -no answer-> DOWN
 *  any -the registry says so-> DRAINING -no answer-> DOWN. The registry's word lasts, whatever later checks find. */
export class Backend {
  private found: "READY" | "UNREADY" | "DOWN" = "DOWN";
  private openCount = 0;

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
  }

  failed(): void {
    this.found = "DOWN";
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
