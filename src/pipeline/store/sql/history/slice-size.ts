/** The first slice: at ten records a second of all metrics, it takes about 100 MB. */
const firstGpuHours = 8;
const gpuHoursMax = 16_384;
/** A slice without records says nothing about the records of the next one: an hour of so many GPUs, every 15 s, is about a slice. Where hours
 *  without records are skipped, there are few such slices. */
const afterEmptyMax = 256;
/** A slice grows by this factor at most: the next GPUs may have more records than those before. */
const growth = 4;
/** 16 MB as doubles: the database then works for much longer than the statement and its answer travel. */
const valuesPerSlice = 2 ** 21;

/** How large a slice of the history may be, from what the slices before it had. */
export class SliceSize {
  /** @param size that of the first slice */
  constructor(private size = firstGpuHours) {}

  get gpuHours(): number {
    return this.size;
  }

  /** @param gpuHours those of a slice
   *  @param values the number of its values
   *  @param skipsEmpty true: slices without records are rare */
  learn(gpuHours: number, values: number, skipsEmpty: boolean): void {
    const fitting =
      values === 0 ? (skipsEmpty ? afterEmptyMax : Infinity) : Math.floor((gpuHours * valuesPerSlice) / values);
    this.size = Math.max(1, Math.min(fitting, this.size * growth, gpuHoursMax));
  }
}
