import type { GpuBounds } from "../../../domain/gpu-bounds.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import type { FaultQueries } from "../../../faults/fault-store.ts";
import { missingEvaluation } from "../../../faults/last-evaluation.ts";
import { type Silence, silencesOf } from "../../../faults/silence.ts";
import type { ChangeFilter, FaultFilter, StoredFault } from "../../../faults/stored-fault.ts";
import type { Clock } from "../../../kit/clock.ts";
import { notFound } from "../../http/api-error.ts";
import { encodeCursor } from "../../http/parameters/cursor.ts";
import {
  type ApiFault,
  type ApiFaultDetail,
  type ApiFaultNews,
  type Silenced,
  toApiFault,
  toApiFaultChange,
} from "../../schemas/fault.ts";
import { type ApiSilence, toApiSilence } from "../../schemas/fault-silence.ts";

/** A part of the list of faults. */
export interface ApiFaultPage {
  readonly faults: readonly ApiFault[];
  /** The cursor of the next part; undefined at the end. */
  readonly next: string | undefined;
  /** When the rules were last evaluated; undefined: never. */
  readonly evaluatedAt: string | undefined;
  /** Why the list may lack faults; undefined if it does not. */
  readonly notice: string | undefined;
}

/** Changes, and where to continue. */
interface FaultNewsPage {
  readonly news: readonly ApiFaultNews[];
  readonly sequence: number;
}

/** Lists faults and silences, as far as a caller may see them, for REST and GraphQL. Every call throws StoreUnavailable if the store does
 *  not answer. */
export class FaultList {
  /** @param within what the caller may see; undefined: everything */
  constructor(
    private readonly queries: FaultQueries,
    private readonly clock: Pick<Clock, "nowMs">,
    private readonly within: GpuBounds | undefined,
  ) {}

  async page(filter: FaultFilter): Promise<ApiFaultPage> {
    const [{ faults, next }, last] = await Promise.all([
      this.queries.faults({ ...filter, ...this.bounds }),
      this.queries.lastEvaluation(),
    ]);
    const shown = await this.shower(faults.length > 0);
    return {
      faults: faults.map(shown),
      next: next && encodeCursor([next.startedAtMs, next.id]),
      evaluatedAt: last.atMs === undefined ? undefined : formatTimestamp(last.atMs),
      notice: missingEvaluation(last),
    };
  }

  /** @throws ApiError 404 if there is no such fault, or the caller may not see it */
  async show(id: string): Promise<ApiFaultDetail> {
    const found = await this.queries.fault(id, this.within);
    if (found === undefined) throw notFound("fault", { id });
    const shown = await this.shower(true);
    return { ...shown(found.fault), changes: found.changes.map(toApiFaultChange) };
  }

  async silences(withEnded: boolean): Promise<ApiSilence[]> {
    const silences = await this.queries.silences({ withEnded, ...this.bounds });
    return silences.map((silence) => toApiSilence(silence, this.clock.nowMs()));
  }

  /** The changes after a sequence, oldest first, and where to continue.
   *  @param after undefined: no changes, but where to begin */
  async news(after: number | undefined, limit: number, filter: ChangeFilter = {}): Promise<FaultNewsPage> {
    const following = { after: after ?? Number.MAX_SAFE_INTEGER, limit };
    const { news, sequence } = await this.queries.news({ ...filter, ...following, ...this.bounds });
    const shown = await this.shower(news.length > 0);
    const told = news.map(({ change, fault }) => ({
      sequence: change.sequence,
      change: toApiFaultChange(change),
      fault: shown(fault),
    }));
    return { news: told, sequence };
  }

  /** Makes a function that gives faults the API's shape. @param isNeeded false if it will not be called */
  private async shower(isNeeded: boolean): Promise<(fault: StoredFault) => ApiFault> {
    const all = isNeeded ? await this.queries.silences({ withEnded: false }) : [];
    const nowMs = this.clock.nowMs();
    return (fault) => toApiFault(fault, this.silenced(fault, all, nowMs), nowMs);
  }

  /** The silences of other callers count, but only those of callers with the same bounds are named. */
  private silenced(fault: StoredFault, all: readonly Silence[], nowMs: number): Silenced {
    const silences = silencesOf(fault, all, nowMs);
    const own = JSON.stringify(this.within);
    const named = silences.filter(({ within }) => this.within === undefined || JSON.stringify(within) === own);
    return { silenced: silences.length > 0, silencedBy: named.map(({ id }) => id).sort((a, b) => a - b) };
  }

  private get bounds(): { readonly within?: GpuBounds } {
    return this.within === undefined ? {} : { within: this.within };
  }
}
