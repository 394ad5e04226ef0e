const waiting: (() => void)[] = [];

/** Lets the rest of the process do what waits, such as answering other requests. Long work without any other `await` calls it now and then.
 *  However much of such work there is, one piece of it is done at a time: what waits does not wait for a piece of each. */
export function turnOfOthers(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) setImmediate(next);
  });
}

function next(): void {
  if (waiting.length > 1) setImmediate(next);
  waiting.shift()?.();
}
