/** Where each device is on the heat map. Its unit is a cell, which is one pixel of the image. */
export interface HeatMapLayout {
  readonly columns: number;
  readonly rows: number;
  /** Side of a cell on the screen. */
  readonly cellPx: number;
  /** The cell (row x columns + column) of each device of the view, by its place in the view. */
  readonly cells: Int32Array;
  /** The place in the view of each cell's device; -1: none. */
  readonly places: Int32Array;
}

/** A host with more devices has several rows. */
const maxPerRow = 16;
const maxCellPx = 22;

/** Puts hosts below each other, each with its devices in a row, and begins another block of rows to the right when the height is used
 *  up. The cells are as large as the room allows.
 *  @param hostSizes the number of devices of each host, in the view's order */
export function layOut(
  hostSizes: readonly number[],
  { widthPx, heightPx }: { readonly widthPx: number; readonly heightPx: number },
): HeatMapLayout {
  const perRow = Math.max(1, Math.min(maxPerRow, highestOf(hostSizes)));
  const rowsOfHost = hostSizes.map((size) => Math.ceil(size / perRow));
  const needed = Math.max(1, sum(rowsOfHost));
  const highest = Math.max(1, highestOf(rowsOfHost));
  const cellPx = largestCell(needed, { blockColumns: perRow + 1, slack: highest - 1, widthPx, heightPx });
  const blocks = Math.max(1, Math.floor((Math.floor(widthPx / cellPx) + 1) / (perRow + 1)));
  // as high as necessary: rows that are shared out evenly make the picture wide and flat
  const rows = Math.max(highest, Math.ceil(needed / blocks) + (blocks > 1 ? highest - 1 : 0));
  return placed(hostSizes, { perRow, rows, cellPx });
}

function placed(
  hostSizes: readonly number[],
  { perRow, rows, cellPx }: { readonly perRow: number; readonly rows: number; readonly cellPx: number },
): HeatMapLayout {
  const corners: { readonly block: number; readonly row: number }[] = [];
  let [block, row] = [0, 0];
  for (const size of hostSizes) {
    const height = Math.ceil(size / perRow);
    if (row > 0 && row + height > rows) [block, row] = [block + 1, 0];
    corners.push({ block, row });
    row += height;
  }
  const columns = (block + 1) * (perRow + 1) - 1;
  const cells = new Int32Array(sum(hostSizes));
  const places = new Int32Array(columns * rows).fill(-1);
  let place = 0;
  hostSizes.forEach((size, host) => {
    const corner = corners[host] ?? { block: 0, row: 0 };
    for (let each = 0; each < size; each++, place++) {
      const column = corner.block * (perRow + 1) + (each % perRow);
      const cell = (corner.row + Math.floor(each / perRow)) * columns + column;
      cells[place] = cell;
      places[cell] = place;
    }
  });
  return { columns, rows, cellPx, cells, places };
}

/** The place in the view of the device at a point of the map, in screen pixels; undefined: none. */
export function placeAt(
  { columns, rows, cellPx, places }: HeatMapLayout,
  xPx: number,
  yPx: number,
): number | undefined {
  const [column, row] = [Math.floor(xPx / cellPx), Math.floor(yPx / cellPx)];
  if (column < 0 || row < 0 || column >= columns || row >= rows) return undefined;
  const place = places[row * columns + column] ?? -1;
  return place === -1 ? undefined : place;
}

/** Keys that move the selection. */
export const moves = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
} as const;

/** The device to which a step leads: the next one in its direction, across gaps; the same one at the edge. */
export function neighbour(
  { columns, rows, cells, places }: HeatMapLayout,
  place: number,
  [dx, dy]: readonly [number, number],
): number {
  const cell = cells[place] ?? 0;
  let [column, row] = [(cell % columns) + dx, Math.floor(cell / columns) + dy];
  while (column >= 0 && row >= 0 && column < columns && row < rows) {
    const found = places[row * columns + column] ?? -1;
    if (found !== -1) return found;
    [column, row] = [column + dx, row + dy];
  }
  return place;
}

/** The largest side of a cell, in whole pixels, with which all rows fit. Below one pixel a cell would not be seen: then the map is wider
 *  or higher than the room. */
function largestCell(
  neededRows: number,
  {
    blockColumns,
    slack,
    widthPx,
    heightPx,
  }: { readonly blockColumns: number; readonly slack: number; readonly widthPx: number; readonly heightPx: number },
): number {
  for (let cellPx = maxCellPx; cellPx > 1; cellPx--) {
    const blocks = Math.floor((Math.floor(widthPx / cellPx) + 1) / blockColumns);
    // at the end of a block, a host with several rows may not fit
    if (blocks * (Math.floor(heightPx / cellPx) - slack) >= neededRows) return cellPx;
  }
  return 1;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

const highestOf = (numbers: readonly number[]): number =>
  numbers.reduce((highest, number) => Math.max(highest, number), 0);
