import type { SqlClient } from "../../db/client.ts";
import {
  beginReceiver,
  changePostponed,
  deleteLostPostponed,
  moveReceiver,
  selectPostponed,
} from "../../db/sql/fault-outbox.ts";
import { TermEnded } from "../../domain/errors.ts";
import type { Delivered, FaultOutbox, ReceiverPosition } from "../fault-outbox.ts";
import type { StoredFault } from "../stored-fault.ts";
import { faultOfRow } from "./fault-of-row.ts";

const maxPostponed = 1000;

/** Keeps in SQL how far the receivers of webhooks are. */
export class SqlFaultOutbox implements FaultOutbox {
  constructor(private readonly client: SqlClient) {}

  async begin(term: number, receiver: string): Promise<ReceiverPosition> {
    const position = await this.client.transaction((transaction) => beginReceiver(transaction, term, receiver));
    if (position === undefined) throw ended(term);
    return position;
  }

  async move(term: number, receiver: string, { position, postponed, settled }: Delivered): Promise<void> {
    await this.client.transaction(async (transaction) => {
      if (!(await moveReceiver(transaction, { term, receiver, ...position }))) throw ended(term);
      changePostponed(transaction, receiver, { postponed, settled });
    });
  }

  async postponed(receiver: string): Promise<readonly StoredFault[]> {
    await this.client.transaction(deleteLostPostponed);
    return (await selectPostponed(this.client, receiver, maxPostponed)).map(faultOfRow);
  }
}

function ended(term: number): TermEnded {
  return new TermEnded(`another process notifies about faults: term ${term} has ended`);
}
