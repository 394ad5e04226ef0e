import type { Service } from "../../kit/service.ts";
import type { Queue, QueueStats } from "../../pipeline/queue/queue.ts";
import { settleAge, type Waiting, waitingOf } from "../../pipeline/store/history-settling.ts";
import type { QuarantineQueries, SettlingQueries } from "../../pipeline/store/telemetry-queries.ts";

/** How much history waits to become blocks, whichever processes settle it. */
export interface UnsettledHistory extends Waiting {
  /** SETTLE_HISTORY of this process. */
  readonly isOn: boolean;
  /** The oldest hour of which any records are rows, due or not, milliseconds since the epoch; undefined if there are no rows. */
  readonly oldestHour: number | undefined;
}

/** The state of the pipeline. */
export interface PipelineState {
  readonly queue: QueueStats;
  /** Reason -> number of rejected inputs. */
  readonly rejected: Readonly<Record<string, number>>;
  readonly conflicts: number;
  readonly unsettled: UnsettledHistory;
  /** Those of this process. */
  readonly services: readonly Service[];
}

interface PipelineParts {
  readonly queue: Pick<Queue, "stats">;
  readonly services: readonly Service[];
  readonly quarantine: QuarantineQueries;
  readonly settling: SettlingQueries;
  /** SETTLE_HISTORY. */
  readonly settleHistory: boolean;
  /** How long an hour must be over before it is settled, SETTLE_AFTER_MINUTES. */
  readonly settleAfterMinutes: number;
}

/** Tells the state of the pipeline. */
export class PipelineAnswers {
  constructor(private readonly parts: PipelineParts) {}

  /** @throws QueueUnavailable, StoreUnavailable */
  async state(): Promise<PipelineState> {
    const { queue, services, quarantine } = this.parts;
    return {
      rejected: await quarantine.countRejections(),
      conflicts: await quarantine.countConflicts(),
      queue: await queue.stats(),
      unsettled: await this.unsettled(),
      services,
    };
  }

  private async unsettled(): Promise<UnsettledHistory> {
    const { settling, settleHistory: isOn, settleAfterMinutes } = this.parts;
    const due = await settling.due(settleAge(settleAfterMinutes));
    return { isOn, oldestHour: due.oldestInRows, ...waitingOf(due) };
  }
}
