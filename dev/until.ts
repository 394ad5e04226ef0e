import { concurrentVariable } from "./servers/free-ports.ts";

/** The value of a condition that holds. */
export type Holds<T> = Exclude<T, false | undefined>;

/** Less than a test's time limit, so that a test fails with an error that shows the condition. */
const defaultTimeoutMs = process.env[concurrentVariable] ? 90_000 : 20_000;

export interface UntilOptions {
  /** 20 s by default; 90 s in tests that run at a lower priority than others. */
  readonly timeoutMs?: number;
  /** The pause between two checks, 20 ms by default. Use less for a condition that does not last. */
  readonly everyMs?: number;
}

/** Checks a condition repeatedly until it holds. If the check throws or rejects, `until` rejects immediately.
 *  @param check  the condition holds when this returns neither false nor undefined
 *  @returns the value of the check
 *  @throws Error with the source of the check, if the condition does not hold in time */
export async function until<T>(check: () => T | Promise<T>, options: UntilOptions = {}): Promise<Holds<T>> {
  const { timeoutMs = defaultTimeoutMs, everyMs = 20 } = options;
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== false) return value as Holds<T>;
    if (performance.now() > deadlineMs) throw new Error(`after ${timeoutMs} ms this did not hold: ${check.toString()}`);
    await Bun.sleep(everyMs);
  }
}

/** Repeats a call until it resolves.
 *  @returns the value of that call
 *  @throws Error with the last rejection as its cause, if no call resolves in time */
export async function untilResolved<T>(call: () => Promise<T>, options: UntilOptions = {}): Promise<T> {
  let rejection: unknown;
  const settled = (): Promise<{ readonly value: T } | undefined> =>
    call().then(
      (value) => ({ value }),
      (error: unknown) => void (rejection = error),
    );
  try {
    return (await until(settled, options)).value;
  } catch (error) {
    throw new Error(`every call failed: ${call.toString()}`, { cause: rejection ?? error });
  }
}
