import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { LiveConnection } from "../../clients/typescript/src/live-connection.ts";
import { ScriptedSocket } from "./scripted-socket.ts";

type StateName = LiveConnection["stateName"];
type Opened = ReturnType<typeof openConnection>;

const silenceMs = 1000;

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** A connection whose effects are recorded in order. */
function openConnection() {
  const effects: string[] = [];
  const socket = new ScriptedSocket();
  socket.send = (text) => void effects.push(`send ${(JSON.parse(text) as { type: string }).type}`);
  socket.close = () => void effects.push("close");
  const connection = new LiveConnection({
    socket: socket.asWebSocket(),
    request: { type: "subscribe" },
    silenceMs,
    onMessage: ({ type }) => effects.push(`message ${type}`),
    onEnd: (reason) => effects.push(`ended: ${reason}`),
  });
  socket.open();
  return { socket, connection, effects };
}

const nextCheck = (): void => void jest.advanceTimersByTime(silenceMs / 2);

const reach: Record<StateName, (opened: Opened) => void> = {
  ALIVE: () => undefined,
  PROBED: nextCheck,
  ENDED: ({ connection }) => connection.close(),
};

type Event = keyof typeof trigger;

const trigger = {
  message: ({ socket }) => socket.receive({ type: "pong" }),
  "a message that is not a gateway's": ({ socket }) => socket.receive("<html>"),
  check: nextCheck,
  "the socket closes": ({ socket }) => socket.closeFromServer(),
  "close()": ({ connection }) => connection.close(),
} satisfies Record<string, (opened: Opened) => void>;

const notAGateway = ["close", "ended: ws://gateway/ws is not a gateway: it sent <html>"];
const closed = ["close", "ended: ws://gateway/ws closed the connection: 1012 stopping"];

/** For each state and event: the next state, and the event's effects in their order. */
const table: Record<StateName, Record<Event, readonly [next: StateName, ...effects: string[]]>> = {
  ALIVE: {
    message: ["ALIVE", "message pong"],
    "a message that is not a gateway's": ["ENDED", ...notAGateway],
    check: ["PROBED", "send ping"],
    "the socket closes": ["ENDED", ...closed],
    "close()": ["ENDED", "close"],
  },
  PROBED: {
    message: ["ALIVE", "message pong"],
    "a message that is not a gateway's": ["ENDED", ...notAGateway],
    check: ["ENDED", "close", "ended: ws://gateway/ws was silent for 1000 ms"],
    "the socket closes": ["ENDED", ...closed],
    "close()": ["ENDED", "close"],
  },
  ENDED: {
    message: ["ENDED"],
    "a message that is not a gateway's": ["ENDED"],
    check: ["ENDED"],
    "the socket closes": ["ENDED"],
    "close()": ["ENDED"],
  },
};

describe.each(Object.keys(table) as StateName[])("a connection that is %s", (state) => {
  test.each(Object.keys(trigger) as Event[])("on %s", (event) => {
    const opened = openConnection();
    reach[state](opened);
    expect(opened.connection.stateName).toBe(state);
    opened.effects.length = 0;
    trigger[event](opened);
    expect([opened.connection.stateName, ...opened.effects]).toEqual([...table[state][event]]);
  });
});

test("a socket that has not opened yet gets no ping", () => {
  const socket = new ScriptedSocket();
  const request = { type: "subscribe" } as const;
  const nothing = (): void => undefined;
  const options = { socket: socket.asWebSocket(), request, silenceMs, onMessage: nothing, onEnd: nothing };
  const connection = new LiveConnection(options);
  nextCheck();
  expect([connection.stateName, ...socket.sent]).toEqual(["PROBED"]);
  connection.close();
});
