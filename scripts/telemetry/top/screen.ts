import { visibleLines } from "../../../src/domain/visible-text.ts";
import { cellOf } from "../output.ts";
import { absent, amount, fit, packed, power, span } from "./cells.ts";
import { columnsFor, type PlacedColumn, titleOf } from "./columns.ts";
import { type Device, isStale } from "./device.ts";
import { devicesMax, type FeedState } from "./feed.ts";
import { matching, sorted } from "./ranking.ts";
import { busyPercent, type Summary, summaryOf } from "./summary.ts";
import { type View, withinExtent } from "./view.ts";

/** A line of the screen. `role` says how it stands out, if the terminal may. */
export interface Line {
  readonly text: string;
  readonly role: "header" | "titles" | "row" | "stale" | "footer";
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** What a screen shows. */
export interface Scene {
  readonly devices: readonly Device[];
  readonly view: View;
  readonly feed: FeedState;
  readonly nowMs: number;
}

/** The lines of a full screen: exactly the height, each exactly the width.
 *  @returns also how many devices match, and how many of them fit */
export function screenOf({ devices, view, feed, nowMs }: Scene, { width, height }: Size) {
  const found = matching(devices, view.filter);
  const parts = headerParts(summaryOf(found, nowMs), feed, nowMs);
  // a low terminal shows devices instead of the header
  const header = packed(parts, width).slice(0, Math.max(0, Math.min(4, height - 5)));
  const extent = { rows: found.length, page: Math.max(1, height - header.length - 2) };
  const offset = withinExtent(view.offset, extent);
  const shown = sorted(found, view.sort, view.isReversed).slice(offset, offset + extent.page);
  const columns = columnsFor(width, shown, true);
  const rows = shown.map((device): Line => {
    return { text: rowText(columns, device, nowMs), role: isStale(device, nowMs) ? "stale" : "row" };
  });
  const blank = Array.from({ length: extent.page - rows.length }, (): Line => ({ text: "", role: "row" }));
  const lines: Line[] = [
    ...header.map((text): Line => ({ text, role: "header" })),
    { text: titlesText(columns, view), role: "titles" },
    ...[...rows, ...blank],
    { text: footer(view, offset, extent), role: "footer" },
  ];
  // some texts deceive only in the whole line, such as Cyrillic letters among Latin ones
  const fitting = lines
    .slice(0, height)
    .map(({ text, role }): Line => ({ text: fit(visibleLines(text), width), role }));
  return { lines: fitting, extent, offset };
}

/** All devices as a table of plain lines, below what the header says. */
export function plainLines({ devices, view, feed, nowMs }: Scene): string[] {
  const shown = sorted(matching(devices, view.filter), view.sort, view.isReversed);
  const columns = columnsFor(Infinity, shown, false);
  const rows = shown.map((device) => rowText(columns, device, nowMs));
  const lines = [headerParts(summaryOf(shown, nowMs), feed, nowMs).join("  "), titlesText(columns, view), ...rows];
  return lines.map((line) => line.trimEnd());
}

function rowText(columns: readonly PlacedColumn[], device: Device, nowMs: number): string {
  return columns.map(({ text, shownWidth, align }) => fit(text(device, nowMs), shownWidth, align)).join(" ");
}

function titlesText(columns: readonly PlacedColumn[], { sort, isReversed }: View): string {
  return columns.map((column) => fit(titleOf(column, sort, isReversed), column.shownWidth, column.align)).join(" ");
}

function headerParts(summary: Summary, feed: FeedState, nowMs: number): string[] {
  const { devices, hosts, busy, stale, watts, meanTemperature, maxTemperature, newestAtMs } = summary;
  const count = (number: number, noun: string): string =>
    `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
  return [
    ...[count(devices, "device"), count(hosts, "host")],
    `${busy.toLocaleString("en")} busy (${busyPercent} % or more)`,
    ...(stale === 0 ? [] : [`${stale.toLocaleString("en")} stale`]),
    `power ${power(watts)}`,
    `temperature mean ${amount(meanTemperature, "°")} max ${amount(maxTemperature, "°")}`,
    `newest record ${newestAtMs === undefined ? absent : `${span(nowMs - newestAtMs)} old`}`,
    stateText(feed),
    ...(feed.isCut ? [`only the newest ${devicesMax.toLocaleString("en")} devices`] : []),
    ...(feed.problem === undefined ? [] : [cellOf(feed.problem)]),
  ];
}

function stateText({ awaySinceMs }: FeedState): string {
  if (awaySinceMs === undefined) return "live";
  return `stale since ${new Date(awaySinceMs).toISOString().slice(11, 19)} UTC: no gateway; reconnecting`;
}

function footer({ filter, isTyping }: View, offset: number, { rows, page }: { rows: number; page: number }): string {
  const place = rows === 0 ? "no device" : `${offset + 1}-${Math.min(rows, offset + page)} of ${rows}`;
  if (isTyping) return `/${cellOf(filter)}_  (Enter keeps, Esc clears)  ${place}`;
  const by = filter === "" ? "" : `  filter: ${cellOf(filter)}`;
  return `${place}${by}  q quit  s/S sort  r reverse  / filter  arrows scroll`;
}
