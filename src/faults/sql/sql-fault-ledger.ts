import type { SqlClient } from "../../db/client.ts";
import {
  beginFaultTerm,
  type ChangedFaultRow,
  closeRequests,
  deleteOldFaults,
  deleteOldOrders,
  insertFaultChanges,
  type NewChangeRow,
  saveFaultStates,
  selectFaultStates,
  selectLastingFaults,
  selectOpenRequests,
  takeFaultBatch,
  upsertFaults,
} from "../../db/sql/fault-ledger.ts";
import { TermEnded } from "../../domain/errors.ts";
import type { PartName, SavedPart } from "../evaluator/saved-part.ts";
import type { FaultLedger, FaultUpdate, NewChange } from "../fault-store.ts";
import type { FaultRequest, StoredFault } from "../stored-fault.ts";
import { faultOfRow, requestOfRow } from "./fault-of-row.ts";

const rowsPerDelete = 1000;

/** Keeps what the leader says in SQL. An update takes the row of the term first, so updates wait for each other, and their changes are
 *  committed in the order of their numbers. */
export class SqlFaultLedger implements FaultLedger {
  constructor(private readonly client: SqlClient) {}

  begin(leader: string): Promise<number> {
    return this.client.transaction((transaction) => beginFaultTerm(transaction, leader));
  }

  async write({ term, batch, changes, states, requests }: FaultUpdate): Promise<void> {
    await this.client.transaction(async (transaction) => {
      const sequence = await takeFaultBatch(transaction, { term, batch, changes: changes.length });
      if (sequence === "repeated") return;
      if (sequence === undefined) {
        throw new TermEnded(`another process evaluates faults: term ${term} has ended, and its update was refused`);
      }
      if (changes.length > 0) {
        upsertFaults(transaction, changedFaults(changes));
        insertFaultChanges(transaction, sequence, changeRows(changes));
      }
      if (states.length > 0) saveFaultStates(transaction, states);
      if (requests.length > 0) closeRequests(transaction, requests);
    });
  }

  states(after: PartName | undefined, limit: number): Promise<readonly SavedPart[]> {
    return selectFaultStates(this.client, after, limit) as Promise<readonly SavedPart[]>;
  }

  async requests(limit: number): Promise<readonly FaultRequest[]> {
    return (await selectOpenRequests(this.client, limit)).map(requestOfRow);
  }

  async lasting(after: string, limit: number): Promise<readonly StoredFault[]> {
    return (await selectLastingFaults(this.client, after, limit)).map(faultOfRow);
  }

  async deleteOld(days: number): Promise<boolean> {
    const deleted = await this.client.transaction(async (transaction) => {
      const faults = await deleteOldFaults(transaction, days, rowsPerDelete);
      return Math.max(faults, days > 0 ? await deleteOldOrders(transaction, days, rowsPerDelete) : 0);
    });
    return deleted >= rowsPerDelete;
  }
}

/** Each changed fault after its last change. */
function changedFaults(changes: readonly NewChange[]): ChangedFaultRow[] {
  const rows = new Map<string, ChangedFaultRow>();
  for (const { change, by, comment } of changes) {
    const { subject, state, atMs, ...rest } = change;
    const before = rows.get(change.id);
    const isAcknowledgement = state === "acknowledged" && by !== "";
    rows.set(change.id, {
      ...rest,
      ...subject,
      ...{ state, stateSinceMs: atMs, changes: (before?.changes ?? 0) + 1 },
      firedAtMs: before?.firedAtMs ?? (state === "firing" ? atMs : null),
      endedAtMs: state === "resolved" ? atMs : null,
      acknowledgedBy: isAcknowledgement ? by : (before?.acknowledgedBy ?? null),
      acknowledgedAtMs: isAcknowledgement ? atMs : (before?.acknowledgedAtMs ?? null),
      comment: isAcknowledgement ? comment : (before?.comment ?? null),
    });
  }
  return [...rows.values()];
}

function changeRows(changes: readonly NewChange[]): NewChangeRow[] {
  const later = new Map<string, number>();
  const rows = changes.map(({ change, by: author, comment }, index): NewChangeRow => {
    const { id: faultId, state, atMs, value, why } = change;
    return { faultId, state, atMs, value, why, author, comment, number: index + 1, later: 0 };
  });
  return rows
    .toReversed()
    .map((row) => {
      const follow = later.get(row.faultId) ?? 0;
      later.set(row.faultId, follow + 1);
      return { ...row, later: follow };
    })
    .toReversed();
}
