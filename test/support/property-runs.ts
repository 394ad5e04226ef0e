/** How many random cases a property is tried with: TELEMETRY_PROPERTY_RUNS if it is set, otherwise `usual`, which is few where a case
 *  takes long. Each run of the tests has other cases. */
export function propertyRuns(usual: number): number {
  return Number(process.env.TELEMETRY_PROPERTY_RUNS ?? usual);
}
