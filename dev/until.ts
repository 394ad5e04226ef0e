/** What a condition gives once it holds. */
export type Holds<T> = Exclude<T, false | undefined>;

const checkEveryMs = 20;
const defaultTimeoutMs = 20_000;

/** Checks a condition every 20 ms until it holds. A rejection of the check is passed on at once.
 *  @param check  holds when it gives neither false nor undefined
 *  @param timeoutMs  20 s unless given: less than a test's own limit, so that the test says what it waited for
 *  @returns what the check gave when it held
 *  @throws Error with the text of the check, when it does not hold in time */
export async function until<T>(check: () => T | Promise<T>, timeoutMs = defaultTimeoutMs): Promise<Holds<T>> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const given = await check();
    if (given !== undefined && given !== false) return given as Holds<T>;
    if (performance.now() > deadlineMs) throw new Error(`after ${timeoutMs} ms this did not hold: ${check.toString()}`);
    await Bun.sleep(checkEveryMs);
  }
}

/** Calls again, every 20 ms, until a call does not reject.
 *  @returns what that call gave
 *  @throws Error with the text of the call, when all calls reject for `timeoutMs` */
export async function untilResolved<T>(call: () => Promise<T>, timeoutMs = defaultTimeoutMs): Promise<T> {
  const { value } = await until(
    () =>
      call().then(
        (value) => ({ value }),
        () => undefined,
      ),
    timeoutMs,
  );
  return value;
}
