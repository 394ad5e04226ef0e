import { dateText } from "../../model/format.ts";
import type { Holding } from "../../model/holding.ts";
import type { TimeWindow } from "../../model/time-choice.ts";

/** Who held the GPU, on the axis of time of the charts. */
export function HoldingLane({
  holdings,
  window: { fromMs, toMs },
}: {
  readonly holdings: readonly Holding[];
  readonly window: TimeWindow;
}) {
  const percent = (spanMs: number): string => `${(100 * spanMs) / (toMs - fromMs)}%`;
  return (
    <div class="lane">
      <h3>Held by</h3>
      <ol>
        {holdings.map((holding) => (
          <li
            key={`${holding.fromMs} ${holding.text}`}
            title={`${holding.text}, ${timesOf(holding)}`}
            style={{
              left: percent(holding.fromMs - fromMs),
              width: percent(holding.toMs - holding.fromMs),
              "--hue": String(hueOf(holding.text)),
            }}
          >
            {holding.text}
            <span class="for-readers">, {timesOf(holding)}</span>
          </li>
        ))}
      </ol>
      {holdings.length === 0 && <p>no workload in this window</p>}
    </div>
  );
}

function timesOf({ fromMs, toMs, beganBefore, isOpen }: Holding): string {
  const from = beganBefore ? "from before this window" : `from ${dateText(fromMs)}`;
  return isOpen ? from : `${from} to ${dateText(toMs)}`;
}

/** The same workload has the same colour everywhere. */
function hueOf(text: string): number {
  return [...text].reduce((hash, letter) => (hash * 31 + (letter.codePointAt(0) ?? 0)) % 360, 7);
}
