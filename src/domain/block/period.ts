import type { ByteReader } from "./byte-reader.ts";

/** The greatest period that is looked for. */
const periodMax = 64;

/** Finds after how many numbers a column is repeated: 2 to `periodMax`.
 *  @param exceptionsMax fewer numbers than these may be other than those a period before
 *  @returns 0 if it is not repeated */
export function periodOf(numbers: Uint8Array | Float64Array, exceptionsMax: number): number {
  let [found, fewest] = [0, exceptionsMax];
  for (let period = 2; period <= periodMax && period * 2 <= numbers.length; period += 1) {
    let exceptions = 0;
    for (let index = period; index < numbers.length && exceptions < fewest; index += 1) {
      if (numbers[index] !== numbers[index - period]) exceptions += 1;
    }
    if (exceptions < fewest) [found, fewest] = [period, exceptions];
  }
  return found;
}

/** @throws UndecodableBlock */
export function readPeriod(reader: ByteReader): number {
  const period = reader.uint8();
  if (period === 0 || period > periodMax) throw reader.error(`a column repeats after ${period} places`);
  return period;
}
