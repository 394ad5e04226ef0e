import type { ControlMessage } from "./messages.ts";
import { type ReadMessage, readMessage } from "./read-message.ts";
import type { Subscription } from "./subscription.ts";

/** The part of Bun's socket that this module uses. */
export type Wire = Pick<
  Bun.ServerWebSocket<LiveSocket>,
  "send" | "close" | "cork" | "subscribe" | "unsubscribe" | "getBufferedAmount"
>;

/** Bun's buffer is full if it holds at least this many bytes. A burst that the network accepts immediately leaves fewer
 *  bytes in the buffer. */
const behindBytes = 64 * 1024;
/** If Bun's buffer holds more bytes than this when an answer is due, the connection is closed instead: the client sends
 *  requests and does not read. */
const answerMaxBytes = 512 * 1024;
/** About this many characters are passed to Bun before Bun's buffer is checked again. */
const chunkLength = 32 * 1024;

/** Why a connection ended: a value of an instrument's label. */
export type CloseReason = "client" | "broken" | "idle" | "too_large" | "slow" | "flood" | "shutdown" | "key_ended";

/** The owner of the sockets: it handles their messages, and counts connections and sent messages. */
export interface SocketOwner {
  /** Handles every message, even one that could not be read. Never throws. */
  onMessage(socket: LiveSocket, read: ReadMessage): void;
  onOpened(socket: LiveSocket): void;
  onClosed(socket: LiveSocket, reason: CloseReason): void;
  onSent(count: number): void;
}

type SocketState =
  | { readonly name: "CONNECTING" | "CLOSED" }
  | { readonly name: "OPEN" | "PUMPING"; readonly wire: Wire }
  /** `leastBuffered`: the fewest bytes in Bun's buffer since the socket fell behind, reached at `progressAtMs`. */
  | { readonly name: "BEHIND"; readonly wire: Wire; leastBuffered: number; progressAtMs: number }
  | { readonly name: "CLOSING"; readonly reason: CloseReason };

/** A client's connection, and its subscriptions. Bun calls open, message, drain and close.
 *
 *  CONNECTING  The request is being upgraded.
 *  OPEN        The client keeps up. Idle subscriptions are DIRECT: updates go straight to the socket.
 *  PUMPING     Messages that wait in the subscriptions are being sent, until Bun's buffer is full. An update that
 *              arrives meanwhile must not start a second pump.
 *  BEHIND      The client does not keep up. The socket follows no topic, and updates wait in the subscriptions.
 *  CLOSING     This side closed the connection; Bun has not reported the close yet.
 *  CLOSED      Final.
 *
 *  CONNECTING -open-> OPEN -pump-> PUMPING -nothing waits, or the buffer is full-> OPEN
 *  OPEN, PUMPING -check: the buffer is full-> BEHIND -drain, or check: the buffer is not full-> OPEN
 *  OPEN, PUMPING, BEHIND -end, or send: too many bytes are unread-> CLOSING
 *  BEHIND -check: no progress for too long-> CLOSING
 *  any -close-> CLOSED
 *
 *  An event that has no arrow in a state does not change the state. */
export class LiveSocket {
  private state: SocketState = { name: "CONNECTING" };
  private readonly byId = new Map<string, Subscription>();
  private lastId = 0;

  constructor(private readonly owner: SocketOwner) {}

  get stateName(): SocketState["name"] {
    return this.state.name;
  }

  get subscriptions(): Subscription[] {
    return [...this.byId.values()];
  }

  open(wire: Wire): void {
    if (this.state.name !== "CONNECTING") return;
    this.state = { name: "OPEN", wire };
    this.owner.onOpened(this);
  }

  message(_wire: Wire, data: string | Uint8Array): void {
    if ("wire" in this.state) this.owner.onMessage(this, readMessage(data));
  }

  /** Called by Bun when its buffer is empty again. */
  drain(): void {
    this.catchUp();
    this.pump();
  }

  /** Called by Bun, whichever side closed the connection. */
  close(_wire: Wire, code: number, bunReason: string): void {
    if (this.state.name === "CLOSED") return;
    const reason = this.state.name === "CLOSING" ? this.state.reason : reasonOf(code, bunReason);
    this.state = { name: "CLOSED" };
    this.owner.onClosed(this, reason);
    for (const subscription of this.byId.values()) subscription.end();
    this.byId.clear();
  }

  subscription(id: string): Subscription | undefined {
    return this.byId.get(id);
  }

  /** @returns an id that no subscription of this connection has */
  newId(): string {
    do this.lastId += 1;
    while (this.byId.has(String(this.lastId)));
    return String(this.lastId);
  }

  add(subscription: Subscription): void {
    this.byId.set(subscription.id, subscription);
  }

  remove(subscription: Subscription): void {
    this.unfollow(subscription);
    this.byId.delete(subscription.id);
    subscription.end();
  }

  /** Sends an answer immediately, before all waiting messages. Closes the connection instead if the client has left too many
   *  bytes unread. */
  send(message: ControlMessage): void {
    if (!("wire" in this.state)) return;
    const { wire } = this.state;
    if (wire.getBufferedAmount() > answerMaxBytes) {
      this.end("slow", 1013, "the client sends requests and does not read the answers");
      return;
    }
    wire.send(JSON.stringify(message));
    this.owner.onSent(1);
  }

  /** In the state OPEN, sends waiting messages until Bun's buffer is full. If no message is left and the buffer
   *  is not full, the socket follows the topics of idle subscriptions. */
  pump(): void {
    if (this.state.name !== "OPEN") return;
    const { wire } = this.state;
    this.state = { name: "PUMPING", wire };
    try {
      while (this.isPumpingInto(wire)) {
        const texts = this.nextTexts();
        if (texts.length === 0) break;
        wire.cork(() => texts.forEach((text) => wire.send(text)));
        this.owner.onSent(texts.length);
      }
      if (this.isPumpingInto(wire)) this.followAll(wire);
    } finally {
      if (this.stateName === "PUMPING") this.state = { name: "OPEN", wire };
    }
  }

  /** Checks whether the client keeps up.
   *  @param stallMs how long the client may read nothing while Bun's buffer is full */
  check(nowMs: number, stallMs: number): void {
    if (!("wire" in this.state)) return;
    const buffered = this.state.wire.getBufferedAmount();
    if (buffered < behindBytes) {
      this.catchUp();
      if (this.hasWaiting()) this.pump();
    } else if (this.state.name !== "BEHIND") {
      for (const subscription of this.byId.values()) this.unfollow(subscription);
      this.state = { name: "BEHIND", wire: this.state.wire, leastBuffered: buffered, progressAtMs: nowMs };
    } else if (buffered < this.state.leastBuffered) {
      this.state.leastBuffered = buffered;
      this.state.progressAtMs = nowMs;
    } else if (nowMs - this.state.progressAtMs >= stallMs) {
      this.end("slow", 1013, `nothing was read for ${stallMs} ms`);
    }
  }

  /** Closes the connection from this side. */
  end(reason: CloseReason, code: number, message: string): void {
    if (!("wire" in this.state)) return;
    const { wire } = this.state;
    this.state = { name: "CLOSING", reason };
    wire.close(code, message);
  }

  /** BEHIND -> OPEN. */
  private catchUp(): void {
    if (this.state.name === "BEHIND") this.state = { name: "OPEN", wire: this.state.wire };
  }

  /** Without a copy of the subscriptions: this runs for every socket at each check. */
  private hasWaiting(): boolean {
    for (const { stateName } of this.byId.values()) if (stateName !== "DIRECT") return true;
    return false;
  }

  private isPumpingInto(wire: Wire): boolean {
    return this.state.name === "PUMPING" && wire.getBufferedAmount() < behindBytes;
  }

  /** A chunk of the waiting messages: one message of each subscription in turn, so that no subscription waits until another
   *  has sent all of its messages. */
  private nextTexts(): string[] {
    const texts: string[] = [];
    let waiting = this.subscriptions.filter(({ stateName }) => stateName !== "DIRECT");
    let length = 0;
    while (waiting.length > 0 && length < chunkLength) {
      waiting = waiting.filter((subscription) => {
        const text = subscription.next();
        if (text !== undefined) texts.push(text);
        length += text?.length ?? 0;
        return text !== undefined;
      });
    }
    return texts;
  }

  private followAll(wire: Wire): void {
    for (const subscription of this.byId.values()) {
      if (subscription.startDirect()) wire.subscribe(subscription.topic);
    }
  }

  private unfollow(subscription: Subscription): void {
    if (subscription.stateName !== "DIRECT") return;
    if ("wire" in this.state) this.state.wire.unsubscribe(subscription.topic);
    subscription.stopDirect();
  }
}

function reasonOf(code: number, bunReason: string): CloseReason {
  if (code === 1009 || bunReason.includes("too big")) return "too_large";
  if (code !== 1006) return "client";
  return bunReason.includes("inactivity") ? "idle" : "broken";
}
