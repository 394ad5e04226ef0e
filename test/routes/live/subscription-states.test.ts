import { describe, expect, test } from "bun:test";
import type { Subscription } from "../../../src/routes/live/subscription.ts";
import { openTopics, recordAt, shortForm } from "./open-subscription.ts";

type StateName = Subscription["stateName"];

/** A state, or HELD while an update waits. */
type Situation = StateName | "HELD, an update waits";

const reach: Record<Situation, (subscription: Subscription, update: (second: number) => void) => void> = {
  HELD: () => undefined,
  "HELD, an update waits": (_, update) => update(1),
  REPLAYING: (subscription) => subscription.beginReplay(),
  DIRECT: (subscription) => void subscription.startDirect(),
  ENDED: (subscription) => subscription.end(),
};

type Event = keyof typeof trigger;

const trigger = {
  update: (_, update) => update(2),
  addSnapshot: (subscription) => subscription.addSnapshot([recordAt(3)]),
  beginReplay: (subscription) => subscription.beginReplay(),
  addHistory: (subscription) => void subscription.addHistory([recordAt(4)], () => -Infinity),
  endReplay: (subscription) => subscription.endReplay({ type: "replayed", id: "x", count: 5 }),
  startDirect: (subscription) => void subscription.startDirect(),
  stopDirect: (subscription) => subscription.stopDirect(),
  end: (subscription) => subscription.end(),
} satisfies Record<string, (subscription: Subscription, update: (second: number) => void) => void>;

/** The next state, and the messages that are then published on the topic or handed to the socket. */
const table: Record<Situation, Record<Event, readonly [next: StateName, ...sent: string[]]>> = {
  HELD: {
    update: ["HELD", "update 2"],
    addSnapshot: ["HELD", "snapshot 3"],
    beginReplay: ["REPLAYING"],
    addHistory: ["HELD"],
    endReplay: ["HELD"],
    startDirect: ["DIRECT"],
    stopDirect: ["HELD"],
    end: ["ENDED"],
  },
  "HELD, an update waits": {
    update: ["HELD", "skipped 1", "update 2"],
    addSnapshot: ["HELD", "snapshot 3"],
    beginReplay: ["REPLAYING", "update 1"],
    addHistory: ["HELD", "update 1"],
    endReplay: ["HELD", "update 1"],
    startDirect: ["HELD", "update 1"],
    stopDirect: ["HELD", "update 1"],
    end: ["ENDED"],
  },
  REPLAYING: {
    update: ["REPLAYING"],
    addSnapshot: ["REPLAYING"],
    beginReplay: ["REPLAYING"],
    addHistory: ["REPLAYING", "replay 4"],
    endReplay: ["HELD", "replayed 5"],
    startDirect: ["REPLAYING"],
    stopDirect: ["REPLAYING"],
    end: ["ENDED"],
  },
  DIRECT: {
    update: ["DIRECT", "published update 2"],
    addSnapshot: ["DIRECT"],
    beginReplay: ["DIRECT"],
    addHistory: ["DIRECT"],
    endReplay: ["DIRECT"],
    startDirect: ["DIRECT"],
    stopDirect: ["HELD"],
    end: ["ENDED"],
  },
  ENDED: {
    update: ["ENDED"],
    addSnapshot: ["ENDED"],
    beginReplay: ["ENDED"],
    addHistory: ["ENDED"],
    endReplay: ["ENDED"],
    startDirect: ["ENDED"],
    stopDirect: ["ENDED"],
    end: ["ENDED"],
  },
};

function open() {
  const sent: string[] = [];
  const { subscribe, update } = openTopics((_, text) => sent.push(`published ${shortForm(text)}`));
  const subscription = subscribe("x");
  /** Sends every text that waits, as a socket does. @returns the short forms of all texts so far */
  const sendWaiting = (): string[] => {
    for (let text = subscription.next(); text !== undefined; text = subscription.next()) sent.push(shortForm(text));
    return sent;
  };
  return { subscription, update, sendWaiting };
}

describe.each(Object.keys(table) as Situation[])("a subscription that is %s", (situation) => {
  test.each(Object.keys(trigger) as Event[])("on %s", (event) => {
    const { subscription, update, sendWaiting } = open();
    reach[situation](subscription, update);
    trigger[event](subscription, update);
    const next = subscription.stateName;
    expect([next, ...sendWaiting()]).toEqual([...table[situation][event]]);
  });
});

test("updates that arrive during a replay are sent after its end, except those that the history had", () => {
  const { subscription, update, sendWaiting } = open();
  subscription.beginReplay();
  update(1);
  update(2);
  void subscription.addHistory([recordAt(1)], () => -Infinity);
  subscription.endReplay({ type: "replayed", id: "x", count: 1 });
  expect(sendWaiting()).toEqual(["replay 1", "replayed 1", "update 2"]);
});

test("after a replay, a subscription stays HELD while a replayed record can still arrive live", () => {
  const { subscription, update, sendWaiting } = open();
  subscription.beginReplay();
  void subscription.addHistory([recordAt(1)], () => -Infinity);
  subscription.endReplay({ type: "replayed", id: "x", count: 1 });
  sendWaiting();
  update(1);
  expect([subscription.startDirect(), subscription.stateName]).toEqual([false, "HELD"]);
  update(2);
  expect(sendWaiting().at(-1)).toBe("update 2");
  expect([subscription.startDirect(), subscription.stateName]).toEqual([true, "DIRECT"]);
});

test("addHistory resolves when its page has been sent, or when the subscription ends", async () => {
  const { subscription, sendWaiting } = open();
  subscription.beginReplay();
  const first = subscription.addHistory([recordAt(1)], () => -Infinity);
  sendWaiting();
  await first;
  const second = subscription.addHistory([recordAt(2)], () => -Infinity);
  subscription.end();
  await second;
});
