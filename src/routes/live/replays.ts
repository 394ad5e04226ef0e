import { defined } from "../../kit/defined.ts";
import { QueryTooCostly, StoreUnavailable } from "../../domain/errors.ts";
import type { GpuSelector } from "../../domain/gpu-selector.ts";
import type { RecordFilter } from "../../domain/query.ts";
import type { Clock } from "../../kit/clock.ts";
import { FairTurns } from "../../kit/fair-turns.ts";
import { messageOf } from "../../kit/message-of.ts";
import { DeadlineExceeded, within } from "../../kit/within.ts";
import { presentAsker } from "../http/access/asker.ts";
import { ApiError } from "../http/api-error.ts";
import type { LiveView } from "./live-view.ts";
import type { ControlMessage } from "./messages.ts";
import type { MessageError } from "./read-message.ts";
import type { Subscription } from "./subscription.ts";

/** Records that one replay reads at a time, and holds in memory. */
const pageRecords = 500;
/** How many replays may run at a time, and how many more may wait; of all clients, and of one. */
const runningMax = 16;
const runningMaxOfClient = 8;
const maxWaiting = 2000;
const maxWaitingPerClient = 1000;
const maxWaitMs = 300_000;
const never = new AbortController().signal;
/** How long a replay may run, from its first query until its last page is sent. */
const timeoutMs = 60_000;

interface ReplaysOptions {
  readonly maxRecords: number;
  readonly clock: Clock;
}

/** A subscription that requests the records since an instant, and callbacks for errors. */
export interface Replay {
  readonly subscription: Subscription;
  /** What the client may see. */
  readonly view: Pick<LiveView, "fleet" | "queries">;
  readonly sinceMs: number;
  readonly onError: (error: MessageError) => void;
  /** Called if the replay did not end in time, because the client reads too slowly or the store answers too slowly. */
  readonly onTooSlow: () => void;
}

/** Sends histories page by page, as fast as the clients read them, to the clients in turn. */
export class Replays {
  private readonly turns: FairTurns;

  constructor(private readonly options: ReplaysOptions) {
    const { clock } = options;
    const waits = { maxWaiting, maxWaitingPerClient, maxWaitMs, clock };
    this.turns = new FairTurns({ ...waits, atATime: runningMax, atATimePerClient: runningMaxOfClient });
  }

  /** Resolves when the history was sent, or could not be sent. Never rejects. */
  async run(replay: Replay): Promise<void> {
    replay.subscription.beginReplay();
    const asker = presentAsker();
    try {
      await this.turns.run(asker?.requester.client ?? "", asker?.signal ?? never, () => this.sendInTime(replay));
    } catch {
      // without a turn: too many wait, or the client has left
      const message = "Too many replays wait; the subscription is live; request the history again later";
      replay.onError({ code: "replay_unavailable", message, details: { expected: maxWaitingPerClient } });
      this.end(replay, { count: 0, isComplete: false });
    }
  }

  private async sendInTime(replay: Replay): Promise<void> {
    const sent = { count: 0, isComplete: false };
    try {
      sent.isComplete = await within(this.options.clock, timeoutMs, () => this.sendPages(replay, sent));
    } catch (error) {
      if (error instanceof DeadlineExceeded) replay.onTooSlow();
      else replay.onError(errorOf(error));
    }
    this.end(replay, sent);
  }

  /** @returns false if records may be missing, because `maxRecords` is reached or the subscription has ended */
  private async sendPages({ subscription, view, sinceMs }: Replay, sent: { count: number }): Promise<boolean> {
    for (const gpus of partsOf(subscription.request.selector)) {
      let cursor: RecordFilter["cursor"];
      do {
        if (subscription.stateName !== "REPLAYING") return false;
        const remaining = this.options.maxRecords - sent.count;
        if (remaining <= 0) return false;
        const limit = Math.min(pageRecords, remaining);
        const page = await view.queries.history.records({
          gpus,
          range: { fromMs: sinceMs, toMs: Infinity },
          isForward: true,
          limit,
          ...defined({ cursor }),
        });
        sent.count += page.elements.length;
        await subscription.addHistory(page.elements, (uuid) => newestMs(view, uuid));
        cursor = page.next;
      } while (cursor !== undefined);
    }
    return true;
  }

  private end({ subscription }: Replay, { count, isComplete }: { count: number; isComplete: boolean }): void {
    const message: ControlMessage = { type: "replayed", id: subscription.id, count };
    subscription.endReplay(isComplete ? message : { ...message, truncated: true });
  }
}

/** Instant of a GPU's newest live record; -Infinity if it has none. */
function newestMs({ fleet }: Pick<LiveView, "fleet">, uuid: string): number {
  return (fleet.isLoaded ? fleet.member(uuid)?.record?.timeMs : undefined) ?? -Infinity;
}

/** Splits a selector that names GPUs into one selector for each GPU: their histories are read one after another. */
function partsOf({ uuids, ...others }: GpuSelector): GpuSelector[] {
  return uuids === undefined ? [others] : uuids.map((uuid) => ({ ...others, uuids: [uuid] }));
}

function errorOf(error: unknown): MessageError {
  const details = { reason: messageOf(error) };
  if (error instanceof StoreUnavailable) {
    const message = "The history could not be sent, because the store does not answer; the subscription is live";
    return { code: "store_unavailable", message, details };
  }
  if (error instanceof ApiError) {
    const message = `The history was not sent completely: ${error.message}; the subscription is live`;
    return { code: error.code, message, details: error.text.details };
  }
  if (error instanceof QueryTooCostly) {
    const message = `The history was not sent, because its query costs too much: ${error.message}; the subscription is live`;
    return { code: error.code, message, details };
  }
  return { code: "internal_error", message: "The history could not be sent; the subscription is live", details: {} };
}
