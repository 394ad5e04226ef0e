/** Resolves when the signal aborts; immediately if it already has. Give it a signal that aborts at some time: until then, the
 *  promise and what waits for it stay in memory. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
