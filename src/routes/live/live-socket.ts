import type { ControlMessage } from "./messages.ts";
import { type ReadMessage, readMessage } from "./read-message.ts";
import type { Subscription } from "./subscription.ts";

/** What is used of Bun's socket. */
export type Wire = Pick<
  Bun.ServerWebSocket<LiveSocket>,
  "send" | "close" | "cork" | "subscribe" | "unsubscribe" | "getBufferedAmount"
>;

/** Bytes in Bun's buffer from which a socket counts as behind: what the network takes in a moment is not held up. */
const behindBytes = 64 * 1024;
/** Bytes in Bun's buffer at which even answers are too much: the client asks and does not read. */
const hopelessBytes = 512 * 1024;
/** Characters handed to Bun between two looks at its buffer. */
const chunkLength = 32 * 1024;

/** Why the server closed a socket, or saw it closed; a closed set, for the metrics. */
export type CloseReason = "client" | "broken" | "idle" | "too_large" | "slow" | "shutdown";

/** Whom a socket belongs to: who understands its messages, and counts. */
export interface SocketKeeper {
  /** Told of every message that can be read. Never throws. */
  onMessage(socket: LiveSocket, read: ReadMessage): void;
  onOpened(socket: LiveSocket): void;
  onClosed(socket: LiveSocket, reason: CloseReason): void;
  onSent(count: number): void;
}

/** A client's connection: what is sent to it, and how fast.
 *
 *  While Bun's buffer is short, updates go straight to it. Beyond a mark the socket is behind: it follows no topic any
 *  more, its subscriptions keep what is to be sent, and it goes on as the buffer empties. A client that takes nothing at
 *  all for too long is closed. Bun calls open, message, drain and close. */
export class LiveSocket {
  private wire: Wire | undefined;
  private readonly byId = new Map<string, Subscription>();
  private madeIds = 0;
  /** Those that follow their topic. */
  private readonly direct = new Set<Subscription>();
  private isPumping = false;
  private closedFor: CloseReason | undefined;
  private leastBuffered = 0;
  private progressAtMs: number | undefined;

  constructor(private readonly keeper: SocketKeeper) {}

  /** Called by Bun. */
  open(wire: Wire): void {
    this.wire = wire;
    this.keeper.onOpened(this);
  }

  /** Called by Bun. */
  message(_wire: Wire, sent: string | Uint8Array): void {
    if (this.isOpen) this.keeper.onMessage(this, readMessage(sent));
  }

  /** Called by Bun, when its buffer is empty again. */
  drain(): void {
    this.progressAtMs = undefined;
    this.pump();
  }

  /** Called by Bun, however it came. */
  close(_wire: Wire, code: number, why: string): void {
    const reason = this.closedFor ?? reasonOf(code, why);
    this.wire = undefined;
    this.keeper.onClosed(this, reason);
    for (const subscription of this.byId.values()) subscription.end();
    this.byId.clear();
    this.direct.clear();
  }

  get isOpen(): boolean {
    return this.wire !== undefined && this.closedFor === undefined;
  }

  /** True while updates wait for the client to read. */
  get isBehind(): boolean {
    return this.progressAtMs !== undefined;
  }

  get subscriptions(): Subscription[] {
    return [...this.byId.values()];
  }

  subscription(id: string): Subscription | undefined {
    return this.byId.get(id);
  }

  /** An id that no subscription of this connection has. */
  newId(): string {
    do this.madeIds += 1;
    while (this.byId.has(String(this.madeIds)));
    return String(this.madeIds);
  }

  add(subscription: Subscription): void {
    this.byId.set(subscription.id, subscription);
  }

  remove(subscription: Subscription): void {
    if (this.direct.delete(subscription)) this.follow(subscription, false);
    this.byId.delete(subscription.id);
    subscription.end();
  }

  /** Sends an answer at once, whatever waits. */
  tell(message: ControlMessage): void {
    if (!this.isOpen || this.wire === undefined) return;
    if (this.wire.getBufferedAmount() > hopelessBytes) {
      this.end("slow", 1013, "the client asks and does not read the answers");
      return;
    }
    this.wire.send(JSON.stringify(message));
    this.keeper.onSent(1);
  }

  /** Sends what waits, as much as Bun's buffer is to hold; nothing while the socket is behind. */
  pump(): void {
    const { wire } = this;
    // what a text is made of may bring the next update: it waits its turn
    if (wire === undefined || !this.isOpen || this.isPumping || this.isBehind) return;
    this.isPumping = true;
    try {
      while (wire.getBufferedAmount() < behindBytes) {
        const texts = this.take();
        if (texts.length === 0) break;
        wire.cork(() => texts.forEach((text) => wire.send(text)));
        this.keeper.onSent(texts.length);
      }
      if (wire.getBufferedAmount() < behindBytes) this.followAll();
    } finally {
      this.isPumping = false;
    }
  }

  /** Looks how the client keeps up. @param stallMs how long it may take nothing at all */
  check(nowMs: number, stallMs: number): void {
    if (this.wire === undefined || !this.isOpen) return;
    const buffered = this.wire.getBufferedAmount();
    if (buffered < behindBytes) {
      this.progressAtMs = undefined;
      if (this.direct.size < this.byId.size) this.pump();
      return;
    }
    if (this.progressAtMs === undefined || buffered < this.leastBuffered) {
      this.progressAtMs = nowMs;
      this.leastBuffered = buffered;
      for (const subscription of this.direct) this.follow(subscription, false);
      this.direct.clear();
    } else if (nowMs - this.progressAtMs >= stallMs) {
      this.end("slow", 1013, `nothing was read for ${stallMs} ms`);
    }
  }

  /** Closes from this side. */
  end(reason: CloseReason, code: number, why: string): void {
    if (this.wire === undefined || this.closedFor !== undefined) return;
    this.closedFor = reason;
    this.wire.close(code, why);
  }

  /** A chunk of what waits; of each subscription in turn, so that none waits for another. */
  private take(): string[] {
    const texts: string[] = [];
    let waiting = this.subscriptions.filter((subscription) => !this.direct.has(subscription));
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

  private followAll(): void {
    for (const subscription of this.byId.values()) {
      if (subscription.isIdle && !this.direct.has(subscription)) {
        this.direct.add(subscription);
        this.follow(subscription, true);
      }
    }
  }

  private follow(subscription: Subscription, isFollowing: boolean): void {
    if (isFollowing) this.wire?.subscribe(subscription.topic);
    else this.wire?.unsubscribe(subscription.topic);
    subscription.setDirect(isFollowing);
  }
}

function reasonOf(code: number, why: string): CloseReason {
  if (code === 1009 || why.includes("too big")) return "too_large";
  if (code !== 1006) return "client";
  return why.includes("inactivity") ? "idle" : "broken";
}
