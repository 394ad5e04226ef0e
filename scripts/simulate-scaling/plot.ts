/** A value for each second, drawn as bars. */
export interface Panel {
  readonly title: string;
  readonly values: readonly number[];
  readonly top: number;
  /** Drawn as a line over the bars. */
  readonly line?: readonly number[];
  /** The style of bars that reach this value. */
  readonly alarm?: number;
}

/** How parts of a plot are shown. */
export interface Style {
  readonly line: (text: string) => string;
  readonly alarm: (text: string) => string;
}

const labelWidth = 5;
const rows = 5;

/** @returns the lines of a panel, each at most `width` wide */
export function panelLines({ title, values, top, line, alarm }: Panel, width: number, style: Style): string[] {
  const columns = width - labelWidth;
  const bars = columnsOf(values, columns);
  const marks = line === undefined ? undefined : columnsOf(line, columns);
  const lines = [title];
  for (let row = rows - 1; row >= 0; row -= 1) {
    const label = row === rows - 1 ? top : row === 0 ? 0 : undefined;
    const cells = bars.map((bar, column) => {
      if (marks !== undefined && rowOf(marks[column] ?? 0, top) === row) return style.line("─");
      const cell = barCell((bar / top) * rows - row);
      return alarm !== undefined && bar >= alarm ? style.alarm(cell) : cell;
    });
    lines.push(`${String(label ?? "").padStart(labelWidth - 2)} │${cells.join("")}`.trimEnd());
  }
  return lines;
}

/** The axis below the panels. */
export function timeAxis(seconds: number, width: number): string {
  const [start, middle, end] = [0, seconds / 2, seconds].map(clockText) as [string, string, string];
  const columns = width - labelWidth;
  const half = Math.floor(columns / 2);
  const left = start.padEnd(half - Math.floor(middle.length / 2)) + middle;
  return " ".repeat(labelWidth) + left + end.padStart(columns - left.length);
}

/** The greatest value of each column's part of the time. */
function columnsOf(values: readonly number[], columns: number): number[] {
  return Array.from({ length: columns }, (_, column) => {
    const from = Math.floor((column * values.length) / columns);
    const to = Math.max(from + 1, Math.floor(((column + 1) * values.length) / columns));
    return values.slice(from, to).reduce((most, value) => Math.max(most, value), 0);
  });
}

function rowOf(value: number, top: number): number {
  return Math.min(rows - 1, Math.ceil((value / top) * rows) - 1);
}

/** @param filled how much of the cell the bar covers; above 1 if the bar is higher, below 0 if it is lower */
function barCell(filled: number): string {
  return " ▁▂▃▄▅▆▇█"[Math.round(Math.min(1, Math.max(0, filled)) * 8)] ?? " ";
}

function clockText(seconds: number): string {
  const parts = seconds >= 7200 ? [seconds / 3600, (seconds / 60) % 60] : [seconds / 60, seconds % 60];
  return parts.map((part) => String(Math.floor(part)).padStart(2, "0")).join(":");
}
