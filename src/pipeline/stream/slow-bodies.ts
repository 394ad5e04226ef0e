import type { Clock } from "../../kit/clock.ts";
import type { Turn } from "../../kit/fair-turns.ts";
import { endsWithin } from "../../kit/within.ts";
import { type BodyChunks, PushRefused } from "../source/push.ts";
import { receivedFrom } from "../source/received-body.ts";

export interface SlowBodiesOptions {
  /** How many bodies wait for their senders at a time, of all clients and of one. */
  readonly atATime: number;
  readonly atATimePerClient: number;
  /** How many bytes they hold together. */
  readonly maxBytes: number;
  readonly clock: Clock;
}

/** A body of which not enough has arrived. */
interface SlowBody {
  readonly client: string;
  heldBytes: number;
  refuse: (reason: PushRefused) => void;
}

/** A reader gets so much at a time. A sender that needs longer than `promptMs` for it is slow: its push leaves its turn meanwhile. */
const pieceBytes = 16 * 1024;
const promptMs = 50;
const retryAfterSeconds = 5;

/** Receives bodies, so that a slow sender has a turn only while there is something to read. */
export class SlowBodies {
  private readonly waiting = new Set<SlowBody>();

  constructor(private readonly options: SlowBodiesOptions) {}

  /** The bytes of a client's body, which has the turn. */
  receive(bytes: ReadableStream<Uint8Array>, client: string, turn: Turn): BodyChunks {
    return this.pieces(bytes, { client, heldBytes: 0, refuse: () => undefined }, turn);
  }

  private async *pieces(bytes: ReadableStream<Uint8Array>, body: SlowBody, turn: Turn): BodyChunks {
    const { clock } = this.options;
    const received = receivedFrom(bytes, clock);
    try {
      for (;;) {
        const piece = new Piece(body);
        const filled = piece.fillFrom(received);
        if (!(await endsWithin(clock, promptMs, () => filled))) await turn.outside(() => this.wait(body, filled));
        if (piece.bytes.length > 0) yield piece.bytes;
        if (piece.problem !== undefined) throw piece.problem as Error;
        if (piece.bytes.length === 0) return;
      }
    } finally {
      // not awaited: it ends after the next chunk, or the sender's silence
      void received.return().catch(() => undefined);
    }
  }

  /** @throws PushRefused if too many wait */
  private async wait(body: SlowBody, filled: Promise<void>): Promise<void> {
    const refused = Promise.withResolvers<never>();
    body.refuse = refused.reject;
    this.waiting.add(body);
    const { atATime, atATimePerClient, maxBytes } = this.options;
    const [all, own] = [[...this.waiting], this.waitingOf(body.client)];
    if (own.length > atATimePerClient) this.refuse(body);
    else if (all.length > atATime) this.refuse(this.ofBusiest((bodies) => bodies.length));
    else if (bytesOf(all) > maxBytes) this.refuse(this.ofBusiest(bytesOf));
    try {
      await Promise.race([filled, refused.promise]);
    } finally {
      this.waiting.delete(body);
    }
  }

  private refuse(body: SlowBody): void {
    this.waiting.delete(body);
    body.refuse(new PushRefused("Too many pushes come slowly", retryAfterSeconds));
  }

  private waitingOf(client: string): SlowBody[] {
    return [...this.waiting].filter((body) => body.client === client);
  }

  /** The last body of the client that has the most: a client cannot keep out one that has just come. */
  private ofBusiest(amountOf: (bodies: readonly SlowBody[]) => number): SlowBody {
    const clients = [...new Set([...this.waiting].map(({ client }) => client))];
    const [first = [], ...others] = clients.map((client) => this.waitingOf(client));
    const busiest = others.reduce((most, bodies) => (amountOf(bodies) > amountOf(most) ? bodies : most), first);
    return busiest.reduce((most, body) => (body.heldBytes >= most.heldBytes ? body : most));
  }
}

const bytesOf = (bodies: readonly SlowBody[]): number => bodies.reduce((sum, { heldBytes }) => sum + heldBytes, 0);

/** The next bytes of a body; none at its end. */
class Piece {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** Why nothing comes after the bytes. */
  problem: unknown;

  constructor(private readonly body: SlowBody) {}

  async fillFrom(received: BodyChunks): Promise<void> {
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    try {
      for (let length = 0; length < pieceBytes;) {
        const next = await received.next();
        if (next.done === true) break;
        chunks.push(next.value);
        length += next.value.length;
        this.body.heldBytes += next.value.length;
      }
    } catch (error) {
      this.problem = error;
    }
    const [only] = chunks;
    this.bytes = chunks.length === 1 && only !== undefined ? only : new Uint8Array(Buffer.concat(chunks));
  }
}
