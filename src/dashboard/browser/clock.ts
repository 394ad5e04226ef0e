// The only file of the page that asks for the time or sets timers.

/** The browser's present time, in milliseconds since the epoch. */
export const nowMs = (): number => Date.now();

/** Calls `work` once after a wait. @returns a function that cancels it */
export function after(waitMs: number, work: () => void): () => void {
  const timer = setTimeout(work, waitMs);
  return () => clearTimeout(timer);
}

/** Calls `work` again and again. @returns a function that ends it */
export function every(periodMs: number, work: () => void): () => void {
  const timer = setInterval(work, periodMs);
  return () => clearInterval(timer);
}
