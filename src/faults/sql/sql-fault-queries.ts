import type { SqlClient } from "../../db/client.ts";
import { selectFaultRequest, selectSilences } from "../../db/sql/fault-orders.ts";
import {
  selectChanges,
  selectFault,
  selectFaults,
  selectFaultsById,
  selectLastEvaluation,
  selectNews,
  selectSequence,
} from "../../db/sql/select-faults.ts";
import type { GpuBounds } from "../../domain/gpu-bounds.ts";
import { occupantsWithin } from "../../domain/within-bounds.ts";
import type { FaultQueries, News, NewsFilter } from "../fault-store.ts";
import { evaluationLateSeconds, type LastEvaluation } from "../last-evaluation.ts";
import type { Silence } from "../silence.ts";
import type { FaultFilter, FaultPage, FaultRequest, FaultWithChanges, StoredFault } from "../stored-fault.ts";
import { changeOfRow, faultOfRow, requestOfRow, silenceOfRow } from "./fault-of-row.ts";

/** The most changes of one fault, and ended silences, that are read. */
const maxChanges = 1000;
const maxSilencesShown = 2000;

/** Reads faults in SQL. */
export class SqlFaultQueries implements FaultQueries {
  constructor(private readonly client: SqlClient) {}

  async faults({ limit, after, ...selection }: FaultFilter): Promise<FaultPage> {
    const { within } = selection;
    if (asksForOthers(selection)) return nothing;
    const page = { limit: limit + 1, ...(after && { after }) };
    const found = (await selectFaults(this.client, selection, page)).map((row) => shown(faultOfRow(row), within));
    const faults = found.slice(0, limit);
    const last = faults.at(-1);
    if (found.length <= limit || last === undefined) return { faults, next: undefined };
    return { faults, next: { startedAtMs: last.startedAtMs, id: last.id } };
  }

  async fault(id: string, within?: GpuBounds): Promise<FaultWithChanges | undefined> {
    return this.client.snapshot(async (executor) => {
      const row = await selectFault(executor, id, within);
      if (row === undefined) return undefined;
      const changes = await selectChanges(executor, id, maxChanges);
      return { fault: shown(faultOfRow(row), within), changes: changes.map(changeOfRow) };
    });
  }

  async news(filter: NewsFilter): Promise<News> {
    const { after, limit, within } = filter;
    return this.client.snapshot(async (executor) => {
      const newest = await selectSequence(executor);
      const isNothing = newest <= after || asksForOthers(filter);
      const changes = isNothing ? [] : (await selectNews(executor, { ...filter, until: newest })).map(changeOfRow);
      const rows = await selectFaultsById(executor, [...new Set(changes.map(({ faultId }) => faultId))]);
      const faults = new Map(rows.map((row) => [row.id, shown(faultOfRow(row), within)]));
      const news = changes.flatMap((change) => {
        const fault = faults.get(change.faultId);
        return fault === undefined ? [] : [{ change, fault }];
      });
      return { news, sequence: changes.length < limit ? newest : (changes.at(-1)?.sequence ?? newest) };
    });
  }

  async silences(filter: { readonly withEnded: boolean; readonly within?: GpuBounds }): Promise<readonly Silence[]> {
    return (await selectSilences(this.client, { ...filter, limit: maxSilencesShown })).map(silenceOfRow);
  }

  async request(id: number): Promise<FaultRequest | undefined> {
    const row = await selectFaultRequest(this.client, id);
    return row && requestOfRow(row);
  }

  async lastEvaluation(): Promise<LastEvaluation> {
    const { atMs, isCurrent } = await selectLastEvaluation(this.client, evaluationLateSeconds);
    return { atMs: atMs ?? undefined, isCurrent };
  }
}

const nothing: FaultPage = { faults: [], next: undefined };

/** True if the caller asks for a namespace that is not its own: whether it shares an own device is not to be told. */
function asksForOthers({ namespace, within }: Pick<FaultFilter, "namespace" | "within">): boolean {
  return namespace !== undefined && within?.namespaces?.includes(namespace) === false;
}

/** The fault without the workloads that the caller may not see. */
function shown(fault: StoredFault, within: GpuBounds | undefined): StoredFault {
  return within === undefined ? fault : { ...fault, holders: occupantsWithin(within, fault.holders) };
}
