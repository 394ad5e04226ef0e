import type { Clock } from "../../kit/clock.ts";
import { retry } from "../../kit/retry.ts";
import type { FaultOutbox, ReceiverPosition } from "../fault-outbox.ts";
import type { FaultQueries } from "../fault-store.ts";
import { type Silence, silencesOf } from "../silence.ts";
import type { FaultNews, StoredFault } from "../stored-fault.ts";
import type { FaultInstruments } from "../leader/fault-instruments.ts";
import type { Webhook } from "./webhook.ts";
import { groupsOf, type Notice, type NoticeGroup } from "./webhook-body.ts";

export interface NotifierOptions {
  readonly webhook: Webhook;
  /** The number of the leader's term in the ledger. */
  readonly term: number;
  readonly outbox: FaultOutbox;
  readonly queries: Pick<FaultQueries, "news" | "silences">;
  readonly instruments: Pick<FaultInstruments, "notified">;
  /** Called with the error of each attempt that is repeated; with undefined when one has succeeded. */
  readonly onError: (error: unknown) => void;
  /** Called with the status with which the receiver has refused a request for good; with undefined when it has accepted one. */
  readonly onRefused: (status: number | undefined) => void;
  readonly clock: Clock;
}

const pollMs = 1000;
/** Changes that follow the first one within this time are sent together with it. */
const groupWaitMs = 3000;
const maxChanges = 200;
const postponedEveryMs = 10_000;
/** What was told longer ago is not sent: a receiver that was removed and is back gets no history. */
const maxAgeMs = 86_400_000;

/** What is to be sent, and what is to be noted with it. */
interface Planned {
  readonly groups: readonly NoticeGroup[];
  readonly postponed: readonly string[];
  readonly settled: readonly string[];
}

/** Notifies one receiver of faults that fire and that are resolved, in the order in which they were told. It notes which changes it is
 *  about to send before it sends them, and afterwards that it has: if it is lost in between, its successor sends the same again, under
 *  the same name. */
export class Notifier {
  private postponedMs = -Infinity;

  constructor(private readonly options: NotifierOptions) {}

  /** Works until the signal aborts. @throws TermEnded */
  async run(signal: AbortSignal): Promise<void> {
    const { outbox, term, webhook, clock } = this.options;
    let at = await this.ask(signal, () => outbox.begin(term, webhook.id));
    while (!signal.aborted) {
      at = at.until > at.sequence ? await this.deliver(at, signal) : await this.gather(at, signal);
      await this.deliverPostponed(at, signal);
      if (at.until === at.sequence) await clock.sleep(pollMs, signal);
    }
  }

  /** Waits for changes, and for those that follow soon. */
  private async gather(at: ReceiverPosition, signal: AbortSignal): Promise<ReceiverPosition> {
    const { clock } = this.options;
    const read = () => this.ask(signal, () => this.options.queries.news({ after: at.sequence, limit: maxChanges }));
    if ((await read()).news.length === 0) return at;
    await clock.sleep(groupWaitMs, signal);
    const until = (await read()).sequence;
    return this.move({ position: { ...at, until }, postponed: [], settled: [] }, signal);
  }

  private async deliver(at: ReceiverPosition, signal: AbortSignal): Promise<ReceiverPosition> {
    const { queries } = this.options;
    const { news } = await this.ask(signal, () => queries.news({ after: at.sequence, limit: maxChanges }));
    const due = news.filter(({ change }) => change.sequence <= at.until);
    const { groups, postponed, settled } = await this.plan(due, signal);
    for (const group of groups) await this.send(group, signal);
    return this.move({ position: { sequence: at.until, until: at.until }, postponed, settled }, signal);
  }

  private async plan(news: readonly FaultNews[], signal: AbortSignal): Promise<Planned> {
    const { queries, outbox, webhook, clock } = this.options;
    const oldestMs = clock.nowMs() - maxAgeMs;
    const notable = news.filter((each) => each.change.toldAtMs > oldestMs && isNotable(each));
    if (notable.length === 0) return { groups: [], postponed: [], settled: [] };
    const silences = await this.ask(signal, () => queries.silences({ withEnded: false }));
    const waiting = await this.ask(signal, () => outbox.postponed(webhook.id));
    const postponed = new Set(waiting.map(({ id }) => id));
    const [added, settled, notices] = [[] as string[], [] as string[], [] as (Notice & { readonly key: string })[]];
    for (const { fault, change } of notable) {
      const status = change.state === "resolved" ? "resolved" : "firing";
      if (status === "resolved" && postponed.delete(fault.id)) settled.push(fault.id);
      else if (status === "firing" && this.isSilenced(fault, silences)) {
        postponed.add(fault.id);
        added.push(fault.id);
      } else notices.push({ fault, status, why: change.why, value: change.value, key: String(change.sequence) });
    }
    return { groups: groupsOf(notices), postponed: added, settled };
  }

  /** Notifies of faults that still fire when their silence has ended. */
  private async deliverPostponed(at: ReceiverPosition, signal: AbortSignal): Promise<void> {
    const { queries, outbox, webhook, clock } = this.options;
    if (at.until > at.sequence || clock.nowMs() - this.postponedMs < postponedEveryMs) return;
    this.postponedMs = clock.nowMs();
    const waiting = await this.ask(signal, () => outbox.postponed(webhook.id));
    if (waiting.length === 0) return;
    const silences = await this.ask(signal, () => queries.silences({ withEnded: false }));
    const due = waiting.filter((fault) => fault.state === "firing" && !this.isSilenced(fault, silences));
    const notices = due.map((fault) => {
      const { id, firedAtMs, why, value } = fault;
      return { fault, status: "firing", why, value, key: `${id} ${firedAtMs}` } as const;
    });
    for (const group of groupsOf(notices)) await this.send(group, signal);
    if (due.length > 0) await this.move({ position: at, postponed: [], settled: due.map(({ id }) => id) }, signal);
  }

  private isSilenced(fault: StoredFault, silences: readonly Silence[]): boolean {
    return silencesOf(fault, silences, this.options.clock.nowMs()).length > 0;
  }

  private async send(group: NoticeGroup, signal: AbortSignal): Promise<void> {
    const { webhook, instruments, onRefused } = this.options;
    const refused = await this.ask(signal, () => webhook.send(group, signal));
    instruments.notified(refused === undefined ? "sent" : "refused", group.notices.length);
    onRefused(refused);
  }

  private async move(delivered: Parameters<FaultOutbox["move"]>[2], signal: AbortSignal): Promise<ReceiverPosition> {
    const { outbox, term, webhook } = this.options;
    await this.ask(signal, () => outbox.move(term, webhook.id, delivered));
    return delivered.position;
  }

  /** Repeats a call until it succeeds. */
  private async ask<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    const { clock, onError } = this.options;
    const answer = await retry(call, { clock, signal, onRetry: onError });
    onError(undefined);
    return answer;
  }
}

/** A fault that fires for the first time, or that has fired and is resolved. One that is told again after maintenance is none. */
function isNotable({ change, fault }: FaultNews): boolean {
  if (change.state === "firing") return change.atMs === fault.firedAtMs;
  return change.state === "resolved" && fault.firedAtMs !== null;
}
