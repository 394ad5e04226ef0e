/** A state that is valid from an instant until the next span begins. */
export interface Span<State> {
  /** Milliseconds since the epoch; unique among the spans of a GPU. */
  readonly fromMs: number;
  readonly state: State;
}

/** The state of a GPU at one of its records. */
export interface Observation<State> extends Span<State> {
  /** The instant of the GPU's next record; undefined if there is none, or if it is among the given observations. */
  readonly nextRecordMs: number | undefined;
}

/** Changes of a GPU's spans. */
export interface SpanChanges<State> {
  /** Spans that begin or change. */
  readonly written: readonly Span<State>[];
  /** The beginnings of spans that are deleted. */
  readonly removed: readonly number[];
}

/** Compares states. */
export type IsSame<State> = (a: State, b: State) => boolean;

/** Applies observations to the spans of one GPU. The order in which batches arrive does not matter: the spans are those of
 *  all records sorted by time, with equal neighbours joined.
 *  @param spans sorted: the last span that begins before the first observation, all spans up to the last observation, and the
 *    next span
 *  @param observations sorted, of distinct instants; their records are already stored */
export function changeSpans<State>(
  spans: readonly Span<State>[],
  observations: readonly Observation<State>[],
  isSame: IsSame<State>,
): SpanChanges<State> {
  const states = new Map(spans.map(({ fromMs, state }) => [fromMs, state]));
  let instants = spans.map(({ fromMs }) => fromMs);
  const at = (instantMs: number): State | undefined =>
    states.get(instants.findLast((fromMs) => fromMs <= instantMs) ?? NaN);
  const setFrom = (fromMs: number, state: State): void => {
    const before = at(fromMs);
    if (before !== undefined && isSame(before, state)) return;
    if (!states.has(fromMs)) instants = [...instants, fromMs].sort((a, b) => a - b);
    states.set(fromMs, state);
  };
  for (const { fromMs, state, nextRecordMs } of observations) {
    setFrom(fromMs, state);
    const nextSpanMs = instants.find((instantMs) => instantMs > fromMs) ?? Infinity;
    if (nextRecordMs === undefined || nextRecordMs >= nextSpanMs) continue;
    // A late observation is valid only until the next record: from then on, the previously stored state applies. If that record
    // has another state, its own observation is still to come.
    const unchanged = spans.findLast((span) => span.fromMs <= nextRecordMs)?.state;
    if (unchanged !== undefined) setFrom(nextRecordMs, unchanged);
  }
  return difference(spans, joined(instants, states, isSame));
}

/** Makes a span of each state that differs from the state before it. */
function joined<State>(
  instants: readonly number[],
  states: ReadonlyMap<number, State>,
  isSame: IsSame<State>,
): Span<State>[] {
  const spans: Span<State>[] = [];
  for (const fromMs of instants) {
    const state = states.get(fromMs) as State;
    const last = spans.at(-1);
    if (last === undefined || !isSame(last.state, state)) spans.push({ fromMs, state });
  }
  return spans;
}

function difference<State>(before: readonly Span<State>[], after: readonly Span<State>[]): SpanChanges<State> {
  const old = new Map(before.map(({ fromMs, state }) => [fromMs, state]));
  const remaining = new Set(after.map(({ fromMs }) => fromMs));
  return {
    written: after.filter(({ fromMs, state }) => old.get(fromMs) !== state),
    removed: before.map(({ fromMs }) => fromMs).filter((fromMs) => !remaining.has(fromMs)),
  };
}
