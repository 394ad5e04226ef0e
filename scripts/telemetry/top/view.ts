import type { Key } from "./keys.ts";
import { type SortColumn, sortColumns } from "./ranking.ts";

/** What the user chose to see. */
export interface View {
  readonly sort: SortColumn;
  readonly isReversed: boolean;
  readonly filter: string;
  /** True while the filter is typed. */
  readonly isTyping: boolean;
  /** The number of devices above the screen. */
  readonly offset: number;
}

/** What the screen can show: the devices that match, and how many of them fit. */
export interface Extent {
  readonly rows: number;
  readonly page: number;
}

/** @returns the view after a key; undefined if the key leaves the table */
export function afterKey(view: View, key: Key, extent: Extent): View | undefined {
  if (key === "ctrl-c") return undefined;
  const moved = offsetAfter(view.offset, key, extent);
  if (moved !== undefined) return { ...view, offset: withinExtent(moved, extent) };
  if (view.isTyping) return afterTyping(view, key);
  switch (key) {
    case "q":
      return undefined;
    case "s":
    case "S":
      return { ...view, sort: neighbour(view.sort, key === "s" ? 1 : -1), offset: 0 };
    case "r":
      return { ...view, isReversed: !view.isReversed, offset: 0 };
    case "/":
      return { ...view, isTyping: true };
    case "escape":
      return { ...view, filter: "", offset: 0 };
    default:
      return view;
  }
}

/** The offset with which the screen is full, if there are enough rows. */
export function withinExtent(offset: number, { rows, page }: Extent): number {
  return Math.max(0, Math.min(offset, rows - page));
}

function afterTyping(view: View, key: Key): View {
  if (key === "enter") return { ...view, isTyping: false };
  if (key === "escape") return { ...view, isTyping: false, filter: "", offset: 0 };
  if (key === "backspace") return { ...view, filter: [...view.filter].slice(0, -1).join(""), offset: 0 };
  return [...key].length === 1 ? { ...view, filter: `${view.filter}${key}`, offset: 0 } : view;
}

function offsetAfter(offset: number, key: Key, { rows, page }: Extent): number | undefined {
  switch (key) {
    case "up":
      return offset - 1;
    case "down":
      return offset + 1;
    case "page-up":
      return offset - page;
    case "page-down":
      return offset + page;
    case "home":
      return 0;
    case "end":
      return rows;
    default:
      return undefined;
  }
}

function neighbour(column: SortColumn, step: number): SortColumn {
  const index = (sortColumns.indexOf(column) + step + sortColumns.length) % sortColumns.length;
  return sortColumns[index] ?? column;
}
