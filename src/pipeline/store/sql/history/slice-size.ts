/** The first slice: at ten records a second of all metrics, it takes about 100 MB. */
const firstGpuHours = 8;
const gpuHoursMax = 16_384;
/** The records of a GPU's hour that are expected after a slice without records, which says nothing about the next one: every 15 s. */
const expectedRecords = 240;
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
   *  @param perRecord the values of a record, if slices without records are rare: the next slice is then no larger than one with records
   *  at the usual rate; undefined: it may be, as there could be very many of them */
  learn(gpuHours: number, values: number, perRecord: number | undefined): void {
    const expected = perRecord === undefined ? 0 : gpuHours * expectedRecords * perRecord;
    const known = values === 0 ? expected : values;
    const fitting = known === 0 ? Infinity : Math.floor((gpuHours * valuesPerSlice) / known);
    this.size = Math.max(1, Math.min(fitting, this.size * growth, gpuHoursMax));
  }
}
