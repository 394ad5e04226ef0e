import { describe, expect, test } from "bun:test";
import { LiveSocket, type Wire } from "../../../src/routes/live/live-socket.ts";
import { openTopics, recordAt, shortForm } from "./open-subscription.ts";

type StateName = LiveSocket["stateName"];

/** Enough bytes in Bun's buffer to make a socket BEHIND. */
const fullBytes = 100 * 1024;

const stallMs = 1000;

type Opened = ReturnType<typeof openSocket>;

/** A socket that is CONNECTING, and its effects in order. */
function openSocket() {
  const effects: string[] = [];
  const { subscribe } = openTopics((topic) => effects.push(`published to ${topic}`));
  const buffer = { bytes: 0, onSend: (): void => undefined };
  const wire = {
    send: (text: string) => {
      effects.push(`send ${shortForm(text)}`);
      const { onSend } = buffer;
      buffer.onSend = () => undefined;
      onSend();
    },
    close: (code: number) => effects.push(`close ${code}`),
    cork: (send: () => void) => send(),
    subscribe: (topic: string) => effects.push(`follow ${topic}`),
    unsubscribe: (topic: string) => effects.push(`unfollow ${topic}`),
    getBufferedAmount: () => buffer.bytes,
  } as unknown as Wire;
  const socket = new LiveSocket({
    onMessage: () => effects.push("message"),
    onOpened: () => effects.push("opened"),
    onClosed: (_, reason) => effects.push(`closed: ${reason}`),
    onSent: () => undefined,
  });
  const add = (id: string) => {
    const subscription = subscribe(id, () => socket.pump());
    socket.add(subscription);
    return subscription;
  };
  return { socket, wire, buffer, effects, add };
}

/** Opens the socket, and adds two subscriptions: one that is DIRECT, and one whose snapshot is still to be sent. */
function reachOpen({ socket, wire, add }: Opened): void {
  socket.open(wire);
  add("direct");
  socket.pump();
  add("waiting").addSnapshot([recordAt(1)]);
}

/** Brings the socket into a state, then calls `event`. */
const reach: Record<StateName, (opened: Opened, event: () => void) => void> = {
  CONNECTING: (_, event) => event(),
  OPEN: (opened, event) => {
    reachOpen(opened);
    event();
  },
  PUMPING: (opened, event) => {
    reachOpen(opened);
    opened.buffer.onSend = event;
    opened.socket.pump();
  },
  BEHIND: (opened, event) => {
    reachOpen(opened);
    opened.buffer.bytes = fullBytes;
    opened.socket.check(0, stallMs);
    event();
  },
  CLOSING: (opened, event) => {
    reachOpen(opened);
    opened.socket.end("shutdown", 1012, "stopping");
    event();
  },
  CLOSED: (opened, event) => {
    reachOpen(opened);
    opened.socket.close(opened.wire, 1000, "");
    event();
  },
};

type Event = keyof typeof trigger;

const trigger = {
  open: ({ socket, wire }) => socket.open(wire),
  message: ({ socket, wire }) => socket.message(wire, '{"type":"ping"}'),
  send: ({ socket }) => socket.send({ type: "pong" }),
  "send, the client does not read the answers": ({ socket, buffer }) => {
    buffer.bytes = 513 * 1024;
    socket.send({ type: "pong" });
  },
  pump: ({ socket }) => socket.pump(),
  drain: ({ socket, buffer }) => {
    buffer.bytes = 0;
    socket.drain();
  },
  "check, the buffer is short": ({ socket, buffer }) => {
    buffer.bytes = 0;
    socket.check(stallMs, stallMs);
  },
  "check, the buffer is full and shorter than before": ({ socket, buffer }) => {
    buffer.bytes = fullBytes - 1;
    socket.check(stallMs, stallMs);
  },
  "check, the buffer is full for too long": ({ socket, buffer }) => {
    buffer.bytes = fullBytes;
    socket.check(stallMs, stallMs);
  },
  end: ({ socket }) => socket.end("shutdown", 1012, "stopping"),
  close: ({ socket, wire }) => socket.close(wire, 1006, "inactivity"),
} satisfies Record<string, (opened: Opened) => void>;

type Cell = readonly [next: StateName, ...effects: string[]];

const sendAndFollow = ["send snapshot 1", "follow live 2"];
const catchUp = ["send snapshot 1", "follow live 1", "follow live 2"];

/** The state right after the event, then the effects of the event and of a pump that continues after it. */
const table: Record<StateName, Record<Event, Cell>> = {
  CONNECTING: {
    open: ["OPEN", "opened"],
    message: ["CONNECTING"],
    send: ["CONNECTING"],
    "send, the client does not read the answers": ["CONNECTING"],
    pump: ["CONNECTING"],
    drain: ["CONNECTING"],
    "check, the buffer is short": ["CONNECTING"],
    "check, the buffer is full and shorter than before": ["CONNECTING"],
    "check, the buffer is full for too long": ["CONNECTING"],
    end: ["CONNECTING"],
    close: ["CLOSED", "closed: idle"],
  },
  OPEN: {
    open: ["OPEN"],
    message: ["OPEN", "message"],
    send: ["OPEN", "send pong"],
    "send, the client does not read the answers": ["CLOSING", "close 1013"],
    pump: ["OPEN", ...sendAndFollow],
    drain: ["OPEN", ...sendAndFollow],
    "check, the buffer is short": ["OPEN", ...sendAndFollow],
    "check, the buffer is full and shorter than before": ["BEHIND", "unfollow live 1"],
    "check, the buffer is full for too long": ["BEHIND", "unfollow live 1"],
    end: ["CLOSING", "close 1012"],
    close: ["CLOSED", "closed: idle"],
  },
  PUMPING: {
    open: ["PUMPING", "follow live 2"],
    message: ["PUMPING", "message", "follow live 2"],
    send: ["PUMPING", "send pong", "follow live 2"],
    "send, the client does not read the answers": ["CLOSING", "close 1013"],
    pump: ["PUMPING", "follow live 2"],
    drain: ["PUMPING", "follow live 2"],
    "check, the buffer is short": ["PUMPING", "follow live 2"],
    "check, the buffer is full and shorter than before": ["BEHIND", "unfollow live 1"],
    "check, the buffer is full for too long": ["BEHIND", "unfollow live 1"],
    end: ["CLOSING", "close 1012"],
    close: ["CLOSED", "closed: idle"],
  },
  BEHIND: {
    open: ["BEHIND"],
    message: ["BEHIND", "message"],
    send: ["BEHIND", "send pong"],
    "send, the client does not read the answers": ["CLOSING", "close 1013"],
    pump: ["BEHIND"],
    drain: ["OPEN", ...catchUp],
    "check, the buffer is short": ["OPEN", ...catchUp],
    "check, the buffer is full and shorter than before": ["BEHIND"],
    "check, the buffer is full for too long": ["CLOSING", "close 1013"],
    end: ["CLOSING", "close 1012"],
    close: ["CLOSED", "closed: idle"],
  },
  CLOSING: {
    open: ["CLOSING"],
    message: ["CLOSING"],
    send: ["CLOSING"],
    "send, the client does not read the answers": ["CLOSING"],
    pump: ["CLOSING"],
    drain: ["CLOSING"],
    "check, the buffer is short": ["CLOSING"],
    "check, the buffer is full and shorter than before": ["CLOSING"],
    "check, the buffer is full for too long": ["CLOSING"],
    end: ["CLOSING"],
    close: ["CLOSED", "closed: shutdown"],
  },
  CLOSED: {
    open: ["CLOSED"],
    message: ["CLOSED"],
    send: ["CLOSED"],
    "send, the client does not read the answers": ["CLOSED"],
    pump: ["CLOSED"],
    drain: ["CLOSED"],
    "check, the buffer is short": ["CLOSED"],
    "check, the buffer is full and shorter than before": ["CLOSED"],
    "check, the buffer is full for too long": ["CLOSED"],
    end: ["CLOSED"],
    close: ["CLOSED"],
  },
};

describe.each(Object.keys(table) as StateName[])("a socket that is %s", (state) => {
  test.each(Object.keys(trigger) as Event[])("on %s", (event) => {
    const opened = openSocket();
    const outcome = { before: "", next: "" };
    reach[state](opened, () => {
      outcome.before = opened.socket.stateName;
      opened.effects.length = 0;
      trigger[event](opened);
      outcome.next = opened.socket.stateName;
    });
    expect(outcome.before).toBe(state);
    expect([outcome.next, ...opened.effects]).toEqual([...table[state][event]]);
  });
});

test("a connection whose client reads slowly is closed only after the client stops reading", () => {
  const { socket, wire, buffer } = openSocket();
  socket.open(wire);
  for (let check = 0; check < 5; check += 1) {
    buffer.bytes = fullBytes - check;
    socket.check(check * stallMs, stallMs);
  }
  expect(socket.stateName).toBe("BEHIND");
  socket.check(5 * stallMs, stallMs);
  expect(socket.stateName).toBe("CLOSING");
});

test("a closed socket ends its subscriptions", () => {
  const opened = openSocket();
  reachOpen(opened);
  const { subscriptions } = opened.socket;
  opened.socket.close(opened.wire, 1000, "");
  expect(subscriptions.map(({ stateName }) => stateName)).toEqual(["ENDED", "ENDED"]);
  expect(opened.socket.subscriptions).toEqual([]);
});
