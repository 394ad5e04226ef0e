import { afterEach, describe } from "bun:test";
import { isDeepStrictEqual } from "node:util";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { type SettledState, settledStates, settleTo } from "./settled.ts";

type Outcome = { readonly answer: unknown } | { readonly refused: unknown };

/** A question that a contract has asked, and its outcome. */
interface Asked {
  readonly name: string;
  readonly ask: () => Promise<Outcome>;
  readonly outcome: Promise<Outcome>;
}

interface InEachState {
  readonly name: string;
  readonly open: () => Promise<OpenStore>;
  /** What of the history is settled when something is changed. */
  readonly atRest: SettledState;
}

/** Runs a contract so that each of its questions is asked with nothing, half and all of the history settled, and has the same answer:
 *  what was asked since the last change is asked again before the next change, and after each test. */
export function exerciseInEachState(
  exercise: (name: string, open: () => Promise<OpenStore>) => void,
  { name, open, atRest }: InEachState,
): void {
  const stores = new Set<StoreInEachState>();
  describe("however much of the history is settled,", () => {
    afterEach(async () => {
      for (const store of stores) await store.askAgain();
    }, 60_000);
    exercise(`${name} (${atRest} before changes)`, async () => {
      const store = new StoreInEachState(await open(), atRest, () => stores.delete(store));
      stores.add(store);
      return store.watched();
    });
  });
}

const changes = new Set(
  ["ingest", "change", "declare", "withdraw", "replaceFile", "noteReturned", "end", "deleteOlder", "fold"], // methods of OpenStore
);

/** A store that remembers what it was asked. */
class StoreInEachState {
  private asked: Asked[] = [];
  /** What is settled; undefined: records have come since then. */
  private state: SettledState | undefined = "nothing";
  private asking: Promise<void> = Promise.resolve();

  constructor(
    private readonly opened: OpenStore,
    private readonly atRest: SettledState,
    private readonly onClose: () => void,
  ) {}

  watched(): OpenStore {
    const { store, queries, inventory, retention, folding } = this.opened;
    return {
      ...this.opened,
      store: this.watch(store),
      queries: this.watch(queries),
      inventory: this.watch(inventory),
      retention: this.watch(retention),
      folding: this.watch(folding),
      close: () => this.close(),
    };
  }

  /** Asks again what was asked since the last time, in the states in which it was not asked.
   *  @throws if an answer is another one */
  askAgain(): Promise<void> {
    const asking = this.asking.then(() => this.askInOtherStates());
    this.asking = asking.catch(() => undefined);
    return asking;
  }

  private async askInOtherStates(): Promise<void> {
    const { asked, state, atRest } = this;
    if (asked.length === 0) return;
    this.asked = [];
    for (const { outcome } of asked) await outcome;
    for (const next of [...settledStates.filter((other) => other !== state && other !== atRest), atRest]) {
      await settleTo(this.opened.client, next);
      this.state = next;
      if (next === state) continue;
      for (const { name, ask, outcome } of asked) {
        const [before, now] = [comparable(await outcome), comparable(await ask())];
        if (isDeepStrictEqual(now, before)) continue;
        throw new Error(`${name} with ${next} settled: ${Bun.inspect(now)}, before: ${Bun.inspect(before)}`);
      }
    }
  }

  private async close(): Promise<void> {
    await this.askAgain();
    this.onClose();
    await this.opened.close();
  }

  /** The same interface, whose questions are remembered, and whose changes wait until they were asked again. */
  private watch<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (of, name) => {
        const member: unknown = Reflect.get(of, name, of);
        if (typeof member !== "function")
          return typeof member === "object" && member !== null ? this.watch(member) : member;
        if (name === "close") return () => this.close();
        const call = member.bind(of) as (...args: unknown[]) => Promise<unknown>;
        return (...args: unknown[]) =>
          changes.has(String(name))
            ? this.change(() => call(...args))
            : this.question(String(name), () => call(...args), args);
      },
    });
  }

  private async change<T>(run: () => Promise<T>): Promise<T> {
    await this.askAgain();
    if (this.state !== "nothing") this.state = undefined;
    return run();
  }

  private question(name: string, run: () => Promise<unknown>, args: readonly unknown[]): Promise<unknown> {
    const running = run();
    const outcomeOf = (answering: Promise<unknown>): Promise<Outcome> =>
      answering.then(
        (answer) => ({ answer }),
        (error: unknown) => ({ refused: (error as { readonly code?: unknown }).code }),
      );
    const asked = { name: `${name} ${Bun.inspect(args)}`, ask: () => outcomeOf(run()), outcome: outcomeOf(running) };
    this.asked.push(asked);
    return running;
  }
}

/** An outcome without what depends on when it was asked. */
function comparable(outcome: Outcome): unknown {
  if (!("answer" in outcome) || typeof outcome.answer !== "object" || outcome.answer === null) return outcome;
  return "nowMs" in outcome.answer ? { ...outcome.answer, nowMs: undefined } : outcome.answer;
}
