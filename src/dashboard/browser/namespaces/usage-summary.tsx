import { ageText, dateText } from "../../model/format.ts";
import {
  allHours,
  figureSum,
  heldRows,
  measureOf,
  partText,
  sumText,
  timeSplitOf,
  type TimeSplit,
} from "../../model/usage-figures.ts";
import { usageHours, type UsageState } from "../../model/usage-state.ts";
import { nowMs } from "../clock.ts";
import { Tile, Tiles } from "../frame/facts.tsx";
import { useAnswer } from "../frame/use-answer.ts";
import { readMe } from "../live/answer-data.ts";
import { useEmitter } from "../live/emitter.ts";
import type { LiveFleet } from "../live/live-fleet.ts";
import { type Usage, usagePath } from "../live/usage-api.ts";
import type { ReadRows } from "./use-usage.ts";

interface UsageSummaryOptions {
  readonly live: LiveFleet;
  readonly state: UsageState;
  readonly usage: ReadRows<Usage>;
}

/** The sums of all rows, and how they add up to the time of all GPUs. */
export function UsageSummary({ live, state, usage: { rows, atMs } }: UsageSummaryOptions) {
  const { value: me } = useAnswer(readMe, undefined, []);
  const isWhole = Object.keys(state.holder).length === 0 && me?.selector === undefined;
  return (
    <>
      <UsageTiles rows={rows} isWhole={isWhole} />
      <p>
        <Hours state={state} />
        {isWhole ? <Split split={timeSplitOf(rows)} /> : "; free and unknown time is not counted here."}
      </p>
      {isWhole && <SplitBar split={timeSplitOf(rows)} />}
      <p class="source">
        <Age live={live} atMs={atMs} />; the present hour counts until the newest records.{" "}
        <a href={usagePath(state)}>The same from the API</a>
      </p>
    </>
  );
}

interface UsageTilesOptions {
  readonly rows: readonly Usage[];
  /** True: the rows have the time of all GPUs. */
  readonly isWhole: boolean;
}

function UsageTiles({ rows, isWhole }: UsageTilesOptions) {
  const held = heldRows(rows);
  const allocated = figureSum(held, "allocated") || 0;
  const ofAllocated = (key: "active" | "effective" | "idle"): string => {
    const part = partText(figureSum(held, key), allocated);
    return part === "" ? "" : `${part} of allocated`;
  };
  const hasCost = held.some(({ cost }) => cost !== undefined);
  const all = allHours(rows);
  const measure = measureOf(held);
  return (
    <Tiles label="Summary">
      <Tile id="allocated" name="Allocated" value={held.length === 0 ? "0 h" : sumText(held, "allocated")}>
        GPU-hours{isWhole && all > 0 && `, ${partText(allocated, all)} of all`}
      </Tile>
      <Tile id="active" name="Active" value={sumText(held, "active")}>
        {ofAllocated("active")}
      </Tile>
      <Tile id="effective" name="Effective" value={sumText(held, "effective")}>
        {measure !== "" && `${ofAllocated("effective")}, by ${measure} activity`}
      </Tile>
      <Tile id="idle" name="Idle but held" value={sumText(held, "idle")}>
        {[ofAllocated("idle"), sumText(held, "idle_energy"), ...(hasCost ? [sumText(held, "idle_cost")] : [])]
          .filter((text) => text !== "")
          .join(", ")}
      </Tile>
      <Tile id="energy" name="Energy" value={sumText(held, "energy")}>
        of allocated time{hasCost && `; it cost ${sumText(held, "cost")}`}
      </Tile>
    </Tiles>
  );
}

function Hours({ state }: Pick<UsageSummaryOptions, "state">) {
  const { fromMs, toMs } = usageHours(state.time, nowMs());
  return <>{toMs === undefined ? `Since ${dateText(fromMs)}` : `From ${dateText(fromMs)} to ${dateText(toMs)}`}</>;
}

/** The equation; its shown parts add up to its shown sum. */
function Split({ split: { allocated, unallocated, unknown, all } }: { readonly split: TimeSplit }) {
  return (
    <span data-split>
      : {allocated} h allocated + {unallocated} h unallocated + {unknown} h unknown = {all} h of all GPUs.
    </span>
  );
}

/** The same as lengths. */
function SplitBar({ split }: { readonly split: TimeSplit }) {
  return (
    <div class="split-bar" aria-hidden="true">
      {(["allocated", "unallocated", "unknown"] as const).map((part) => (
        <i key={part} class={part} title={part} style={{ width: `${(100 * split[part]) / (split.all || 1)}%` }} />
      ))}
    </div>
  );
}

function Age({ live, atMs }: { readonly live: LiveFleet; readonly atMs: number }) {
  useEmitter(live.ticks);
  return <>Read {ageText(atMs, nowMs())} ago</>;
}
