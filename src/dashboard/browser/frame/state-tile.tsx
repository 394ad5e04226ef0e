import { dateText } from "../../model/format.ts";
import { type InventoryItem, readInventoryItem } from "../live/device-api.ts";
import { msOf } from "../live/gateway-api.ts";
import { Tile } from "./facts.tsx";
import { useAnswer } from "./use-answer.ts";

interface StateTileOptions {
  readonly filter: { readonly gpu_uuid: string } | { readonly hostname: string };
  readonly isStale: boolean;
  /** When the newest record came. */
  readonly newest: string;
}

/** Operators change states by hand, seldom. */
const stateEveryMs = 5000;

/** Whether a device or a host reports, whether it ought to, and why not. */
export function StateTile({ filter, isStale, newest }: StateTileOptions) {
  const { value: item } = useAnswer(() => readInventoryItem(filter), stateEveryMs, [JSON.stringify(filter)]);
  const state = item?.state ?? "active";
  const text =
    state === "maintenance" ? "under maintenance" : state === "active" ? (isStale ? "stale" : "reporting") : state;
  return (
    <Tile id="state" name="State" value={text}>
      newest record {newest}
      {state !== "active" && item !== undefined && `; ${reasonOf(item)}`}
    </Tile>
  );
}

function reasonOf({ from, to, note }: InventoryItem): string {
  return [
    ...(from === undefined ? [] : [`since ${dateText(msOf(from))}`]),
    ...(to === undefined ? [] : [`until ${dateText(msOf(to))}`]),
    note === undefined || note === "" ? "no reason was given" : `reason: ${note}`,
  ].join(", ");
}
