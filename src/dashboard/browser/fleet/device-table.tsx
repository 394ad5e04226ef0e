import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { inOrder } from "../../model/device-order.ts";
import type { DeviceView } from "../../model/device-view.ts";
import type { Sort, SortKey } from "../../model/view-state.ts";
import { SortHeaders } from "../frame/sort-headers.tsx";
import { useEmitter } from "../live/emitter.ts";
import type { LiveFleet } from "../live/live-fleet.ts";
import { DeviceRow } from "./device-row.tsx";

interface DeviceTableOptions {
  readonly live: LiveFleet;
  readonly view: DeviceView;
  readonly sort: Sort;
  readonly onSort: (key: SortKey) => void;
  readonly selected: number | undefined;
  readonly onSelect: (position: number) => void;
  /** The device whose row is to be shown; another object shows it again. */
  readonly opened: { readonly position: number } | undefined;
}

const columns: readonly (readonly [key: SortKey, label: string])[] = [
  ["host", "Host"],
  ["index", "GPU"],
  ["model", "Model"],
  ["gpu_utilization", "Utilization"],
  ["memory_used", "Memory"],
  ["power_draw", "Power"],
  ["temperature", "Temperature"],
  ["holder", "Holder"],
  ["age", "Age"],
];

/** The height of a row, as the style sheet has it. */
const rowPx = 32;
/** The rows that exist above and below those in sight, so that scrolling shows no gap. */
const spareRows = 8;
/** How often the rows are sorted again, in ticks: an order that follows each record cannot be read. To sort 100,000 rows takes the
 *  browser about 0.1 s. */
const sortEveryTicks = (rows: number): number => (rows > 20_000 ? 10 : 2);

/** Every device, one row each. Only the rows in sight exist, however many devices there are. */
export function DeviceTable({ live, view, sort, onSort, selected, onSelect, opened }: DeviceTableOptions) {
  useEmitter(live.frames);
  const ticks = useEmitter(live.ticks);
  const turn =
    sort.key === "host" || sort.key === "index" ? 0 : Math.floor(ticks / sortEveryTicks(view.positions.length));
  const order = useMemo(() => inOrder(live.data, view.positions, sort), [live, view, sort, turn]);
  const { scroller, scrolledPx, heightPx, onScroll } = useScrolling(opened, order);
  const first = Math.min(order.length, Math.max(0, Math.floor(scrolledPx / rowPx) - spareRows));
  const last = Math.min(order.length, Math.ceil((scrolledPx + heightPx) / rowPx) + spareRows);
  return (
    <div class="scroller" ref={scroller} role="region" aria-label="Devices" tabIndex={0} onScroll={onScroll}>
      <table aria-rowcount={order.length + 1}>
        <Header sort={sort} onSort={onSort} />
        <tbody>
          <Spacer rows={first} />
          {Array.from(order.subarray(first, last), (position, index) => (
            <DeviceRow
              key={live.data.devices[position]?.uuid ?? ""}
              live={live}
              position={position}
              rowIndex={first + index + 2}
              isSelected={position === selected}
              onSelect={onSelect}
            />
          ))}
          <Spacer rows={order.length - last} />
        </tbody>
      </table>
    </div>
  );
}

/** Knows which part of the table is in sight, and brings the row of an opened device there. */
function useScrolling(opened: DeviceTableOptions["opened"], order: Int32Array) {
  const scroller = useRef<HTMLDivElement>(null);
  const [{ scrolledPx, heightPx }, setSight] = useState({ scrolledPx: 0, heightPx: 0 });
  const look = (): void => {
    const { scrollTop = 0, clientHeight = 0 } = scroller.current ?? {};
    setSight({ scrolledPx: scrollTop, heightPx: clientHeight });
  };
  useEffect(look, [order.length]);
  useEffect(() => {
    const place = opened === undefined ? -1 : order.indexOf(opened.position);
    const { current } = scroller;
    if (place === -1 || current === null) return;
    current.scrollTop = Math.max(0, (place + 1) * rowPx - current.clientHeight / 2);
    current.focus({ preventScroll: true });
    current.scrollIntoView({ block: "nearest" });
    look();
  }, [opened]);
  return { scroller, scrolledPx, heightPx, onScroll: look };
}

function Header({ sort, onSort }: Pick<DeviceTableOptions, "sort" | "onSort">) {
  return (
    <thead>
      <tr aria-rowindex={1}>
        <SortHeaders columns={columns} sort={sort} onSort={onSort} />
      </tr>
    </thead>
  );
}

/** The room of rows that do not exist. */
function Spacer({ rows }: { readonly rows: number }) {
  if (rows <= 0) return null;
  return (
    <tr aria-hidden="true" class="spacer">
      <td colSpan={columns.length} style={{ height: `${rows * rowPx}px` }} />
    </tr>
  );
}
