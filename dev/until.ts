/** What a condition gives once it holds. */
export type Holds<T> = Exclude<T, false | undefined>;

export interface UntilOptions {
  /** 20 s unless given: less than a test's own limit, so that the error says what the test waited for. */
  readonly timeoutMs?: number;
  /** The pause between two checks, 20 ms unless given; shorter for a condition that does not last. */
  readonly everyMs?: number;
}

/** Checks a condition again and again until it holds. A rejection of the check is passed on at once.
 *  @param check  holds when it gives neither false nor undefined
 *  @returns what the check gave when it held
 *  @throws Error with the text of the check, when it does not hold in time */
export async function until<T>(check: () => T | Promise<T>, options: UntilOptions = {}): Promise<Holds<T>> {
  const { timeoutMs = 20_000, everyMs = 20 } = options;
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const given = await check();
    if (given !== undefined && given !== false) return given as Holds<T>;
    if (performance.now() > deadlineMs) throw new Error(`after ${timeoutMs} ms this did not hold: ${check.toString()}`);
    await Bun.sleep(everyMs);
  }
}

/** Calls again and again until a call does not reject.
 *  @returns what that call gave
 *  @throws Error with the last rejection as its cause, when all calls reject for too long */
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
