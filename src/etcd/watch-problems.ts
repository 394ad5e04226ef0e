import { stopwatch } from "../kit/clock.ts";

/** A watch that resumes at another member needs less. */
const defaultShownAfterMs = 5000;

interface Problem {
  /** The beginning of the keys. */
  readonly prefix: string;
  readonly error: Error;
  readonly sinceMs: () => number;
}

/** The watches of a client that do not follow their keys at the moment. Others may do the work of a process whose watch has stopped, so
 *  that only /health can show it. */
export class WatchProblems {
  private readonly problems = new Map<object, Problem>();

  constructor(private readonly shownAfterMs = defaultShownAfterMs) {}

  /** Call it at each failure in a row. */
  failed(watch: object, prefix: Buffer, error: Error): void {
    const sinceMs = this.problems.get(watch)?.sinceMs ?? stopwatch();
    this.problems.set(watch, { prefix: prefix.toString(), error, sinceMs });
  }

  /** The watch follows its keys, or is closed. */
  ended(watch: object): void {
    this.problems.delete(watch);
  }

  /** The longest of the problems; undefined if none has lasted for `shownAfterMs`. */
  text(): string | undefined {
    const [longest] = [...this.problems.values()].toSorted((a, b) => b.sinceMs() - a.sinceMs());
    const ms = longest?.sinceMs() ?? 0;
    if (longest === undefined || ms < this.shownAfterMs) return undefined;
    return `changes of ${longest.prefix} in etcd have not been received for ${Math.round(ms / 1000)} s: ${longest.error.message}`;
  }
}
