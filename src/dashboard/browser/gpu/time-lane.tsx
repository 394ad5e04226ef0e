import { dateText } from "../../model/format.ts";
import { type LaneItem, laneRows } from "../../model/lane.ts";
import type { TimeWindow } from "../../model/time-choice.ts";

interface TimeLaneOptions {
  readonly title: string;
  readonly items: readonly LaneItem[];
  readonly window: TimeWindow;
  /** What it means that there is no item. */
  readonly empty: string;
  /** Faults have one colour, and workloads one each. */
  readonly isFault?: boolean;
}

/** The height of a row, as the style sheet has it. */
const rowPx = 26;

/** What lasted when, on the axis of time of the charts. */
export function TimeLane({ title, items, window: { fromMs, toMs }, empty, isFault = false }: TimeLaneOptions) {
  const percent = (spanMs: number): string => `${(100 * spanMs) / (toMs - fromMs)}%`;
  const rows = laneRows(items);
  if (items.length === 0) {
    return (
      <p class="lane">
        <strong>{title}</strong> <span>{empty}</span>
      </p>
    );
  }
  return (
    <div class="lane" data-lane={isFault ? "faults" : "holders"}>
      <h3>{title}</h3>
      <ol style={{ height: `${(Math.max(...rows) + 1) * rowPx}px` }}>
        {items.map((item, index) => (
          <li
            key={item.id}
            class={isFault ? "is-fault" : ""}
            title={`${item.text}, ${timesOf(item)}`}
            style={{
              ...{ left: percent(item.fromMs - fromMs), width: percent(item.toMs - item.fromMs) },
              ...{ top: `${(rows[index] ?? 0) * rowPx}px`, "--hue": String(hueOf(item.text)) },
            }}
          >
            {item.text}
            <span class="for-readers">, {timesOf(item)}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}

function timesOf({ fromMs, toMs, beganBefore, isOpen }: LaneItem): string {
  const from = beganBefore ? "from before this window" : `from ${dateText(fromMs)}`;
  return isOpen ? from : `${from} to ${dateText(toMs)}`;
}

/** The same workload has the same colour everywhere. */
function hueOf(text: string): number {
  return [...text].reduce((hash, letter) => (hash * 31 + (letter.codePointAt(0) ?? 0)) % 360, 7);
}
