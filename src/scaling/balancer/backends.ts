import type { Logger } from "pino";
import { BaseService } from "../../kit/base-service.ts";
import type { Clock } from "../../kit/clock.ts";
import { messageOf } from "../../kit/message-of.ts";
import type { ClientPem } from "../../kit/pem-file.ts";
import { aborted } from "../../kit/aborted.ts";
import { Backend, type BackendEntry, type BackendState } from "./backend.ts";

/** Passes on the list of gateways, first as it is now, then after every change, until the signal aborts. */
export type WatchEntries = (onChange: (entries: readonly BackendEntry[]) => void, signal: AbortSignal) => Promise<void>;

export interface BackendsOptions {
  readonly watch: WatchEntries;
  /** How long a request may wait for the beginning of its response, in milliseconds. */
  readonly responseTimeoutMs: number;
  /** What is trusted and shown when a gateway has https; undefined: the system's authorities, and nothing. */
  readonly tls?: (() => ClientPem) | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The pause between two checks of a gateway. A gateway that drains for 3 s is thus seen in time even if several checks are slow. */
const checkEveryMs = 250;
/** A gateway that accepts a check but does not answer within this time is not ready. */
const checkTimeoutMs = 2000;
/** A request that changes nothing leaves a gateway that is silent for a ready one after this time. */
const movesAfterMs = 2000;
/** The same for a WebSocket. Longer, because its client reads the records that it missed from the store. */
const socketMovesAfterMs = 15_000;

/** Keeps the list of gateways, and checks each of them four times a second. After a check, it ends the waits for the gateway that have
 *  lasted too long. */
export class Backends extends BaseService {
  private readonly byUrl = new Map<string, Backend>();
  /** The checks that have not ended yet. */
  private readonly checking = new Set<Promise<void>>();

  private readonly noneAnswers = this.repeatedError({
    prefix: "requests get 503",
    ended: "a gateway gets requests again",
  });

  constructor(private readonly options: BackendsOptions) {
    super("backends", options.log);
  }

  get clock(): Clock {
    return this.options.clock;
  }

  /** An option of Bun's `fetch` and WebSocket; none if the settings say nothing about TLS. */
  get tlsOption(): { readonly tls?: ClientPem } {
    const { tls } = this.options;
    return tls === undefined ? {} : { tls: tls() };
  }

  get responseTimeoutMs(): number {
    return this.options.responseTimeoutMs;
  }

  list(): readonly Backend[] {
    return [...this.byUrl.values()];
  }

  /** The gateway with the fewest open requests among the ready ones; if none is ready, among those that answer.
   *  @param tried gateways that have been tried already; they are not chosen again
   *  @returns undefined if there is none */
  choose(tried: ReadonlySet<Backend>): Backend | undefined {
    const untried = this.list().filter((backend) => !tried.has(backend));
    const of = (...states: BackendState[]): Backend[] => untried.filter(({ state }) => states.includes(state));
    const ready = of("READY");
    const candidates = ready.length > 0 ? ready : of("UNREADY", "DRAINING");
    const chosen = leastOpen(candidates);
    if (chosen !== undefined) this.noneAnswers.clear();
    else if (tried.size === 0) this.noneAnswers.record("no gateway answers");
    return chosen;
  }

  protected override async run(): Promise<void> {
    await this.options.watch((entries) => this.replace(entries), this.stopping);
    await aborted(this.stopping);
  }

  protected override async close(): Promise<void> {
    await Promise.all(this.checking);
  }

  private replace(entries: readonly BackendEntry[]): void {
    const listed = new Map(entries.map((entry) => [entry.url, entry]));
    for (const url of this.byUrl.keys()) if (!listed.has(url)) this.byUrl.delete(url);
    for (const entry of listed.values()) this.put(entry);
  }

  private put(entry: BackendEntry): void {
    const existing = this.byUrl.get(entry.url);
    if (existing !== undefined) return existing.update(entry);
    const backend = new Backend(entry);
    this.byUrl.set(entry.url, backend);
    const checking = this.keepChecking(backend, this.stopping);
    this.checking.add(checking);
    void checking.then(() => this.checking.delete(checking));
  }

  /** A gateway that is no longer in the list is checked while something waits for it: a frozen one leaves the list before all waits
   *  have ended. */
  private async keepChecking(backend: Backend, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (this.byUrl.get(backend.url) === backend || backend.hasWaiting)) {
      const { state: before, problem: earlier } = backend;
      await this.check(backend, signal);
      const { name, url, state, problem } = backend;
      if (signal.aborted) return;
      this.abandonLate(backend);
      if (state !== before) this.options.log.info({ gateway: name, url, state, problem }, "a gateway changed");
      else if (problem !== earlier) this.options.log.warn({ gateway: name, url, problem }, "a gateway does not answer");
      await this.options.clock.sleep(checkEveryMs, signal);
    }
  }

  /** Asks a gateway whether it is ready. The connection is a new one, so that a listener that is closing does not go unnoticed. */
  private async check(backend: Backend, stopping: AbortSignal): Promise<void> {
    try {
      const signal = AbortSignal.any([stopping, AbortSignal.timeout(checkTimeoutMs)]);
      const options = { signal, keepalive: false, redirect: "manual", ...this.tlsOption } as const;
      const response = await fetch(`${backend.url}/health/ready`, options);
      await response.arrayBuffer();
      backend.answered(response.status);
    } catch (error) {
      if ((error as Error).name === "TimeoutError") backend.silent(this.options.clock.nowMs());
      else if (!stopping.aborted) backend.failed(messageOf(error));
    }
  }

  private abandonLate(backend: Backend): void {
    const otherIsReady = this.list().some((other) => other !== backend && other.state === "READY");
    const limits = {
      ...{ requestMs: movesAfterMs, socketMs: socketMovesAfterMs },
      longestMs: this.options.responseTimeoutMs,
    };
    backend.abandonLate(this.options.clock.nowMs(), { otherIsReady, limits });
  }
}

/** Of several with equally few, a random one: otherwise the first would get every request of a quiet balancer. */
function leastOpen(candidates: readonly Backend[]): Backend | undefined {
  const fewest = Math.min(...candidates.map(({ open }) => open));
  const best = candidates.filter(({ open }) => open === fewest);
  return best[Math.floor(Math.random() * best.length)];
}
