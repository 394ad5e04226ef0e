import type { Clock } from "../../kit/clock.ts";
import { DeadlineExceeded, within } from "../../kit/within.ts";
import { QueryTooCostly, StoreUnavailable } from "../../domain/errors.ts";
import type { GpuSelector } from "../../domain/gpu-selector.ts";
import { messageOf } from "../../kit/message-of.ts";
import type { RecordFilter } from "../../domain/query.ts";
import type { TelemetryQueries } from "../../pipeline/store/telemetry-queries.ts";
import type { LiveFilter } from "./live-feed.ts";
import type { ControlMessage } from "./messages.ts";
import type { MessageError } from "./read-message.ts";
import type { Subscription } from "./subscription.ts";

/** Records read at a time: what a replay holds in memory. */
const pageRecords = 500;
/** Replays at a time, and those that may wait for their turn. */
const atOnceMax = 16;
const waitingMax = 2000;
/** How long the client may take to read what it asked for. */
const deadlineMs = 60_000;

interface ReplaysOptions {
  readonly queries: Pick<TelemetryQueries, "records">;
  readonly maxRecords: number;
  readonly clock: Clock;
  /** Instant of the newest record that was told of a GPU. */
  readonly newestMs: (uuid: string) => number;
}

/** Who wants a history, and hears how it went. */
export interface Replay {
  readonly subscription: Subscription;
  readonly filter: LiveFilter;
  readonly sinceMs: number;
  readonly onFault: (fault: MessageError) => void;
  /** Told that the client did not read it in time. */
  readonly onTooSlow: () => void;
}

/** Tells histories, a page at a time, as fast as the client reads them; a few at a time, the others wait. */
export class Replays {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly options: ReplaysOptions) {}

  /** Resolves when it was told, or could not be. Never rejects. */
  async tell(replay: Replay): Promise<void> {
    replay.subscription.beginReplay();
    if (this.running >= atOnceMax && this.waiting.length >= waitingMax) {
      const message = `${waitingMax} replays wait already; the subscription is live, ask for the history again later`;
      replay.onFault({ code: "replay_unavailable", message, details: { expected: waitingMax } });
      this.end(replay, { count: 0, isWhole: false });
      return;
    }
    if (this.running >= atOnceMax) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.running += 1;
    try {
      await this.tellInTime(replay);
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.running -= 1;
      else next();
    }
  }

  private async tellInTime(replay: Replay): Promise<void> {
    const sent = { count: 0, isWhole: true };
    try {
      sent.isWhole = await within(this.options.clock, deadlineMs, () => this.tellAll(replay, sent));
    } catch (error) {
      sent.isWhole = false;
      if (error instanceof DeadlineExceeded) replay.onTooSlow();
      else replay.onFault(faultOf(error));
    }
    this.end(replay, sent);
  }

  /** @returns whether all is told, and not only what may be */
  private async tellAll({ subscription, filter, sinceMs }: Replay, sent: { count: number }): Promise<boolean> {
    for (const gpus of partsOf(filter)) {
      let cursor: RecordFilter["cursor"];
      do {
        if (subscription.isOver) return false;
        const left = this.options.maxRecords - sent.count;
        if (left <= 0) return false;
        const limit = Math.min(pageRecords, left);
        const page = await this.options.queries.records({
          gpus,
          range: { fromMs: sinceMs, toMs: Infinity },
          isForward: true,
          limit,
          ...(cursor === undefined ? {} : { cursor }),
        });
        sent.count += page.elements.length;
        await subscription.addHistory(page.elements, this.options.newestMs);
        cursor = page.next;
      } while (cursor !== undefined);
    }
    return true;
  }

  private end({ subscription }: Replay, { count, isWhole }: { count: number; isWhole: boolean }): void {
    const end: ControlMessage = { type: "replayed", id: subscription.id, count };
    subscription.endReplay(isWhole ? end : { ...end, truncated: true });
  }
}

/** The questions that the store answers: one a GPU, where GPUs are named. */
function partsOf({ gpuUuids, hostname, clusterId, namespace }: LiveFilter): GpuSelector[] {
  const place = {
    ...(hostname === undefined ? {} : { hostname }),
    ...(clusterId === undefined ? {} : { clusterId }),
    ...(namespace === undefined ? {} : { namespace }),
  };
  return gpuUuids === undefined ? [place] : gpuUuids.map((uuid) => ({ ...place, uuids: [uuid] }));
}

function faultOf(error: unknown): MessageError {
  const details = { reason: messageOf(error) };
  if (error instanceof StoreUnavailable) {
    const message = "The store does not answer: the history is not told, the subscription is live";
    return { code: "store_unavailable", message, details };
  }
  if (error instanceof QueryTooCostly) {
    const message = `The history costs too much and is not told, the subscription is live: ${error.message}`;
    return { code: error.code, message, details };
  }
  return { code: "internal_error", message: "The history could not be told; the subscription is live", details: {} };
}
