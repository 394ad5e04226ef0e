import type { SqlClient } from "../../db/client.ts";
import { endSilence, insertFaultRequest, insertSilence } from "../../db/sql/fault-orders.ts";
import type { GpuBounds } from "../../domain/gpu-bounds.ts";
import type { BoundaryPlace } from "../evaluator/evaluator.ts";
import { type ByWhom, type FaultOrders, maxSilences } from "../fault-store.ts";
import type { Silence, SilenceDraft } from "../silence.ts";
import { silenceOfRow } from "./fault-of-row.ts";

/** Takes the orders of operators in SQL. */
export class SqlFaultOrders implements FaultOrders {
  constructor(private readonly client: SqlClient) {}

  acknowledge({ faultId, by: author, comment }: { readonly faultId: string } & ByWhom): Promise<number> {
    const place = { clusterId: "", hostname: "", uuid: "" };
    return this.client.transaction((transaction) =>
      insertFaultRequest(transaction, { kind: "acknowledge", faultId, ...place, author, comment }),
    );
  }

  endByBoundary({
    place,
    boundary: kind,
    by: author,
    comment,
  }: { readonly place: BoundaryPlace; readonly boundary: "reset" | "reboot" } & ByWhom): Promise<number> {
    return this.client.transaction((transaction) =>
      insertFaultRequest(transaction, { kind, faultId: "", ...place, author, comment }),
    );
  }

  async silence({ within, ...draft }: SilenceDraft): Promise<Silence | undefined> {
    const row = await this.client.transaction((transaction) =>
      insertSilence(transaction, { ...draft, within: within ?? null }, maxSilences),
    );
    return row && silenceOfRow(row);
  }

  async endSilence(order: {
    readonly id: number;
    readonly by: string;
    readonly within?: GpuBounds;
  }): Promise<Silence | undefined> {
    const row = await this.client.transaction((transaction) => endSilence(transaction, order));
    return row && silenceOfRow(row);
  }
}
