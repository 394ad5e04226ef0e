import type { DeviceState } from "./device.ts";

/** Red, green and blue, 0 to 255 each. */
export type Colour = readonly [red: number, green: number, blue: number];

/** The number of colours of the scale: more than a screen shows apart. */
const shades = 256;

/** From low to high: from dark violet to yellow. The lightness grows evenly, so that those who see few colours can read it as well. */
const anchors: readonly Colour[] = [
  [68, 1, 84],
  [65, 68, 135],
  [42, 120, 142],
  [34, 168, 132],
  [122, 209, 81],
  [253, 231, 37],
];

/** Colours of cells without a present value. None is on the scale. */
export const specialColours = {
  noData: [158, 158, 158],
  stale: [230, 57, 120],
  maintenance: [190, 210, 235],
} as const satisfies Readonly<Record<string, Colour>>;

/** The place of a special colour in the table, after the shades. */
const specialShades = { noData: shades, stale: shades + 1, maintenance: shades + 2 } as const;

/** The colour at a share of the scale, 0 to 1. */
export function colourAt(share: number): Colour {
  const place = Math.min(1, Math.max(0, share)) * (anchors.length - 1);
  const from = Math.min(anchors.length - 2, Math.floor(place));
  const [a = anchors[0] as Colour, b = a] = anchors.slice(from, from + 2);
  const mixed = (channel: 0 | 1 | 2): number => Math.round(a[channel] + (b[channel] - a[channel]) * (place - from));
  return [mixed(0), mixed(1), mixed(2)];
}

/** The colours of all shades, each as a pixel of an ImageData on a little-endian machine. */
export function colourTable(): Uint32Array {
  const scale = Array.from({ length: shades }, (_, shade) => colourAt(shade / (shades - 1)));
  return Uint32Array.from([...scale, ...Object.values(specialColours)], pixelOf);
}

/** An opaque pixel. */
function pixelOf([red, green, blue]: Colour): number {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** The shade of a value: what a stale device has last reported is not shown as if it were present.
 *  @param value NaN: none */
export function shadeOf(state: DeviceState, value: number, range: readonly [number, number]): number {
  if (state === "maintenance") return specialShades.maintenance;
  if (state === "stale") return specialShades.stale;
  if (state === "unreported" || Number.isNaN(value)) return specialShades.noData;
  // no destructuring: this runs for each device of a frame
  const share = (value - range[0]) / (range[1] - range[0]);
  return Math.round(Math.min(1, Math.max(0, share)) * (shades - 1));
}
