/** Some series of a device ended at an instant: the source had no value of them any more. It concerns only samples before that instant. */
export interface SeriesEnd {
  readonly uuid: string;
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
  /** When the source had values of them for the last time, milliseconds since the epoch: a series of which another source had a value after
   *  that goes on. Absent: not known, so each series has ended. */
  readonly sinceMs?: number;
  /** As records name them: metrics, and the names of labelled series (see series.ts); each once. */
  readonly series: readonly string[];
}

/** Collects ends: one for each device and instant. */
export class SeriesEnds {
  private readonly byPlace = new Map<string, { uuid: string; timeMs: number; series: Set<string> }>();

  add({ uuid, timeMs, series }: Omit<SeriesEnd, "sinceMs">): void {
    const key = `${timeMs} ${uuid}`;
    const known = this.byPlace.get(key) ?? { uuid, timeMs, series: new Set() };
    this.byPlace.set(key, known);
    for (const name of series) known.series.add(name);
  }

  /** The ends, by instant and device, so that the same markers in any order are the same ends. */
  all(): SeriesEnd[] {
    return [...this.byPlace.values()]
      .map(({ series, ...place }) => ({ ...place, series: [...series].sort() }))
      .sort((a, b) => a.timeMs - b.timeMs || (a.uuid < b.uuid ? -1 : 1));
  }
}
