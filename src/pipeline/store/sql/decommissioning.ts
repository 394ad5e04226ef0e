import type { SqlTransaction } from "../../../db/client.ts";
import {
  insertSpans,
  moveSpan,
  type NewSpan,
  type NewestOfDevice,
  selectDecommissioning,
  selectNewest,
} from "../../../db/sql/inventory-changes.ts";
import { type InventoryOutcome, type InventoryPlace, returnGraceMs } from "../../../domain/inventory.ts";
import { migInstanceOf } from "../../../domain/mig-instance.ts";

interface Decommissioning {
  readonly nowMs: number;
  /** Undefined: now, unless it is decommissioned already. */
  readonly fromMs: number | undefined;
  readonly note: string;
}

/** Decommissions a device, or a host with the devices that it has now. What is decommissioned already stays so, since the new
 *  instant if one is given.
 *  @returns why it is refused; undefined if it was done */
export async function decommission(
  transaction: SqlTransaction,
  place: InventoryPlace,
  { nowMs, fromMs, note }: Decommissioning,
): Promise<InventoryOutcome | undefined> {
  const devices = await selectNewest(transaction, place);
  const [newest] = devices;
  if (fromMs !== undefined && newest !== undefined && newest.lastSeenAtMs > fromMs + returnGraceMs) {
    return { kind: "has_reported", ...newest };
  }
  const span = { ...place, state: "decommissioned" as const, toMs: undefined, note };
  const existing = await selectDecommissioning(transaction, place);
  const startMs = fromMs ?? existing?.fromMs ?? nowMs;
  if (existing !== undefined) await moveSpan(transaction, { id: existing.id, fromMs: startMs, note });
  const id = existing?.id ?? (await insertSpans(transaction, [{ ...span, fromMs: startMs }]))[0];
  if (place.uuid !== "" || id === undefined) return undefined;
  const added: NewSpan[] = [];
  for (const uuid of gpusIn(devices)) {
    if ((await selectDecommissioning(transaction, { ...place, uuid })) !== undefined) continue;
    added.push({ ...span, uuid, fromMs: startMs, hostSpanId: id });
  }
  await insertSpans(transaction, added);
  return undefined;
}

/** The uuids of the GPUs: a MIG instance is decommissioned with its GPU. */
function gpusIn(devices: readonly NewestOfDevice[]): ReadonlySet<string> {
  return new Set(devices.map(({ uuid }) => migInstanceOf(uuid)?.parentUuid ?? uuid));
}
