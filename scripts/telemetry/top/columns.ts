import { cellOf } from "../output.ts";
import { absent, amount, bar, sparkline, span, widthOf } from "./cells.ts";
import { type Device, isStale, memoryPercent, trendLength } from "./device.ts";
import { isDescending, type SortColumn } from "./ranking.ts";

/** A column of the table, in the order in which they are shown. */
interface Column {
  readonly title: string;
  /** The column by which `sort` sorts when it chooses this one. */
  readonly sort?: SortColumn;
  readonly align: "left" | "right";
  readonly width: number;
  /** True for texts, which become wider if there is room. */
  readonly grows?: true;
  /** True for what is drawn, and says nothing that another column does not say. */
  readonly isDrawn?: true;
  /** A narrow terminal shows the columns with the lowest ranks. */
  readonly rank: number;
  readonly text: (device: Device, nowMs: number) => string;
}

/** A column with the width that it has in a terminal. */
export interface PlacedColumn extends Column {
  readonly shownWidth: number;
}

const barWidth = 6;
const gibibytes = (mebibytes: number | undefined): string => amount(mebibytes && mebibytes / 1024, "", 1);

const columns: readonly Column[] = [
  { title: "HOST", sort: "host", align: "left", width: 12, grows: true, rank: 0, text: ({ host }) => textOf(host) },
  { title: "GPU", sort: "gpu", align: "left", width: 6, rank: 1, text: indexOf },
  {
    title: "MODEL",
    sort: "model",
    align: "left",
    width: 14,
    grows: true,
    rank: 11,
    text: ({ model }) => textOf(model),
  },
  { title: "UTIL", sort: "util", align: "right", width: 5, rank: 2, text: (each) => amount(each.utilization, "%") },
  {
    title: "",
    align: "left",
    width: barWidth,
    isDrawn: true,
    rank: 8,
    text: (each) => bar(each.utilization, barWidth),
  },
  { title: "TREND", align: "right", width: trendLength, isDrawn: true, rank: 9, text: ({ trend }) => sparkline(trend) },
  { title: "MEM", sort: "mem", align: "right", width: 5, rank: 3, text: (each) => amount(memoryPercent(each), "%") },
  { title: "GIB", align: "right", width: 11, rank: 10, text: memoryText },
  { title: "POWER", sort: "power", align: "right", width: 6, rank: 4, text: ({ watts }) => amount(watts, "W") },
  {
    title: "TEMP",
    sort: "temp",
    align: "right",
    width: 5,
    rank: 5,
    text: ({ temperature }) => amount(temperature, "°"),
  },
  {
    title: "HELD BY",
    sort: "holder",
    align: "left",
    width: 12,
    grows: true,
    rank: 7,
    text: ({ holder }) => textOf(holder),
  },
  { title: "AGE", sort: "age", align: "right", width: 6, rank: 6, text: ageOf },
];

/** The columns that fit the width, with the rest of it shared by those that grow.
 *  @param width Infinity for lines that may be of any length
 *  @param shown the devices on the screen, whose texts say how wide a column may become */
export function columnsFor(width: number, shown: readonly Device[], withDrawn: boolean): readonly PlacedColumn[] {
  let rest = width + 1;
  const chosen = new Set<Column>();
  for (const column of columns.toSorted((a, b) => a.rank - b.rank)) {
    if ((column.isDrawn && !withDrawn) || (rest < column.width + 1 && chosen.size > 0)) continue;
    chosen.add(column);
    rest -= column.width + 1;
  }
  const added = growths([...chosen], shown, Math.max(0, rest));
  return columns
    .filter((column) => chosen.has(column))
    .map((column) => ({ ...column, shownWidth: Math.min(column.width + (added.get(column) ?? 0), width) }));
}

/** How much wider each column becomes: what needs little gets it, and the others share the rest equally. */
function growths(chosen: readonly Column[], shown: readonly Device[], room: number): ReadonlyMap<Column, number> {
  const needs = chosen
    .filter(({ grows }) => grows)
    .map((column) => ({ column, need: Math.max(0, widest(column, shown) - column.width) }))
    .sort((a, b) => a.need - b.need);
  let rest = room;
  return new Map(
    needs.map(({ column, need }, index) => {
      const added = Math.min(need, Math.floor(rest / (needs.length - index)));
      rest -= added;
      return [column, added];
    }),
  );
}

/** The title of a column, with an arrow if the table is sorted by it. */
export function titleOf({ title, sort }: Column, by: SortColumn, isReversed: boolean): string {
  if (sort !== by) return title;
  return `${title}${isDescending(by, isReversed) ? "▼" : "▲"}`;
}

function widest(column: Column, shown: readonly Device[]): number {
  return shown.reduce((most, device) => Math.max(most, widthOf(column.text(device, 0))), column.title.length + 1);
}

const textOf = (text: string): string => (text === "" ? absent : cellOf(text));

function indexOf({ index, instance, parentUuid }: Device): string {
  return parentUuid === undefined ? textOf(index) : `└${cellOf(index)}:${cellOf(instance)}`;
}

function memoryText({ usedMebibytes: used, totalMebibytes: total }: Device): string {
  return used === undefined && total === undefined ? absent : `${gibibytes(used)}/${gibibytes(total)}`;
}

/** The age of a record, with ! if the record is stale. */
function ageOf(device: Device, nowMs: number): string {
  return `${span(nowMs - device.atMs)}${isStale(device, nowMs) ? "!" : ""}`;
}
