/** A state that holds from an instant until the next span begins. */
export interface Span<State> {
  /** Milliseconds since the epoch; unique among the spans of a GPU. */
  readonly fromMs: number;
  readonly state: State;
}

/** What a record says of its GPU. */
export interface Observation<State> extends Span<State> {
  /** The GPU's next record, where it is none of these observations. */
  readonly nextRecordMs: number | undefined;
}

/** How the spans of a GPU change. */
export interface SpanChanges<State> {
  /** Spans that begin or change. */
  readonly written: readonly Span<State>[];
  /** Beginnings of spans that go. */
  readonly removed: readonly number[];
  /** The state of the last span, where it is another than before. */
  readonly newest: State | undefined;
}

/** How states are told apart and filled up. */
export interface StateRules<State> {
  readonly isSame: (a: State, b: State) => boolean;
  /** What an observation means where another state holds already: what it leaves open stays as it was. */
  readonly filled: (observed: State, before: State) => State;
}

/** Works observations into the spans of one GPU, whatever the order in which they come: the spans are those of all records
 *  sorted by time, with neighbours of the same state joined.
 *  @param spans sorted: the last one that begins before the first observation, all up to the last, and the one after that
 *  @param observations sorted, of distinct instants, stored already */
export function changeSpans<State>(
  spans: readonly Span<State>[],
  observations: readonly Observation<State>[],
  rules: StateRules<State>,
): SpanChanges<State> {
  const states = new Map(spans.map(({ fromMs, state }) => [fromMs, state]));
  let instants = spans.map(({ fromMs }) => fromMs);
  const at = (instantMs: number): State | undefined =>
    states.get(instants.findLast((fromMs) => fromMs <= instantMs) ?? NaN);
  const hold = (fromMs: number, state: State): void => {
    const before = at(fromMs);
    if (before !== undefined && rules.isSame(before, state)) return;
    if (!states.has(fromMs)) instants = [...instants, fromMs].sort((a, b) => a - b);
    states.set(fromMs, state);
  };
  for (const { fromMs, state, nextRecordMs } of observations) {
    const before = at(fromMs);
    hold(fromMs, before === undefined ? state : rules.filled(state, before));
    const nextSpanMs = instants.find((instantMs) => instantMs > fromMs) ?? Infinity;
    if (nextRecordMs === undefined || nextRecordMs >= nextSpanMs) continue;
    // An observation that came late: from the next record on holds what held there before. Should that record say
    // something else, it is yet to be worked in itself.
    const unchanged = spans.findLast((span) => span.fromMs <= nextRecordMs)?.state;
    if (unchanged !== undefined) hold(nextRecordMs, unchanged);
  }
  return difference(spans, joined(instants, states, rules), rules);
}

/** Leaves out what only goes on with the state before it. */
function joined<State>(
  instants: readonly number[],
  states: ReadonlyMap<number, State>,
  { isSame }: StateRules<State>,
): Span<State>[] {
  const spans: Span<State>[] = [];
  for (const fromMs of instants) {
    const state = states.get(fromMs) as State;
    const last = spans.at(-1);
    if (last === undefined || !isSame(last.state, state)) spans.push({ fromMs, state });
  }
  return spans;
}

function difference<State>(
  before: readonly Span<State>[],
  after: readonly Span<State>[],
  { isSame }: StateRules<State>,
): SpanChanges<State> {
  const old = new Map(before.map(({ fromMs, state }) => [fromMs, state]));
  const kept = new Set(after.map(({ fromMs }) => fromMs));
  const [last, lastBefore] = [after.at(-1), before.at(-1)];
  const isNew = last !== undefined && (lastBefore === undefined || !isSame(last.state, lastBefore.state));
  return {
    written: after.filter(({ fromMs, state }) => old.get(fromMs) !== state),
    removed: before.map(({ fromMs }) => fromMs).filter((fromMs) => !kept.has(fromMs)),
    newest: isNew ? last.state : undefined,
  };
}
