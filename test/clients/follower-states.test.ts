import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { SubscriptionRefused } from "gpu-telemetry-client";
import { Follower } from "../../clients/typescript/src/follower.ts";
import { ScriptedSocket } from "./scripted-socket.ts";

type StateName = Follower["stateName"];
type Opened = ReturnType<typeof openFollower>;

const retryMs = 1000;

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const subscribed = { type: "subscribed", id: "1", topic: "telemetry", filters: {}, gpus: 1 };
const update = { type: "telemetry_update", timestamp: "2025-07-18T00:00:01Z", gpu_uuid: "GPU-a", data: {} };
const error = { type: "error", code: "invalid_field", message: "no such metric", details: {} };

/** A follower whose effects are recorded in order. */
function openFollower() {
  const effects: string[] = [];
  const sockets: ScriptedSocket[] = [];
  const follower = new Follower({
    baseUrl: "http://gateway",
    retryMs,
    onUpdate: ({ gpu_uuid }) => effects.push(`update ${gpu_uuid}`),
    onMessage: ({ type }) => effects.push(`message ${type}`),
    onBreak: () => effects.push("break"),
    connect: () => {
      effects.push("connect");
      const socket = new ScriptedSocket();
      socket.close = () => void effects.push("close");
      sockets.push(socket);
      return socket.asWebSocket();
    },
  });
  const socket = (): ScriptedSocket => sockets.at(-1) as ScriptedSocket;
  socket().open();
  return { follower, socket, effects };
}

const reach: Record<StateName, (opened: Opened) => void> = {
  CONNECTING: () => undefined,
  FOLLOWING: ({ socket }) => socket().receive(subscribed),
  WAITING: ({ socket }) => socket().closeFromServer(),
  ENDED: ({ follower }) => follower.close(),
};

type Event = keyof typeof trigger;

const trigger = {
  subscribed: ({ socket }) => socket().receive(subscribed),
  telemetry_update: ({ socket }) => socket().receive(update),
  replayed: ({ socket }) => socket().receive({ type: "replayed", id: "1", count: 0 }),
  skipped: ({ socket }) => socket().receive({ type: "skipped", id: "1", count: 1 }),
  pong: ({ socket }) => socket().receive({ type: "pong" }),
  error: ({ socket }) => socket().receive(error),
  "the connection ends": ({ socket }) => socket().closeFromServer(),
  "the wait is over": () => void jest.advanceTimersByTime(retryMs),
  "close()": ({ follower }) => follower.close(),
} satisfies Record<string, (opened: Opened) => void>;

/** For each state and event: the next state, and the event's effects in their order. */
const table: Record<StateName, Record<Event, readonly [next: StateName, ...effects: string[]]>> = {
  CONNECTING: {
    subscribed: ["FOLLOWING", "message subscribed"],
    telemetry_update: ["CONNECTING", "update GPU-a"],
    replayed: ["CONNECTING", "message replayed"],
    skipped: ["CONNECTING", "message skipped"],
    pong: ["CONNECTING"],
    error: ["ENDED", "close", "message error"],
    "the connection ends": ["WAITING", "close", "break"],
    "the wait is over": ["CONNECTING"],
    "close()": ["ENDED", "close"],
  },
  FOLLOWING: {
    subscribed: ["FOLLOWING", "message subscribed"],
    telemetry_update: ["FOLLOWING", "update GPU-a"],
    replayed: ["FOLLOWING", "message replayed"],
    skipped: ["FOLLOWING", "message skipped"],
    pong: ["FOLLOWING"],
    error: ["FOLLOWING", "message error"],
    "the connection ends": ["WAITING", "close", "break"],
    "the wait is over": ["FOLLOWING"],
    "close()": ["ENDED", "close"],
  },
  WAITING: {
    subscribed: ["WAITING"],
    telemetry_update: ["WAITING"],
    replayed: ["WAITING"],
    skipped: ["WAITING"],
    pong: ["WAITING"],
    error: ["WAITING"],
    "the connection ends": ["WAITING"],
    "the wait is over": ["CONNECTING", "connect"],
    "close()": ["ENDED"],
  },
  ENDED: {
    subscribed: ["ENDED"],
    telemetry_update: ["ENDED"],
    replayed: ["ENDED"],
    skipped: ["ENDED"],
    pong: ["ENDED"],
    error: ["ENDED"],
    "the connection ends": ["ENDED"],
    "the wait is over": ["ENDED"],
    "close()": ["ENDED"],
  },
};

describe.each(Object.keys(table) as StateName[])("a follower that is %s", (state) => {
  test.each(Object.keys(trigger) as Event[])("on %s", (event) => {
    const opened = openFollower();
    reach[state](opened);
    expect(opened.follower.stateName).toBe(state);
    opened.effects.length = 0;
    trigger[event](opened);
    expect([opened.follower.stateName, ...opened.effects]).toEqual([...table[state][event]]);
    opened.follower.close();
  });
});

test("`ended` resolves when a waiting follower is closed", async () => {
  const { follower, socket } = openFollower();
  socket().closeFromServer();
  follower.close();
  expect(await follower.ended).toBeUndefined();
});

test("`ended` rejects when the gateway refuses the subscription", async () => {
  const { follower, socket } = openFollower();
  socket().receive(error);
  const reason: unknown = await follower.ended.catch((cause: unknown) => cause);
  expect(reason).toBeInstanceOf(SubscriptionRefused);
  expect(reason).toMatchObject({ code: "invalid_field", message: "no such metric" });
});
