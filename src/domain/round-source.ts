/** The id of a source that is a file in one of its rounds (LOOP_MODE), or with times that were shifted when it was started.
 *  @param startedAtMs undefined if the file has its own times */
export function roundSourceId(fileId: string, round: number, startedAtMs?: number): string {
  if (startedAtMs !== undefined) return `${fileId}:now:${startedAtMs}:${round}`;
  return round > 0 ? `${fileId}:round:${round}` : fileId;
}

/** The id under which the rejected rows of all rounds of a source are kept, so that a bad row is there once. Rounds with times that were
 *  shifted have one of their own: their rows do not have their times. */
export function idOfAllRounds(sourceId: string): string {
  return sourceId.replace(/:round:\d+$/, "").replace(/:now:\d+:\d+$/, ":now");
}

/** True if the rows of the source do not have their own times. Takes the id of a round, and the one of all rounds. */
export function hasShiftedTimes(sourceId: string): boolean {
  return /:now(?::\d+:\d+)?$/.test(sourceId);
}

/** The file of such an id; undefined if it is the id of a file as a whole, or of another source. */
export function fileOfRound(sourceId: string): string | undefined {
  return /^(.*):(?:now:\d+|round):\d+$/s.exec(sourceId)?.[1];
}
