/** The sizes, in bytes, at which an embedded store acts so that its files never take more than they may. What is in use are the files
 *  without their reusable space, and with one segment of the write-ahead log. */
export interface DiskMarks {
  readonly maxBytes: number;
  /** If more is in use, the oldest history is deleted, until no more than `inUseLow` is in use. */
  readonly inUseHigh: number;
  readonly inUseLow: number;
  /** If the files are larger and still grow, history is deleted as well: then one table grows although another has reusable space. */
  readonly filesHigh: number;
  /** If the files are larger, nothing more is written but what makes space. */
  readonly filesFull: number;
  /** The most that the temporary files of a statement may take. */
  readonly temporary: number;
}

const mebibyte = 1024 ** 2;
const gibibyte = 1024 ** 3;

/** Holds the write-ahead log (up to 64 MiB), what arrives between two checks, the temporary files of a statement, and the reusable space
 *  of other tables. */
const reserveLimits = [96 * mebibyte, 512 * mebibyte] as const;
/** For what a deletion and a VACUUM write to the log, besides temporary files. */
const lastReserve = 32 * mebibyte;

/** The sizes that follow from the limit. */
export function diskMarks(maxBytes: number): DiskMarks {
  const reserve = Math.min(Math.max(maxBytes / 8, reserveLimits[0]), reserveLimits[1]);
  const inUseHigh = maxBytes - reserve;
  const temporary = Math.floor(reserve / 8);
  return {
    maxBytes,
    inUseHigh,
    inUseLow: inUseHigh - Math.max(maxBytes / 50, 8 * mebibyte),
    filesHigh: maxBytes - reserve / 2,
    filesFull: maxBytes - lastReserve - temporary,
    temporary,
  };
}

/** The smallest limit, in hundredths of a GiB, with which a store works that has no history.
 *  @param inUseBytes what is in use without any history */
export function leastGibibytes(inUseBytes: number): number {
  const isEnough = (hundredths: number): boolean => inUseBytes <= diskMarks((hundredths / 100) * gibibyte).inUseLow;
  let hundredths = Math.ceil((inUseBytes / gibibyte) * 100);
  while (!isEnough(hundredths)) hundredths += 1;
  return hundredths / 100;
}

/** The limit of a store for which none is set: the simulated fleet's settled history of a month takes 6 GiB. */
const defaultGibibytes = 10;

/** The most that the temporary files of a statement may take, in MiB. @param setGibibytes as for `maxBytesOf` */
export function temporaryMebibytesOf(setGibibytes: number | undefined): number {
  const gibibytes = setGibibytes === undefined || setGibibytes === 0 ? defaultGibibytes : setGibibytes;
  return Math.floor(diskMarks(gibibytes * gibibyte).temporary / mebibyte);
}

/** @param setGibibytes the limit that is set; 0: none; undefined: not set. Then a store that an earlier version, which had no limit, has
 *    made larger than the default keeps its size: an upgrade must not delete history.
 *  @returns undefined if there is no limit */
export function maxBytesOf(setGibibytes: number | undefined, inUseBytes: number): number | undefined {
  if (setGibibytes === 0) return undefined;
  if (setGibibytes !== undefined) return Math.floor(setGibibytes * gibibyte);
  if (inUseBytes <= diskMarks(defaultGibibytes * gibibyte).inUseHigh) return defaultGibibytes * gibibyte;
  // a twentieth less: a store that is trimmed is now and then a little above its mark, and must not grow with each start
  return Math.ceil((inUseBytes + reserveLimits[1]) / gibibyte - 0.05) * gibibyte;
}
