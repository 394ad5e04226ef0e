import { stopwatch } from "../kit/clock.ts";

/** What a turn is for: small reads; transactions; heavy questions. */
export type TurnKind = "light" | "write" | "heavy";

interface Line {
  /** The time that its turns have taken, made up to the time of the others while it was empty. */
  usedMs: number;
  readonly waiting: PromiseWithResolvers<void>[];
}

/** Gives out the turns of a database that does one thing at a time. Of the kinds that wait, the one that has used the least time
 *  is next: each gets its share of the time if it needs it, and one that needs little waits for one turn of another kind at
 *  most: what light ones have used before does not count. Within a kind, turns are given in the order of their requests. */
export class SessionTurns {
  /** In the order in which kinds with the same time are served. */
  private readonly lines: Readonly<Record<TurnKind, Line>> = { light: line(), write: line(), heavy: line() };
  private isBusy = false;
  /** The time of the kind that had the last turn, when it began. */
  private servedMs = 0;

  /** Runs `work` in a turn.
   *  @param signal ends the wait for the turn
   *  @throws the signal's reason; the error of `work` */
  async run<T>(kind: TurnKind, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    const own = this.lines[kind];
    if (!this.isBusy) for (const each of Object.values(this.lines)) each.usedMs = this.servedMs;
    else if (own.waiting.length === 0)
      own.usedMs = kind === "light" ? this.servedMs : Math.max(own.usedMs, this.servedMs);
    if (this.isBusy) await turnIn(own, signal);
    this.isBusy = true;
    this.servedMs = own.usedMs;
    const tookMs = stopwatch();
    try {
      return await work();
    } finally {
      own.usedMs += tookMs();
      this.next();
    }
  }

  private next(): void {
    const [next] = Object.values(this.lines)
      .filter(({ waiting }) => waiting.length > 0)
      .sort((a, b) => a.usedMs - b.usedMs);
    if (next === undefined) this.isBusy = false;
    else next.waiting.shift()?.resolve();
  }
}

function line(): Line {
  return { usedMs: 0, waiting: [] };
}

async function turnIn({ waiting }: Line, signal: AbortSignal | undefined): Promise<void> {
  const turn = Promise.withResolvers<void>();
  waiting.push(turn);
  const leave = (): void => {
    const place = waiting.indexOf(turn);
    if (place < 0) return;
    waiting.splice(place, 1);
    turn.reject(signal?.reason);
  };
  signal?.addEventListener("abort", leave, { once: true });
  try {
    await turn.promise;
  } finally {
    signal?.removeEventListener("abort", leave);
  }
}
