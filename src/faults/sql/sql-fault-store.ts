import type { SqlClient } from "../../db/client.ts";
import type { FaultOutbox } from "../fault-outbox.ts";
import type { FaultLedger, FaultOrders, FaultQueries, FaultStore } from "../fault-store.ts";
import { SqlFaultLedger } from "./sql-fault-ledger.ts";
import { SqlFaultOrders } from "./sql-fault-orders.ts";
import { SqlFaultOutbox } from "./sql-fault-outbox.ts";
import { SqlFaultQueries } from "./sql-fault-queries.ts";

/** Faults in PostgreSQL or the embedded database. */
export class SqlFaultStore implements FaultStore {
  readonly queries: FaultQueries;
  readonly orders: FaultOrders;
  readonly ledger: FaultLedger;
  readonly outbox: FaultOutbox;

  constructor(client: SqlClient) {
    this.queries = new SqlFaultQueries(client);
    this.orders = new SqlFaultOrders(client);
    this.ledger = new SqlFaultLedger(client);
    this.outbox = new SqlFaultOutbox(client);
  }
}
