import { expect, test } from "bun:test";
import { type WatchPhase, WatchState } from "../../src/etcd/watch-state.ts";

const events = {
  listed: (state: WatchState) => state.listed("9"),
  opened: (state: WatchState) => state.opened(),
  advanced: (state: WatchState) => state.advanced("9"),
  interrupted: (state: WatchState) => state.interrupted(),
  compacted: (state: WatchState) => state.compacted(),
  pauseEnded: (state: WatchState) => state.pauseEnded(),
  resyncDue: (state: WatchState) => state.resyncDue(),
  outdated: (state: WatchState) => state.outdated(),
  closed: (state: WatchState) => state.closed(),
};
type Event = keyof typeof events;

const closed: WatchPhase = { name: "CLOSED" };

/** Each state, the events that lead to it, and the next state by event. Events that `next` lacks leave the state unchanged. */
const table: readonly { path: readonly Event[]; phase: WatchPhase; next: Partial<Record<Event, WatchPhase>> }[] = [
  {
    path: [],
    phase: { name: "LISTING", failures: 0 },
    next: {
      listed: { name: "FOLLOWING", revision: "9", failures: 0 },
      interrupted: { name: "PAUSING", revision: undefined, failures: 1 },
      compacted: { name: "PAUSING", revision: undefined, failures: 1 },
      closed,
    },
  },
  {
    path: ["interrupted"],
    phase: { name: "PAUSING", revision: undefined, failures: 1 },
    next: { pauseEnded: { name: "LISTING", failures: 1 }, closed },
  },
  {
    path: ["interrupted", "pauseEnded", "listed"],
    phase: { name: "FOLLOWING", revision: "9", failures: 1 },
    next: {
      opened: { name: "FOLLOWING", revision: "9", failures: 0 },
      advanced: { name: "FOLLOWING", revision: "9", failures: 1 },
      interrupted: { name: "PAUSING", revision: "9", failures: 2 },
      compacted: { name: "PAUSING", revision: undefined, failures: 2 },
      resyncDue: { name: "LISTING", failures: 1 },
      outdated: { name: "LISTING", failures: 1 },
      closed,
    },
  },
  {
    path: ["listed", "opened", "interrupted"],
    phase: { name: "PAUSING", revision: "9", failures: 1 },
    next: {
      pauseEnded: { name: "FOLLOWING", revision: "9", failures: 1 },
      outdated: { name: "PAUSING", revision: undefined, failures: 1 },
      closed,
    },
  },
  { path: ["listed", "closed"], phase: closed, next: {} },
];

function stateAfter(path: readonly Event[]): WatchState {
  const state = new WatchState();
  for (const event of path) events[event](state);
  return state;
}

for (const { path, phase, next } of table) {
  for (const event of Object.keys(events) as Event[]) {
    const expected = next[event] ?? phase;
    test(`${JSON.stringify(phase)} -${event}-> ${JSON.stringify(expected)}`, () => {
      const state = stateAfter(path);
      expect(state.current).toEqual(phase);
      events[event](state);
      expect(state.current).toEqual(expected);
    });
  }
}

test("in FOLLOWING, an event advances the revision", () => {
  const state = new WatchState();
  state.listed("3");
  state.advanced("4");
  expect(state.current).toEqual({ name: "FOLLOWING", revision: "4", failures: 0 });
});
